"""A user who follows the README's recipes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.support.logins import Desk

HOUR = 3600
PROGRAMS = Path(sys.executable).parent


@pytest.fixture
def user(desk: Desk, home: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Logged in an hour ago, with the command where pipx puts it; the store is the only setting."""
    assert desk.log_in().returncode == 0
    desk.grow_older(HOUR)
    desk.sandbox.advance(HOUR)
    local = home / ".local" / "bin"
    local.mkdir(parents=True)
    (local / "withings-auth").symlink_to(PROGRAMS / "withings-auth")
    monkeypatch.setenv("PATH", f"{local}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("WITHINGS_AUTH_STORE", f"file:{desk.directory}")
    return desk
