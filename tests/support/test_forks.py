"""A command that is forked does what one does that was started afresh."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.forks import Fork, Forks
from tests.support.waiting import wait_until_gone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.programs import Cli

LOADED = "import sys; sys.path.insert(0, 'tests/support'); import forked; forked._load(); print(*sys.modules)"


@pytest.fixture
def forks() -> Iterator[Forks]:
    with Forks() as forks:
        yield forks


@pytest.fixture
def waiting(forks: Forks) -> Iterator[Fork]:
    """A command that waits for the end of its input."""
    out, theirs = os.pipe()
    program = forks.start(["import", "-"], os.environ, (out, 1, 1))
    yield program
    for descriptor in (out, theirs):
        os.close(descriptor)


@pytest.mark.parametrize("arguments", [["--version"], ["token"], ["stat"], ["help", "login"], []], ids=" ".join)
def test_it_ends_and_writes_the_same(cli: Cli, arguments: list[str]) -> None:
    afresh = cli.using(sys.executable, "-m", "withings_auth")(*arguments)
    forked = cli(*arguments)
    assert (forked.returncode, forked.stdout, forked.stderr) == (afresh.returncode, afresh.stdout, afresh.stderr)


def test_it_is_a_process_with_a_session_of_its_own(waiting: Fork) -> None:
    assert os.getsid(waiting.pid) == os.getpgid(waiting.pid) == waiting.pid
    assert waiting.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.01)
    waiting.send_signal(signal.SIGKILL)
    assert waiting.wait(60) == waiting.poll() == -signal.SIGKILL
    wait_until_gone(waiting.pid)


def test_it_loads_the_package_itself(python: Cli) -> None:
    loaded = python(LOADED).stdout.split()
    assert "aiohttp.web" in loaded
    assert [name for name in loaded if name.startswith("withings_auth")] == []


@pytest.mark.parametrize("name", ["PYTHONDEVMODE", "LC_ALL", "SSL_CERT_FILE"])
def test_what_is_read_at_the_start_needs_a_start(forks: Forks, name: str) -> None:
    assert forks.fits({**os.environ, "PYTHON_KEYRING_BACKEND": "another", "NAME": "value"})
    assert not forks.fits({**os.environ, name: "another"})
