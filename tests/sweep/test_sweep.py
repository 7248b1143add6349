"""Whichever system call fails on the store's directory, and however: no login is lost, and the user learns of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Require
from tests.support.logins import free_port
from tests.sweep import preload
from tests.sweep.operations import OPERATIONS, Import, Login, Operation, Renewal
from tests.sweep.processes import Processes
from tests.sweep.sweep import Sweep
from withings_auth.sandbox import Sandbox, Switches

PARTS = {Login: 4, Import: 3, Renewal: 2}  # the longest ones, so that all processors have work


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, require: Require) -> Path:
    built = preload.build(tmp_path_factory.mktemp("library"))
    require("cc", built, "a library in which system calls fail is compiled")
    assert built is not None
    return built


@pytest.mark.parametrize(("kind", "part"), [(kind, part) for kind in OPERATIONS for part in range(PARTS.get(kind, 1))])
def test_no_failing_call_costs_a_login(kind: type[Operation], part: int, library: Path, tmp_path: Path) -> None:
    """Statements 29 and 30: afterwards the operation succeeds; the exit code is right, there is no traceback, and the
    lock is free.
    """
    directory = tmp_path / "store"
    # If a second consent ended the first one's tokens, a login that cannot be saved would lose both.
    switches = Switches(second_consent="kills_nothing")
    with Sandbox(redirect_uris=[f"http://localhost:{free_port()}"], switches=switches) as sandbox:
        environ = {
            "WITHINGS_AUTH_STORE": f"file:{directory}",
            "WITHINGS_AUTH_AUTHORIZE_URL": sandbox.endpoints.authorize_url,
            "WITHINGS_AUTH_API_URL": sandbox.endpoints.api_url,
        }
        with Processes(library, environ) as processes:
            sweep = Sweep(processes, kind(directory, sandbox))
            assert list(sweep.problems(part=part, parts=PARTS.get(kind, 1))) == []
