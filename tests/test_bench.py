"""`make bench` shows every cost next to its budget, and fails if one is exceeded."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.bench.first_login import WaitForBrowser, first_logins

if TYPE_CHECKING:
    from tests.support.programs import Cli, Finished

ROOT = Path(__file__).parent.parent
COSTS = (
    "TokenSource.token()",
    "await AsyncTokenSource.token()",
    "import withings_auth",
    "withings-auth token, files",
    "a renewal",
    "16 callers, one renewal",
)


@pytest.fixture
def bench(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs one small round in a temporary directory that the test inspects."""
    (home / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(home / "tmp"))
    return cli.using(sys.executable, "-m", "tests.bench", "--rounds", "1", "--calls", "20")


def run(bench: Cli, leeway: str) -> Finished:
    return bench("--leeway", leeway, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}, seconds=60)


def test_every_cost_is_shown_next_to_its_budget(bench: Cli, home: Path) -> None:
    """With enough leeway no budget is exceeded, and no file is left behind."""
    before = set(home.rglob("*"))
    ran = run(bench, "1000")
    assert (ran.returncode, ran.stderr) == (0, "")
    heading, *lines = ran.stdout.splitlines()
    assert heading.split() == ["what", "takes", "times", "budget", "of"]
    assert [line[:47].strip() for line in lines if "Secret Service" not in line] == [*COSTS]
    has_keyring = all(shutil.which(program) for program in ("dbus-daemon", "gnome-keyring-daemon"))
    assert sum("Secret Service" in line for line in lines) == 2 * has_keyring
    assert "EXCEEDED" not in ran.stdout
    assert set(home.rglob("*")) == before


def test_a_cost_above_its_budget_fails(bench: Cli) -> None:
    """Without leeway every budget is exceeded, and the exit code says so."""
    ran = run(bench, "0.0001")
    assert ran.returncode == 1
    assert all(line.endswith("EXCEEDED") for line in ran.stdout.splitlines()[1:])


@pytest.mark.usefixtures("unmeasured")
def test_a_first_login_is_measured_until_its_browser(home: Path) -> None:
    """Neither longer, nor until the browser of an earlier measurement."""
    with contextlib.ExitStack() as running:
        (ours,) = first_logins(home, running, {"files": f"file:{home / 'store'}"}, {})
        assert 0 < ours.run() < 60
    assert (home / "store" / "app").exists()
    assert not (home / "store" / "token").exists()
    wait = WaitForBrowser(home / "another")
    assert wait.by(["sh", "-c", 'sleep 0.2; "$BROWSER" http://localhost; sleep 60'], {}, waiting=True)() >= 0.2
    assert wait.by(["sh", "-c", 'sleep 0.2; "$BROWSER" http://localhost; sleep 60'], {}, waiting=True)() >= 0.2
