"""What a store may offer beyond its promises is used if it is there, and not missed otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.stores import save_record
from withings_auth.errors import ConfigurationError, LockBusy
from withings_auth.store.base import checked_store, find_traces, latest_note, together
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


class Bare(MemoryStore):
    latest_note = property()  # as if it had none


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


def test_what_it_does_not_offer_is_not_missed() -> None:
    store = Bare()
    with together(store):
        save_record(store, TOKEN, "text")
    assert (latest_note(store, TOKEN), find_traces(store)) == (None, [])


def test_a_busy_name_is_another_threads() -> None:
    store = MemoryStore()
    with store.lock(TOKEN, 1), pytest.raises(LockBusy) as busy, store.lock(TOKEN, 0):
        pass
    assert str(busy.value) == "another thread has held the lock for 0 seconds"
    assert busy.value.hint == "try again"
