"""With the store's server away, a good token in memory is still handed out, by the store's clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.support.remote_store import RemoteStore, Server
from tests.tokens.source.watched import LIFE, Since, log_in
from withings_auth.errors import LockLost
from withings_auth.model import Grant, Token
from withings_auth.sandbox import Sandbox
from withings_auth.tokens.source import AsyncTokenSource, TokenSource

HOUR = 3600
Ask = Callable[..., Token]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def remote(server: Server) -> RemoteStore:
    return RemoteStore(server)


@pytest.fixture(params=[TokenSource, AsyncTokenSource])
def ask(request: pytest.FixtureRequest, remote: RemoteStore) -> Ask:
    """Asks a source of each kind, which lives as long as the test."""
    source = request.param(store=remote, min_valid=600)
    if isinstance(source, TokenSource):
        return source.token
    return lambda **how: asyncio.run(source.token(**how))


class TestAway:
    @pytest.mark.parametrize("fresh", [True, False], ids=["known to be away", "not yet known"])
    def test_a_good_token_in_memory_is_handed_out(
        self, ask: Ask, remote: RemoteStore, sandbox: Sandbox, *, fresh: bool
    ) -> None:
        """Whether the store knows that its server is away, and answers from memory, or finds it out now."""
        grant = log_in(remote, sandbox)
        ask()
        remote.stamps_are_fresh = fresh
        remote.server.away = True
        assert ask().access_token == grant.access_token
        with pytest.raises(LockLost, match="away"):
            ask(rejected=grant.access_token)
        assert ask().access_token == grant.access_token

    def test_it_is_handed_out_as_long_as_it_lives(self, ask: Ask, remote: RemoteStore, sandbox: Sandbox) -> None:
        """It was asked to live for ten minutes more; five are better than none."""
        grant = log_in(remote, sandbox, age=LIFE - 602)
        ask()
        remote.server.away = True
        for ahead, good in ((5 * 60, True), (11 * 60, False)):
            remote._offset = ahead
            if good:
                assert ask().access_token == grant.access_token
            else:
                with pytest.raises(LockLost):
                    ask()

    def test_a_token_that_was_just_renewed_is_handed_out(self, ask: Ask, remote: RemoteStore, sandbox: Sandbox) -> None:
        log_in(remote, sandbox, age=LIFE)
        token = ask()
        remote.server.away = True
        assert ask() == token

    def test_a_token_that_was_replaced_is_not(self, ask: Ask, remote: RemoteStore, sandbox: Sandbox) -> None:
        """The store has seen that another program saved, perhaps a logout: what is in memory may be dead."""
        log_in(remote, sandbox)
        ask()
        log_in(RemoteStore(remote.server), sandbox)
        remote.load("token/default")
        remote.server.away = True
        with pytest.raises(LockLost):
            ask()

    def test_nor_is_one_that_withings_has_renewed(
        self, ask: Ask, remote: RemoteStore, sandbox: Sandbox, since: Since
    ) -> None:
        """The successor could not be saved; the token in memory has life left, but may have died of the renewal."""
        log_in(remote, sandbox, age=LIFE - 602)
        ask()
        remote._behind_seconds = remote._offset = 5 * 60
        remote.before = lambda what: remote.server.end_sessions() if what == "save" else None
        with pytest.raises(LockLost, match="nobody knows whether that was saved"):
            ask()
        assert since.refreshes == 1

    def test_without_a_token_in_memory_there_is_none(self, ask: Ask, remote: RemoteStore, sandbox: Sandbox) -> None:
        log_in(remote, sandbox)
        remote.server.away = True
        with pytest.raises(LockLost) as lost:
            ask()
        assert (lost.value.exit_code, lost.value.temporary) == (4, True)


@pytest.mark.parametrize("behind", [-HOUR, HOUR])
def test_callers_get_times_by_their_own_clock(server: Server, sandbox: Sandbox, since: Since, behind: int) -> None:
    """The machine's clock is wrong, the server's is right: the record has the server's time, the token has not."""
    grant = log_in(RemoteStore(server), sandbox)
    by_server = replace(grant, obtained_at=grant.obtained_at + behind, expires_at=grant.expires_at + behind)
    server.records["token/default"] = by_server.to_record()
    store = RemoteStore(server, behind_seconds=behind)
    assert TokenSource(store=store).token() == grant.token
    assert since.refreshes == 0


def test_what_a_renewal_saves_has_the_servers_time(server: Server, sandbox: Sandbox) -> None:
    store = RemoteStore(server, behind_seconds=HOUR)
    log_in(store, sandbox, age=LIFE)
    began = time.time()
    token = TokenSource(store=store).token()
    saved = Grant.from_record(server.records["token/default"])
    assert began + HOUR - 1 <= saved.obtained_at <= time.time() + HOUR
    assert token.expires_at == saved.expires_at - HOUR
