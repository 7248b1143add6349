"""How old a stamp may be, what it is while the database is away, and whose clock it tells."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.support.cable import Cable
from tests.support.waiting import wait_until
from withings_auth.errors import LockLost
from withings_auth.store.base import STAMP_AGE_SECONDS, SecretStore
from withings_auth.store.postgresql import database_store
from withings_auth.store.postgresql.address import parse_address
from withings_auth.store.postgresql.database_store import PROBE_SECONDS, PostgresStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.postgresql import Server

NAME = "token/default"


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets time pass on the steady clock."""
    passed = 0.0
    real = time.monotonic

    def later(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    monkeypatch.setattr(time, "monotonic", lambda: real() + passed)
    return later


@pytest.fixture
def cable(postgresql: Server) -> Iterator[Cable]:
    with Cable(postgresql.port) as cable:
        yield cable


@pytest.fixture
def names(postgresql: Server, cable: Cable) -> tuple[str, str]:
    """The names of the same store, directly and by cable."""
    name = postgresql.new_store()
    return name, name.replace(f":{postgresql.port}/", f":{cable.port}/")


def opened(name: str) -> PostgresStore:
    return PostgresStore(parse_address(name))


def save(store: SecretStore, text: str) -> None:
    with store.lock(NAME, 20) as held:
        held.save(text)


def test_a_stamp_asks_nobody_and_ages(names: tuple[str, str], later: Callable[[float], None]) -> None:
    """It is what the latest answer said, for a second; then a token in memory is read again."""
    direct, by_cable = names
    store, other = opened(by_cable), opened(direct)
    assert store.stamp(NAME) is None
    save(other, "first")
    text, stamp = store.load_with_stamp(NAME)
    assert (text, store.stamp(NAME)) == ("first", stamp)
    assert stamp is not None
    save(other, "second")
    assert store.stamp(NAME) == stamp
    later(STAMP_AGE_SECONDS)
    assert store.stamp(NAME) is None
    assert store.load_with_stamp(NAME)[1] not in {stamp, None}


def test_an_answer_that_is_late_is_as_old_as_the_question(names: tuple[str, str], cable: Cable) -> None:
    """What it says may have changed on its way, and it replaces nothing that was asked for after it."""
    direct, by_cable = names
    store, other = opened(by_cable), opened(direct)
    save(other, "first")
    _, first = store.load_with_stamp(NAME)
    with cable.late(lambda: store.load(NAME)):
        save(other, "second")
        text, second = store.load_with_stamp(NAME)
    assert text == "second"
    assert store.stamp(NAME) in {second, None}
    assert first != second


def test_a_stamp_ages_on_its_way(names: tuple[str, str], cable: Cable, later: Callable[[float], None]) -> None:
    store = opened(names[1])
    save(store, "text")
    with cable.late(lambda: store.load(NAME)):
        later(STAMP_AGE_SECONDS)
    assert store.stamp(NAME) is None


def test_a_database_that_is_away_leaves_the_stamp(
    names: tuple[str, str], cable: Cable, later: Callable[[float], None]
) -> None:
    """A token in memory goes on, without a wait; the database is tried in the background until it is back."""
    direct, by_cable = names
    store, other = opened(by_cable), opened(direct)
    save(store, "first")
    _, stamp = store.load_with_stamp(NAME)
    cable.cut()
    with pytest.raises(LockLost, match="out of reach"):
        store.load(NAME)
    save(other, "second")
    later(STAMP_AGE_SECONDS)
    assert store.stamp(NAME) == stamp
    later(PROBE_SECONDS)
    assert store.stamp(NAME) == stamp
    cable.mend()

    def is_back() -> bool:
        later(PROBE_SECONDS)
        return store.stamp(NAME) not in {stamp, None} or store.stamp(NAME) is None

    wait_until(is_back)
    assert store.load(NAME) == "second"


def test_a_database_that_ended_one_session_is_tried_at_once(
    postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not away, and others may change what is in it."""
    monkeypatch.setattr(database_store, "PROBE_SECONDS", 3600)
    name = postgresql.new_store()
    store, other = opened(name), opened(name)
    save(other, "first")
    _, first = store.load_with_stamp(NAME)
    with pytest.raises(LockLost), store.lock("token/other", 20) as held:  # noqa: PT012  the second line fails
        postgresql.end_sessions("FROM pg_locks WHERE locktype = 'advisory'")
        held.save("text")
    save(other, "second")
    wait_until(lambda: store.stamp(NAME) != first)


def test_a_lost_lock_saves_nothing(names: tuple[str, str], cable: Cable) -> None:
    """Its holder learns that with the next thing that it does; the next holder finds the earlier record and note."""
    direct, by_cable = names
    store = opened(by_cable)
    with pytest.raises(LockLost), store.lock(NAME, 20) as held:  # noqa: PT012  the block is what the holder does
        held.save("first")
        held.notes.note("a note")
        cable.cut()
        for use in (lambda: held.save("second"), lambda: held.notes.note("another"), held.clear, held.notes.recall):
            with pytest.raises(LockLost, match="out of reach"):
                use()
        cable.mend()  # it does not take another connection for the one that held the lock
        held.save("second")
    with opened(direct).lock(NAME, 20) as held:
        assert held.notes.recall() == "a note"
    assert store.load(NAME) == opened(direct).load(NAME) == "first"


def test_a_lock_that_was_given_away_saves_nothing(postgresql: Server) -> None:
    """A session that has lost its lock, as behind a pooler, is as good as a lost connection."""
    store = opened(postgresql.new_store())
    with pytest.raises(LockLost, match="no longer held"), store.lock(NAME, 20) as held:  # noqa: PT012  as above
        (connection,) = store._held[next(iter(store._held))]
        connection.execute("SELECT pg_advisory_unlock_all()")
        held.save("text")
    assert store.load(NAME) is None


def test_the_server_tells_the_time(postgresql: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """So machines whose clocks differ agree on how old a token is."""
    store = opened(postgresql.new_store())
    assert (store.clock_offset(), store.lock_can_be_lost()) == (0, True)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    store.load(NAME)
    assert store.clock_offset() == pytest.approx(3600, abs=60)
    with store.lock(NAME, 20):
        assert store.clock_offset() == pytest.approx(3600, abs=60)


def test_a_late_answer_leaves_the_clock_alone(
    names: tuple[str, str], cable: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the times of notes would be wrong by as much, and the guard between two refreshes shorter."""
    store = opened(names[1])
    save(store, "text")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    store.load(NAME)
    with cable.late(lambda: store.load(NAME)):
        monkeypatch.setattr(time, "time", lambda: real() - 3600 + 8)  # it takes eight seconds
    assert store.clock_offset() == pytest.approx(3600, abs=2)


def test_an_idle_connection_that_ended_is_replaced(postgresql: Server) -> None:
    """The server may have been restarted, or have ended what was idle for long."""
    store = opened(postgresql.new_store())
    save(store, "text")
    postgresql.end_sessions()
    wait_until(lambda: not any(one.is_sound for idle in store._pool.idle.values() for one in idle))
    assert store.load(NAME) == "text"
