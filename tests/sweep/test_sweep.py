"""Whichever system call fails on the store's directory, and however: no login is lost, and the user learns of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Require
from tests.support.ports import free_port
from tests.sweep import preload
from tests.sweep.breaks import BREAKS, Break
from tests.sweep.operations import OPERATIONS, Login, Operation
from tests.sweep.processes import Processes
from tests.sweep.sweep import Sweep
from withings_auth.sandbox import Sandbox, Switches

pytestmark = pytest.mark.usefixtures("unmeasured")

Start = Callable[..., Sweep]

PARTS: dict[type[Operation], int] = {Login: 2}  # the longest one, so that all processors have work


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory, require: Require) -> Iterator[Processes]:
    built = preload.build(tmp_path_factory.mktemp("library"))
    require("cc", built, "a library in which system calls fail is compiled")
    assert built is not None
    with Processes(built) as processes:
        yield processes


@pytest.fixture
def start(processes: Processes, tmp_path: Path) -> Iterator[Start]:
    """`start(kind)` returns the sweep of an operation, in a store and at a Withings of its own."""
    directory = tmp_path / "store"
    # If a second consent ended the first one's tokens, a login that cannot be saved would lose both.
    switches = Switches(second_consent="kills_nothing")
    redirect_uri = f"http://localhost:{free_port()}"
    with Sandbox(redirect_uris=[redirect_uri], switches=switches) as sandbox:

        def start(kind: type[Operation], change: str = "") -> Sweep:
            return Sweep(processes, kind(directory, sandbox), change)

        yield start


@pytest.mark.parametrize(("kind", "part"), [(kind, part) for kind in OPERATIONS for part in range(PARTS.get(kind, 1))])
def test_no_failing_call_costs_a_login(start: Start, kind: type[Operation], part: int) -> None:
    """Statements 29, 30 and 46: whatever fails, the operation succeeds the next time; the exit code is right, there is
    no traceback, and the lock is free.
    """
    assert list(start(kind).problems(part=part, parts=PARTS.get(kind, 1))) == []


@pytest.mark.parametrize("broken", BREAKS, ids=lambda one: one.name)
def test_a_broken_store_is_found(start: Start, broken: Break) -> None:
    """The sweep notices what it is there for."""
    sweep = start(broken.operation, broken.code)
    assert any(broken.problem in problem for problem in sweep.problems(only=broken.call))
