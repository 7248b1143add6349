"""`make demo` tells the whole story and leaves nothing behind, with a keyring and without."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.keyring_daemon import SecretService
    from tests.support.programs import Cli, Finished

pytestmark = pytest.mark.usefixtures("unmeasured")

DEMO = Path(__file__).parent / "demo.py"


def run_demo(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch, env: dict[str, str | None]) -> Finished:
    """Runs the demo, checks what holds on every machine, and returns its output."""
    temporary = home / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    before = set(home.rglob("*"))
    finished = cli.using(sys.executable)(str(DEMO), env=env, seconds=110)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    for command in ("login --timeout 60", "token", "api measure getmeas meastype=1", "status", "logout"):
        assert f"$ withings-auth {command}" in finished.stdout
    tokens = [line for line in finished.stdout.splitlines() if line.startswith("sandbox-")]
    assert len(tokens) == len(set(tokens)) == 2
    assert len(re.findall(r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,weight,\d\d\.\d+,kg,Body\+$", finished.stdout)) == 5
    assert re.search(r"(?m)^Access token  valid until .* \(in \d+ s\)$", finished.stdout)
    assert "Body+, battery" in finished.stdout
    assert set(home.rglob("*")) == before
    return finished


def test_without_browser_and_keyring(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a bare machine it uses a scripted browser and files, and says so."""
    finished = run_demo(cli, home, monkeypatch, {})
    assert "Browser: a scripted one, which clicks Allow (" in finished.stdout
    assert "Store:   files in a temporary directory (no usable keyring)" in finished.stdout


def test_with_a_keyring(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch, secret_service: SecretService) -> None:
    """If there is a keyring it is used, and empty again afterwards."""
    finished = run_demo(cli, home, monkeypatch, secret_service.environ)
    assert "Store:   the keyring of this desktop (Secret Service)" in finished.stdout
    assert secret_service.services() == []
