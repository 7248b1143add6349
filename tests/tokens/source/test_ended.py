"""A login that Withings has refused to renew: nobody gets its token."""

from __future__ import annotations

import pytest

from tests.support.logins import Desk
from withings_auth.errors import LoginRequired
from withings_auth.store.file_store import FileStore
from withings_auth.tokens.source import TokenSource

HALF_AN_HOUR_LEFT = 10_800 - 1_800


@pytest.fixture
def store(desk: Desk) -> FileStore:
    """A login with an access token that looks alive, and a refresh token that was definitely refused."""
    store = FileStore(desk.directory)
    desk.put_login(age=HALF_AN_HOUR_LEFT)
    desk.sandbox.kill_refresh_token()
    with pytest.raises(LoginRequired):
        TokenSource(store=store, min_valid=3600).token()
    return store


def test_its_token_is_not_handed_out(desk: Desk, store: FileStore) -> None:
    """Statement 49: it most likely ended with the login, whatever its record says."""
    sent = desk.sandbox.counters.token_requests
    with pytest.raises(LoginRequired, match="refused on"):
        TokenSource(store=store).token()
    assert desk.sandbox.counters.token_requests == sent


def test_a_source_forgets_it_as_well(desk: Desk) -> None:
    """Statement 49: a program that has it in memory does not go on with it."""
    store, access_token = FileStore(desk.directory), desk.put_login(age=HALF_AN_HOUR_LEFT).access_token
    source = TokenSource(store=store)
    assert source.token().access_token == access_token
    desk.sandbox.kill_refresh_token()
    for rejected in (access_token, None):
        with pytest.raises(LoginRequired):
            source.token(rejected=rejected)


def test_a_new_login_works_at_once(desk: Desk, store: FileStore) -> None:
    """Statement 49: until the record changes."""
    new = desk.put_login(age=60)
    assert TokenSource(store=store).token().access_token == new.access_token
