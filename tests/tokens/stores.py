"""Stores that fail in one way each, around a real one: trouble that no test can order from a real disk or keyring."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager

from withings_auth.errors import LockBusy, StoreError, StoreUnavailable
from withings_auth.store.base import Notes, SecretStore


class Wrapped:
    """A store that passes everything on to another one."""

    def __init__(self, inner: SecretStore) -> None:
        self.inner = inner

    @property
    def description(self) -> str:
        return self.inner.description

    def load(self, name: str) -> str | None:
        return self.inner.load(name)

    def save(self, name: str, text: str) -> None:
        self.inner.save(name, text)

    def clear(self, name: str) -> bool:
        return self.inner.clear(name)

    def names(self) -> list[str]:
        return self.inner.names()

    def lock(self, name: str, timeout: float) -> AbstractContextManager[Notes]:
        return self.inner.lock(name, timeout)

    def stamp(self, name: str) -> Hashable:
        return self.inner.stamp(name)


class Busy(Wrapped):
    """Somebody holds the lock and never lets go."""

    def lock(self, name: str, timeout: float) -> AbstractContextManager[Notes]:
        raise LockBusy(f"{name} is held for {timeout} seconds and more", hint="wait")


class Unlockable(Wrapped):
    """There can be no lock."""

    def lock(self, name: str, timeout: float) -> AbstractContextManager[Notes]:
        raise StoreUnavailable(f"{name} cannot be locked, in {timeout} seconds or ever")


class Unnotable(Wrapped):
    """The disk has room for a lock, and none for notes."""

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[Notes]:
        with self.inner.lock(name, timeout) as notes:
            yield _FullNotes(notes)


class _FullNotes:
    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def recall(self) -> str | None:
        return self._notes.recall()

    def note(self, text: str | None) -> None:
        raise StoreUnavailable(f"no space left on device for {len(text or '')} characters")


class Unsavable(Wrapped):
    """A save always fails."""

    def __init__(self, inner: SecretStore, error: StoreError) -> None:
        super().__init__(inner)
        self._error = error

    def save(self, name: str, text: str) -> None:  # noqa: ARG002  it fails whatever it is given
        raise self._error
