"""`store copy` with a real database: its connections can be lost, it has a clock, and several names."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from tests.profiles.moves import move, put
from tests.support.stores import Wrapped
from tests.test_model import GRANT
from withings_auth.config.settings import open_store
from withings_auth.errors import ConfigurationError, LockLost
from withings_auth.provider.repeat_guard import REPEAT_GUARD_SECONDS
from withings_auth.store.base import HeldName, SecretStore
from withings_auth.store.records import stored_grant
from withings_auth.tokens.journal import Journal

if TYPE_CHECKING:
    from tests.support.postgresql import Server


@pytest.fixture
def database(postgresql: Server) -> SecretStore:
    return open_store(postgresql.new_store())


def test_there_and_back(source: SecretStore, database: SecretStore) -> None:
    assert move(source, database)[1] == []
    assert (source.names(), stored_grant(database, "default")) == ([], GRANT)
    assert move(database, source)[1] == []
    assert (stored_grant(source, "default"), database.names()) == (GRANT, [])


@pytest.mark.parametrize("lost", ["old", "new"])
def test_a_lost_connection_ends_the_move_and_loses_nothing(
    postgresql: Server, source: SecretStore, database: SecretStore, lost: str
) -> None:
    """Whichever store it was: either copy works, and the next move leaves one."""

    class Cut(Wrapped):
        def _cut(self, name: str) -> None:
            if name == "token/default":
                postgresql.end_sessions()

        def save(self, held: HeldName, name: str, text: str) -> None:
            self._cut(name)
            super().save(held, name, text)

        def clear(self, held: HeldName, name: str) -> bool:
            self._cut(name)
            return super().clear(held, name)

    old, new, cut = source, database, Cut(database)
    if lost == "old":
        move(source, database)
        old, new = database, source
    with pytest.raises(LockLost):
        move(cut if old is database else old, cut if new is database else new)
    assert stored_grant(old, "default") == GRANT
    assert move(old, new)[1] == []
    assert (old.names(), stored_grant(new, "default")) == ([], GRANT)


def test_one_database_under_two_names(postgresql: Server) -> None:
    """They differ by host and parameters; neither the login nor two minutes are lost."""
    name = postgresql.new_store()
    store = open_store(name)
    put(store, "default", GRANT)
    other = open_store(f"{name.replace('127.0.0.1', 'localhost')}&connect_timeout=9")
    with pytest.raises(ConfigurationError, match="the old store and the new one are the same"):
        move(store, other)
    assert stored_grant(store, "default") == GRANT


def test_its_times_are_those_of_its_own_clock(source: SecretStore, database: SecretStore) -> None:
    """So a token does not seem to live an hour longer, and of two copies the newer one is found."""

    class Ahead(Wrapped):
        def clock_offset(self) -> float:
            return 3600.2

    assert move(source, Ahead(database))[1] == []
    there = stored_grant(database, "default")
    assert there == dataclasses.replace(GRANT, obtained_at=GRANT.obtained_at + 3600, expires_at=GRANT.expires_at + 3600)
    assert move(Ahead(database), source)[1] == []
    assert stored_grant(source, "default") == GRANT


def test_its_guard_lasts_as_long_by_the_other_clock(source: SecretStore, database: SecretStore) -> None:
    """Or the same refresh token could be sent twice within seconds."""

    class Ahead(Wrapped):
        def clock_offset(self) -> float:
            return 3600

    with source.lock("token/default", 20) as held:
        Journal(held.notes, GRANT).begin(1000)
    move(source, Ahead(database))
    there = stored_grant(database, "default")
    assert there is not None
    with database.lock("token/default", 20) as held:
        assert Journal(held.notes, there).seconds_to_wait(4601) == pytest.approx(REPEAT_GUARD_SECONDS - 1, abs=0.5)
