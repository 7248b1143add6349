"""A person who is logged in, for every client."""

from __future__ import annotations

import pytest

from tests.support.logins import Desk


@pytest.fixture
def logged_in(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Somebody logged in with the command; this process finds the login as any other program does."""
    assert desk.log_in().returncode == 0
    desk.sandbox.advance(11)  # the login asked for the devices; the same question within ten seconds is refused
    monkeypatch.setenv("WITHINGS_AUTH_STORE", f"file:{desk.directory}")
    return desk
