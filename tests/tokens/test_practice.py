"""Whether the sandbox of a practice login still runs; every other login is another matter."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from tests.support.ports import free_port
from tests.support.stores import save_record
from withings_auth.errors import LoginRequired
from withings_auth.model import Grant
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.records import token_name
from withings_auth.tokens.practice import practice_has_ended
from withings_auth.tokens.source import TokenSource


def grant_of(service: str) -> Grant:
    """A login at this service, with an access token that looks valid."""
    now = int(time.time())
    return Grant(
        access_token="access-1",
        refresh_token="refresh-1",
        obtained_at=now,
        expires_at=now + 10_800,
        scopes=("user.info",),
        userid="38210457",
        client_id="an-app",
        token_url=f"{service}/v2/oauth2",
    )


@pytest.fixture
def stopped() -> str:
    """Where nothing listens."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A service that accepts one connection and leaves the next one waiting."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        yield listening


def test_it_ends_when_nothing_listens_where_its_sandbox_was(listening: socket.socket, stopped: str) -> None:
    assert not practice_has_ended("sandbox", grant_of(f"http://127.0.0.1:{listening.getsockname()[1]}").token_url)
    assert practice_has_ended("sandbox", grant_of(stopped).token_url)


def test_another_profile_or_service_is_not_for_practice(stopped: str) -> None:
    """Somebody's own service may be down for a while, and a real one is not even asked."""
    assert not practice_has_ended("default", grant_of(stopped).token_url)
    assert not practice_has_ended("sandbox", grant_of("https://wbsapi.withings.invalid").token_url)


def test_what_is_uncertain_is_not_the_end(listening: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("withings_auth.tokens.practice._PROBE_SECONDS", 0.05)
    with socket.create_connection(listening.getsockname()):
        assert not practice_has_ended("sandbox", grant_of(f"http://127.0.0.1:{listening.getsockname()[1]}").token_url)


def test_its_token_is_not_handed_out_any_more(stopped: str) -> None:
    """It looks valid, but nothing accepts it."""
    store = MemoryStore()
    save_record(store, token_name("sandbox"), grant_of(stopped).to_record())
    with pytest.raises(LoginRequired, match="the practice of profile sandbox has ended") as ended:
        TokenSource("sandbox", store=store).token()
    assert "login --sandbox --keep" in ended.value.hint
