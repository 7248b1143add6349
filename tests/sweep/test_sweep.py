"""Whichever system call fails on the store's directory, and however: no login is lost, and the user learns of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import Require
from tests.support.ports import free_port
from tests.sweep import preload
from tests.sweep.breaks import BREAKS, Break
from tests.sweep.operations import OPERATIONS, Import, Login, Logout, Operation, Renewal
from tests.sweep.processes import Processes
from tests.sweep.sweep import Sweep
from withings_auth.sandbox import Sandbox, Switches

Start = Callable[..., Sweep]

PARTS = {Login: 6, Import: 6, Renewal: 2, Logout: 2}  # the longest ones, so that all processors have work


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, require: Require) -> Path:
    built = preload.build(tmp_path_factory.mktemp("library"))
    require("cc", built, "a library in which system calls fail is compiled")
    assert built is not None
    return built


@pytest.fixture
def start(library: Path, tmp_path: Path) -> Iterator[Start]:
    """`start(kind)` returns the sweep of an operation, in a store and at a Withings of its own."""
    directory = tmp_path / "store"
    # If a second consent ended the first one's tokens, a login that cannot be saved would lose both.
    switches = Switches(second_consent="kills_nothing")
    with ExitStack() as running:
        redirect_uri = f"http://localhost:{free_port()}"
        sandbox = running.enter_context(Sandbox(redirect_uris=[redirect_uri], switches=switches))
        environ = {
            "WITHINGS_AUTH_STORE": f"file:{directory}",
            "WITHINGS_AUTH_AUTHORIZE_URL": sandbox.endpoints.authorize_url,
            "WITHINGS_AUTH_API_URL": sandbox.endpoints.api_url,
        }

        def start(kind: type[Operation], change: str = "") -> Sweep:
            processes = running.enter_context(Processes(library, environ, change=change))
            return Sweep(processes, kind(directory, sandbox))

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
