"""Secrets that end with the process, for tests and for programs that keep their tokens elsewhere."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from withings_auth.errors import LockBusy
from withings_auth.store.base import HeldName


@dataclass
class MemoryNotes:
    """Notes in a dictionary."""

    notes: dict[str, str]
    name: str

    def recall(self) -> str | None:
        return self.notes.get(self.name)

    def note(self, text: str | None) -> None:
        if text is None:
            self.notes.pop(self.name, None)
        else:
            self.notes[self.name] = text


@dataclass(frozen=True, slots=True)
class _HeldText:
    """A name of the dictionary, under its lock."""

    name: str
    records: dict[str, str]
    stamps: dict[str, int]
    notes: MemoryNotes

    def save(self, text: str) -> None:
        self.records[self.name] = text
        self.stamps[self.name] += 1

    def clear(self) -> bool:
        removed = self.records.pop(self.name, None)
        self.stamps[self.name] += 1  # not earlier, or somebody could remember the record with the new stamp
        return removed is not None


class MemoryStore:
    """A `SecretStore` in a dictionary.

    A forked child has a copy with free locks; neither sees what the other saves. Programs that fork and renew need a
    store that processes share.
    """

    def __init__(self) -> None:
        self._records: dict[str, str] = {}
        self._notes: dict[str, str] = {}
        self._stamps: defaultdict[str, int] = defaultdict(int)
        self._locks: defaultdict[tuple[int, str], threading.Lock] = defaultdict(threading.Lock)

    @property
    def description(self) -> str:
        return "this program's memory"

    def load(self, name: str) -> str | None:
        return self._records.get(name)

    def names(self) -> list[str]:
        return sorted(self._records)

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldName]:
        """Holds the name among the threads of this process."""
        lock = self._locks[os.getpid(), name]  # a forked child lacks the thread that would release its parent's
        if not lock.acquire(timeout=timeout):
            raise LockBusy(f"another thread has held the lock for {timeout:.0f} seconds", hint="try again")
        try:
            yield _HeldText(name, self._records, self._stamps, MemoryNotes(self._notes, name))
        finally:
            lock.release()

    def latest_note(self, name: str) -> str | None:
        """Returns what the lock's holder, or a former one, has noted."""
        return self._notes.get(name)

    def stamp(self, name: str) -> Hashable:
        return self._stamps[name]
