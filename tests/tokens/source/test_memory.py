"""A token in memory: it costs next to nothing, and is not returned once anything has changed."""

from __future__ import annotations

import time
from collections.abc import Hashable

import pytest

from tests.support.stores import Wrapped, clear_record
from tests.support.waiting import wait_until
from tests.tokens.source.watched import (
    LIFE,
    WatchedStore,
    log_in,
)
from withings_auth.errors import LoginRequired
from withings_auth.model import Grant
from withings_auth.sandbox import Sandbox
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.records import token_name
from withings_auth.tokens.source import TokenSource


class TestFastPath:
    def test_a_token_in_memory_costs_one_stamp(self, store: WatchedStore, sandbox: Sandbox) -> None:
        """After the first time nothing is read and nobody is asked, for as long as nothing has changed."""
        grant = log_in(store, sandbox)
        source = TokenSource(store=store)
        assert source.token() == grant.token
        store.asked.clear()
        assert [source.access_token() for _ in range(3)] == [grant.access_token] * 3
        assert store.asked == ["stamp"] * 3

    def test_the_token_of_a_new_login_is_noticed(self, store: WatchedStore, sandbox: Sandbox) -> None:
        """Another program renewed or logged in: the stamp changes with every save."""
        log_in(store, sandbox)
        source = TokenSource(store=store)
        source.token()
        newer = log_in(store, sandbox)
        assert source.token() == newer.token

    def test_a_logout_is_noticed(self, store: WatchedStore, sandbox: Sandbox) -> None:
        log_in(store, sandbox)
        source = TokenSource(store=store)
        source.token()
        clear_record(store, token_name("default"))
        with pytest.raises(LoginRequired, match="nobody is logged in"):
            source.token()

    def test_a_save_between_stamp_and_load_is_not_missed(self, sandbox: Sandbox) -> None:
        """The stamp is taken first: what is read is as new as it says, or newer."""
        store = MemoryStore()
        old = log_in(store, sandbox)
        saved: list[Grant] = []

        class Overtaken(Wrapped):
            def load(self, name: str) -> str | None:
                text = self.inner.load(name)
                if not saved:
                    saved.append(log_in(store, sandbox))
                return text

        source = TokenSource(store=Overtaken(store))
        assert source.token() == old.token
        assert source.token() == saved[0].token

    def test_a_store_without_a_stamp_is_read_each_time(self, sandbox: Sandbox) -> None:
        """Where the index cannot be written there is nothing to compare: correct comes before fast."""

        class Stampless(WatchedStore):
            def stamp(self, name: str) -> Hashable:
                super().stamp(name)
                return None

        store = Stampless(MemoryStore())
        log_in(store, sandbox)
        source = TokenSource(store=store)
        source.token()
        newer = log_in(store, sandbox)
        assert source.token() == newer.token
        clear_record(store, token_name("default"))
        with pytest.raises(LoginRequired):
            source.token()

    def test_a_token_whose_life_runs_out_in_memory_is_renewed(self, store: WatchedStore, sandbox: Sandbox) -> None:
        """Statement 33: memory is no excuse; the clock is asked each time."""
        grant = log_in(store, sandbox, age=LIFE - 600)
        source = TokenSource(min_valid=grant.expires_at - time.time() - 3, store=store)
        assert source.token() == grant.token
        assert source.token() == grant.token
        wait_until(lambda: source.access_token() != grant.access_token)

    def test_a_rejected_token_is_not_handed_out_of_memory(self, store: WatchedStore, sandbox: Sandbox) -> None:
        """Statement 33: what a server refused is renewed, once, and then everybody has the new one."""
        grant = log_in(store, sandbox, age=600)
        source = TokenSource(store=store)
        source.token()
        refreshes = sandbox.counters.refreshes
        tokens = {source.token(rejected=grant.access_token) for _ in range(3)}
        assert len(tokens) == 1
        assert grant.token not in tokens
        assert source.token() in tokens
        assert sandbox.counters.refreshes == refreshes + 1
