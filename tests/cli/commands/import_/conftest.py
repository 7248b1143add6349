"""A file that another tool left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.logins import Desk


@pytest.fixture
def file(desk: Desk, home: Path) -> Path:
    """withings-sync's file, with a login of the sandbox's first person."""
    pair = desk.sandbox.issue_pair()
    path = home / "withings_user.json"
    content = {
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "userid": pair.userid,
        "authentification_code": "c" * 40,
    }
    path.write_text(json.dumps(content))
    return path
