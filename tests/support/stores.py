"""How tests change a store, and stores that fail in one way each: trouble that no real disk or keyring has to order."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager

from withings_auth.errors import LockBusy, StoreError, StoreUnavailable
from withings_auth.store.base import HeldName, Notes, SecretStore, clock_offset, latest_note, lock_can_be_lost
from withings_auth.store.file_store import FileStore
from withings_auth.store.files import replace_file
from withings_auth.store.memory_store import MemoryStore

LOCK_PATIENCE_SECONDS = 20.0


def save_record(store: SecretStore, name: str, text: str) -> None:
    """Saves the text under the name's lock."""
    with store.lock(name, LOCK_PATIENCE_SECONDS) as held:
        held.save(text)


def clear_record(store: SecretStore, name: str) -> bool:
    """Clears the name under its lock."""
    with store.lock(name, LOCK_PATIENCE_SECONDS) as held:
        return held.clear()


def save_record_without_lock(store: SecretStore, name: str, text: str) -> None:
    """Saves as a program does that knows no lock, even while somebody holds it."""
    match store:
        case FileStore():
            replace_file(store.directory / f"{name}.json", text)
        case MemoryStore():
            store._records[name] = text
            store._stamps[name] += 1
        case _:
            raise TypeError(store)


class Wrapped:
    """A store that passes everything on to another one; `save`, `clear` and `notes` stand behind each held name."""

    def __init__(self, inner: SecretStore) -> None:
        self.inner = inner

    @property
    def description(self) -> str:
        return self.inner.description

    def load(self, name: str) -> str | None:
        return self.inner.load(name)

    def names(self) -> list[str]:
        return self.inner.names()

    def lock(self, name: str, timeout: float) -> AbstractContextManager[HeldName]:
        return self._lock(name, timeout)

    @contextmanager
    def _lock(self, name: str, timeout: float) -> Iterator[HeldName]:
        with self.inner.lock(name, timeout) as held:
            yield _WrappedName(self, name, held)

    def stamp(self, name: str) -> Hashable:
        return self.inner.stamp(name)

    def latest_note(self, name: str) -> str | None:
        return latest_note(self.inner, name)

    def clock_offset(self) -> float:
        return clock_offset(self.inner)

    def lock_can_be_lost(self) -> bool:
        return lock_can_be_lost(self.inner)

    def save(self, held: HeldName, name: str, text: str) -> None:  # noqa: ARG002  some subclasses need the name
        held.save(text)

    def clear(self, held: HeldName, name: str) -> bool:  # noqa: ARG002  some subclasses need the name
        return held.clear()

    def notes(self, held: HeldName) -> Notes:
        return held.notes


class _WrappedName:
    def __init__(self, store: Wrapped, name: str, held: HeldName) -> None:
        self._store = store
        self._name = name
        self._held = held

    @property
    def notes(self) -> Notes:
        return self._store.notes(self._held)

    def save(self, text: str) -> None:
        self._store.save(self._held, self._name, text)

    def clear(self) -> bool:
        return self._store.clear(self._held, self._name)


class Busy(Wrapped):
    """Somebody holds the lock and never lets go."""

    def lock(self, name: str, timeout: float) -> AbstractContextManager[HeldName]:
        raise LockBusy(f"{name} is held for {timeout} seconds and more", hint="wait")


class Unlockable(Wrapped):
    """There can be no lock."""

    def lock(self, name: str, timeout: float) -> AbstractContextManager[HeldName]:
        raise StoreUnavailable(f"{name} cannot be locked, in {timeout} seconds or ever")


class Unnotable(Wrapped):
    """The disk has room for a lock, and for so many notes."""

    def __init__(self, inner: SecretStore, *, after: int = 0) -> None:
        super().__init__(inner)
        self.room = after

    def notes(self, held: HeldName) -> Notes:
        return _FullNotes(held.notes, self)


class _FullNotes:
    def __init__(self, notes: Notes, disk: Unnotable) -> None:
        self._notes = notes
        self._disk = disk

    def recall(self) -> str | None:
        return self._notes.recall()

    def note(self, text: str | None) -> None:
        if self._disk.room:
            self._disk.room -= 1
            self._notes.note(text)
            return
        raise StoreUnavailable(f"no space left on device for {len(text or '')} characters")


class Unsavable(Wrapped):
    """A save always fails."""

    def __init__(self, inner: SecretStore, error: StoreError) -> None:
        super().__init__(inner)
        self._error = error

    def save(self, held: HeldName, name: str, text: str) -> None:  # noqa: ARG002  it fails whatever it is given
        raise self._error
