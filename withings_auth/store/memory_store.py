"""Secrets that end with the process, for tests and for programs that keep their tokens elsewhere."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from withings_auth.errors import LockBusy
from withings_auth.store.base import HeldName


class MemoryNotes:
    """Notes in a dictionary."""

    def __init__(self, slips: dict[str, str], name: str) -> None:
        self._slips = slips
        self._name = name

    def recall(self) -> str | None:
        """Returns the latest note, or None."""
        return self._slips.get(self._name)

    def note(self, text: str | None) -> None:
        """Replaces or removes the note."""
        if text is None:
            self._slips.pop(self._name, None)
        else:
            self._slips[self._name] = text


class _HeldText:
    """A name of the dictionary, under its lock."""

    def __init__(self, name: str, records: dict[str, str], stamps: dict[str, int], notes: MemoryNotes) -> None:
        self._name = name
        self._records = records
        self._stamps = stamps
        self.notes = notes

    def save(self, text: str) -> None:
        """Keeps the text."""
        self._records[self._name] = text
        self._stamps[self._name] += 1

    def clear(self) -> bool:
        """Forgets the text."""
        removed = self._records.pop(self._name, None)
        self._stamps[self._name] += 1  # not earlier, or somebody could remember the record with the new stamp
        return removed is not None


class MemoryStore:
    """A `SecretStore` in a dictionary.

    A forked child has a copy with free locks; neither sees what the other saves. Programs that fork and renew need a
    store that processes share.
    """

    def __init__(self) -> None:
        self._records: dict[str, str] = {}
        self._slips: dict[str, str] = {}
        self._stamps: defaultdict[str, int] = defaultdict(int)
        self._locks: defaultdict[tuple[int, str], threading.Lock] = defaultdict(threading.Lock)

    @property
    def description(self) -> str:
        """Says that nothing outlives the program."""
        return "this program's memory"

    def load(self, name: str) -> str | None:
        """Returns the text saved under the name, or None."""
        return self._records.get(name)

    def names(self) -> list[str]:
        """Returns the names that hold something."""
        return sorted(self._records)

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldName]:
        """Holds the name among the threads of this process."""
        lock = self._locks[os.getpid(), name]  # the parent's holder is not there in a forked child to release it
        if not lock.acquire(timeout=timeout):
            raise LockBusy(
                f"another thread has held the lock of this login for {timeout:.0f} seconds", hint="try again"
            )
        try:
            yield _HeldText(name, self._records, self._stamps, MemoryNotes(self._slips, name))
        finally:
            lock.release()

    def stamp(self, name: str) -> Hashable:
        """Returns a number that grows."""
        return self._stamps[name]
