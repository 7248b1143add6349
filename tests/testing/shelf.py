"""A store that somebody else might write: one JSON file for everything, and the locks of `filelock`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from withings_auth.errors import LockBusy, StoreNotDurable, StoreUnavailable

Book = dict[str, tuple[int, str | None]]


class ShelfNotes:
    """Notes in a file of their own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def recall(self) -> str | None:
        return self._path.read_bytes().decode() if self._path.exists() else None

    def note(self, text: str | None) -> None:
        if text is None:
            self._path.unlink(missing_ok=True)
        else:
            self._path.write_bytes(text.encode())


class HeldPlace:
    """A name of the shelf, under its lock."""

    def __init__(self, shelf: Shelf, name: str) -> None:
        self._shelf = shelf
        self._name = name
        self.notes = ShelfNotes(shelf.beside(name, "note"))

    def save(self, text: str) -> None:
        self._shelf.save(self._name, text)

    def clear(self) -> bool:
        return self._shelf.clear(self._name)


class Shelf:
    """Each name has a number, which grows with every change, and a text, or None once it was cleared."""

    def __init__(self, path: Path, *, replace: Callable[[Path, Path], None] = os.replace) -> None:
        self.path = path
        self._replace = replace

    @property
    def description(self) -> str:
        return f"the file {self.path.name}"

    def load(self, name: str) -> str | None:
        return self.book().get(name, (0, None))[1]

    def names(self) -> list[str]:
        return sorted(name for name, (_, text) in self.book().items() if text is not None)

    def stamp(self, name: str) -> Hashable:
        return self.book().get(name, (0, None))[0]

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldPlace]:
        release = self.acquire(name, timeout)
        try:
            yield self.held(name)
        finally:
            release()

    def acquire(self, name: str, timeout: float) -> Callable[[], None]:
        """Locks a file beside the shelf; returns what releases it."""
        lock = filelock.FileLock(self.beside(name, "lock"), timeout=timeout, thread_local=False)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise LockBusy(f"{name} is held by another program", hint="try again") from None
        return lock.release

    def held(self, name: str) -> HeldPlace:
        """Returns what the holder of the name gets."""
        return HeldPlace(self, name)

    def save(self, name: str, text: str) -> None:
        """Replaces the text, and reads it back."""
        self.change(name, text)
        if self.load(name) != text:
            raise StoreNotDurable(f"{self.description} does not hold what was written", hint="check the disk")

    def clear(self, name: str) -> bool:
        if self.load(name) is None:
            return False
        self.change(name, None)
        return True

    def book(self) -> Book:
        """Reads the whole file."""
        try:
            return dict(json.loads(self.path.read_text("utf-8"))) if self.path.exists() else {}
        except (OSError, ValueError) as error:
            raise StoreUnavailable(f"{self.description} cannot be read: {type(error).__name__}", hint="") from None

    def change(self, name: str, text: str | None) -> None:
        """Replaces one entry and keeps all others."""
        with filelock.FileLock(self.path.with_suffix(".writing"), timeout=20, thread_local=False):
            book = self.book()
            book[name] = (book.get(name, (0, None))[0] + 1, text)
            self.write(json.dumps(book))

    def write(self, text: str) -> None:
        """Replaces the file in one step."""
        written = self.path.with_suffix(".new")
        written.write_text(text, "utf-8")
        self._replace(written, self.path)

    def beside(self, name: str, suffix: str) -> Path:
        """Returns the path of a file that belongs to the name."""
        return self.path.with_name(f"{name.replace('/', '+')}.{suffix}")
