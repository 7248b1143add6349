"""`make demo`, with a keyring and without: it tells the whole story and leaves nothing behind."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.keyring_daemon import SecretService
    from tests.support.programs import Cli, Finished

DEMO = Path(__file__).parent / "demo.py"


def told(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch, env: dict[str, str | None]) -> Finished:
    """Runs the demo and returns what it said, once its promises were seen to hold."""
    temporary = home / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    before = set(home.rglob("*"))
    finished = cli.using(sys.executable)(str(DEMO), env=env, seconds=60)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.seconds < 60
    for command in ("login --timeout 60", "token", "api measure getmeas meastype=1", "status", "logout"):
        assert f"$ withings-auth {command}" in finished.stdout
    tokens = [line for line in finished.stdout.splitlines() if line.startswith("sandbox-")]
    assert len(tokens) == len(set(tokens)) == 2
    assert finished.stdout.count(" kg") == 5
    assert re.search(r"(?m)^Access token  valid until .* \(in under a minute\)$", finished.stdout)
    assert "Body+, battery" in finished.stdout
    assert set(home.rglob("*")) == before
    return finished


def test_without_browser_and_keyring(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a bare machine the visitor and files stand in, and it says so."""
    finished = told(cli, home, monkeypatch, {})
    assert "Browser: the sandbox's scripted visitor" in finished.stdout
    assert "Store:   files in a temporary directory" in finished.stdout


def test_with_a_keyring(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch, secret_service: SecretService) -> None:
    """Where there is a keyring it is used, and empty again afterwards."""
    finished = told(cli, home, monkeypatch, secret_service.environ)
    assert "Store:   the keyring of this desktop (Secret Service)" in finished.stdout
    assert secret_service.services() == []
