"""A sealed store can do what the store with its records can do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.sealing import Machine, SealableMemory, sealed_files, sealed_memory
from tests.support.stores import save_record, save_record_without_lock
from withings_auth.errors import StoreCorrupt, StoreError, StoreUnavailable
from withings_auth.store import base
from withings_auth.store.base import (
    clock_offset,
    find_traces,
    is_read_only,
    latest_note,
    load_all,
    load_with_stamp,
    lock_can_be_lost,
    seems_writable,
    together,
)
from withings_auth.store.looks import Look, look_at
from withings_auth.store.rekeying import add_new_key
from withings_auth.store.sealed_store import SealedStore

TOKEN, OTHER = "token/default", "token/other"
SECRET = "the text"


def test_what_the_other_store_can_do_it_can_do_too(tmp_path: Path) -> None:
    """Notes are not sealed, since they contain no secret."""
    store = sealed_memory()
    save_record(store, TOKEN, SECRET)
    files = sealed_files(tmp_path)
    with files.lock(TOKEN, 1) as held:
        held.notes.note("a note")
        assert held.notes.recall() == "a note"
    assert latest_note(files, TOKEN) == latest_note(files.inner, TOKEN) == "a note"
    assert find_traces(files) == [TOKEN]
    assert find_traces(store) == []
    assert not seems_writable(store)
    save_record(store, OTHER, "of the other")
    save_record_without_lock(store.inner, "token/spoiled", "spoiled")
    loaded = load_all(store, [TOKEN, OTHER, "token/spoiled", "token/nobody"])
    assert isinstance(loaded.pop("token/spoiled"), StoreCorrupt)
    assert loaded == {TOKEN: SECRET, OTHER: "of the other"}
    assert (clock_offset(store), lock_can_be_lost(store)) == (0, False)
    assert load_with_stamp(store, TOKEN) == (SECRET, store.inner.stamp(TOKEN))
    assert (look_at(store), is_read_only(store)) == (None, False)
    with together(store):
        assert store.load(TOKEN) == SECRET
    assert store.stamp(TOKEN) == store.inner.stamp(TOKEN)
    assert store.description == "this program's memory (sealed)"


class Capable(SealableMemory):
    """Can do all that a store may be able to do."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = 0
        self.unreadable = StoreUnavailable("this one cannot be read")

    def clock_offset(self) -> float:
        return 5.0

    def lock_can_be_lost(self) -> bool:
        return True

    def is_read_only(self) -> bool:
        return True

    def seems_writable(self) -> bool:
        return True

    @contextmanager
    def together(self) -> Iterator[None]:
        self.shared += 1
        yield

    def load_all(self, names: list[str]) -> dict[str, str | StoreError]:
        return {name: self.load(name) or self.unreadable for name in names}

    def look_at(self, names: list[str] | None) -> dict[str, Look]:
        found = self.load_all([TOKEN, OTHER] if names is None else names)
        return {name: Look(text=text, note="a note", is_held=True) for name, text in found.items()}


def test_what_only_some_stores_can_do() -> None:
    inner = Capable()
    store = Machine(inner)
    key = add_new_key(store)
    inner.set_sealing_key(key.id)
    save_record(store, TOKEN, SECRET)
    assert (clock_offset(store), lock_can_be_lost(store), is_read_only(store)) == (5.0, True, True)
    assert seems_writable(store)
    with together(store):
        assert inner.shared == 1
    assert load_all(store, [TOKEN, OTHER]) == {TOKEN: SECRET, OTHER: inner.unreadable}
    good, bad = (Look(text=text, note="a note", is_held=True) for text in (SECRET, inner.unreadable))
    assert look_at(store, [TOKEN]) == {TOKEN: good}
    assert look_at(store) == {TOKEN: good, OTHER: bad}
    save_record_without_lock(store.inner, TOKEN, "spoiled")
    spoiled = (look_at(store, [TOKEN]) or {})[TOKEN].text
    assert isinstance(spoiled, StoreCorrupt)
    assert TOKEN in str(spoiled)
    without = Machine(inner)
    for use in (lambda: without.load_all([]), lambda: without.look_at([])):
        with pytest.raises(StoreCorrupt, match=f"the key {key.id} is needed"):
            use()


def test_it_asks_the_other_store_whatever_a_store_may_be_asked() -> None:
    """What it lacked, every sealed store would be without."""
    asked = set(re.findall(r"""getattr\(store, "(\w+)\"""", Path(base.__file__).read_text(encoding="utf-8")))
    assert {"latest_note", "clock_offset", "load_all"} < asked <= set(dir(SealedStore))
