"""What a store may offer beyond its promises is used if it is there, and not missed otherwise."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.canaries import Canaries
from tests.support.stores import save_record
from withings_auth.errors import ConfigurationError, LockBusy, StoreError, StoreUnavailable
from withings_auth.store.base import (
    STAMP_AGE_SECONDS,
    checked_store,
    clock_offset,
    find_traces,
    is_read_only,
    latest_note,
    load_all,
    load_with_stamp,
    lock_can_be_lost,
    seems_writable,
    store_time,
    together,
)
from withings_auth.store.looks import Look, look_at
from withings_auth.store.memory_store import MemoryStore

TOKEN = "token/default"


class Generous(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[str] = []

    @contextmanager
    def together(self) -> Iterator[None]:
        self.blocks.append("entered")
        yield
        self.blocks.append("left")

    def traces(self) -> list[str]:
        return [TOKEN]

    def clock_offset(self) -> float:
        return -3600.5

    def seems_writable(self) -> bool:
        return True

    def lock_can_be_lost(self) -> bool:
        return True

    def load_with_stamp(self, name: str) -> tuple[str | None, Hashable]:
        return f"text of {name}", "a stamp of its own"

    def load_all(self, names: list[str]) -> dict[str, str | StoreError]:
        return {name: f"text of {name}, asked for at once" for name in names}

    def look_at(self, names: list[str] | None) -> dict[str, Look]:
        return {name: Look(text=f"text of {name}", note=None, is_held=True) for name in names or ["token/all"]}

    def is_read_only(self) -> bool:
        return True


class Bare(MemoryStore):
    latest_note = property()  # as if it had none

    def load(self, name: str) -> str | None:
        if name == "token/broken":
            raise StoreUnavailable("the keyring is locked")
        return super().load(name)


def test_the_name_of_a_store_is_no_store() -> None:
    store = MemoryStore()
    assert checked_store(store) is store
    with pytest.raises(ConfigurationError) as refused:
        checked_store("file:/somewhere")  # type: ignore[arg-type]  # what callers do
    assert str(refused.value) == "store must be a store, not its name"
    assert refused.value.hint == 'open it: store=open_store("file:…")'


def test_what_a_store_offers_is_used() -> None:
    store = Generous()
    with together(store):
        assert store.blocks == ["entered"]
    assert store.blocks == ["entered", "left"]
    with store.lock(TOKEN, 1) as held:
        held.notes.note("text")
    assert (latest_note(store, TOKEN), latest_note(store, "token/other")) == ("text", None)
    assert find_traces(store) == [TOKEN]
    assert clock_offset(store) == -3600.5
    assert store_time(store) == pytest.approx(time.time() - 3600.5, abs=60)
    assert load_with_stamp(store, TOKEN) == (f"text of {TOKEN}", "a stamp of its own")
    assert load_all(store, iter(["token/a"])) == {"token/a": "text of token/a, asked for at once"}
    assert look_at(store) == {"token/all": Look(text="text of token/all", note=None, is_held=True)}
    assert look_at(store, [TOKEN]) == {TOKEN: Look(text=f"text of {TOKEN}", note=None, is_held=True)}
    assert (seems_writable(store), lock_can_be_lost(store), is_read_only(store)) == (True, True, True)


def test_what_it_does_not_offer_is_not_missed() -> None:
    store = Bare()
    with together(store):
        save_record(store, TOKEN, "text")
    assert (latest_note(store, TOKEN), find_traces(store), clock_offset(store)) == (None, [], 0.0)
    assert load_with_stamp(store, TOKEN) == ("text", store.stamp(TOKEN))
    assert look_at(store) is None
    assert (seems_writable(store), lock_can_be_lost(store), is_read_only(store)) == (False, False, False)


def test_a_look_does_not_show_the_secret(canaries: Canaries) -> None:
    """Statement 23: nor does its repr."""
    secret = canaries.plant("the record")
    assert secret not in repr(Look(text=secret, note=None, is_held=False))


def test_a_stamp_from_another_machine_is_a_second_old_at_most() -> None:
    """For that long a program may not notice that another one has logged in."""
    assert STAMP_AGE_SECONDS <= 1


def test_without_a_query_for_all_each_text_is_loaded() -> None:
    """What cannot be read is an error of its own, and what is not there is left out."""
    store = Bare()
    save_record(store, TOKEN, "text")
    loaded = load_all(store, [TOKEN, "token/broken", "token/none"])
    assert loaded.pop(TOKEN) == "text"
    assert [(name, str(error)) for name, error in loaded.items()] == [("token/broken", "the keyring is locked")]


def test_a_busy_name_is_another_threads() -> None:
    store = MemoryStore()
    with store.lock(TOKEN, 1), pytest.raises(LockBusy) as busy, store.lock(TOKEN, 0):
        pass
    assert str(busy.value) == "another thread has held the lock for 0 seconds"
    assert busy.value.hint == "try again"
