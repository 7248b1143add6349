"""A desk where no app is configured yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeDesk
from tests.support.logins import Desk


@pytest.fixture
def bare(make_desk: MakeDesk) -> Desk:
    """A desk whose environment says nothing about an app."""
    desk = make_desk()
    for name in ("WITHINGS_CLIENT_ID", "WITHINGS_CLIENT_SECRET", "WITHINGS_REDIRECT_URI"):
        desk.env[name] = None
    desk.canaries.plant("the client secret", desk.sandbox.client_secret)
    return desk


@pytest.fixture
def config(home: Path) -> Path:
    """The path of config.toml, which does not exist yet."""
    return home / ".config" / "withings-auth" / "config.toml"
