"""A command that is forked does what one does that was started afresh."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import coverage
import pytest

import withings_auth.__main__
from tests.support.forks import Fork, Forks
from tests.support.waiting import wait_until_gone
from withings_auth.cli.commands import status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from coverage import Coverage

    from tests.support.programs import Cli

MEASURING = """
[run]
data_file = {home}/data
parallel = true
source_pkgs = withings_auth
"""


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


def test_what_it_runs_is_measured(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Coverage has what was run while it loaded, once for all forks, and what a fork has done until its end."""
    settings = home / "coverage.ini"
    settings.write_text(MEASURING.format(home=home))
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    monkeypatch.setenv("COVERAGE_PROCESS_START", str(settings))
    with Forks() as forks, Path(os.devnull).open("w") as nothing:
        assert forks.start(["--version"], os.environ, [nothing.fileno()] * 3).wait(60) == 0
    combined = coverage.Coverage(config_file=str(settings))
    combined.combine()
    assert is_measured(combined, withings_auth.__main__, "code = main(sys.argv[1:])")
    assert is_measured(combined, status, "def execute(")
    assert not is_measured(combined, status, "store = open_store(")


def is_measured(coverage: Coverage, module: ModuleType, line: str) -> bool:
    """Whether the only line that begins so was run."""
    assert module.__file__ is not None
    lines = Path(module.__file__).read_text().splitlines()
    (number,) = (number for number, text in enumerate(lines, 1) if text.strip().startswith(line))
    return number in (coverage.get_data().lines(module.__file__) or ())


@pytest.mark.parametrize("name", ["PYTHONDEVMODE", "LC_ALL", "SSL_CERT_FILE"])
def test_what_is_read_at_the_start_needs_a_start(forks: Forks, name: str) -> None:
    assert forks.fits({**os.environ, "PYTHON_KEYRING_BACKEND": "another", "NAME": "value"})
    assert not forks.fits({**os.environ, name: "another"})
