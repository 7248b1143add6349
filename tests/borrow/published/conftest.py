"""A user of the published programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.borrow.published.borrower import Borrower
from tests.borrow.published.programs import are_installed
from tests.conftest import MakeDesk, Require
from tests.support.logins import Switches


@pytest.fixture
def borrower(make_desk: MakeDesk, home: Path, require: Require, monkeypatch: pytest.MonkeyPatch) -> Borrower:
    """A user with a login, at a Withings where the same call may be repeated at once."""
    require("published", are_installed(), "`make published` installs the programs that `run --as` is for")
    desk = make_desk(switches=Switches(same_arguments_refused="token_service"))
    desk.put_login()
    monkeypatch.chdir(home)
    return Borrower(desk, home)
