"""Shelves that each break one promise about locks, notes or other processes; the table at the end says which."""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, ClassVar

import filelock

from tests.testing.shelf import HeldPlace, Shelf, ShelfNotes
from withings_auth.errors import LockBusy, StoreUnavailable


def retry(attempt: Callable[[], None], timeout: float) -> None:
    """Attempts until no other holder is in the way."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return attempt()
        except (FileExistsError, BlockingIOError):
            if time.monotonic() > deadline:
                raise LockBusy("held") from None
            time.sleep(0.01)


class SleepsWhenBusy(Shelf):
    def acquire(self, name: str, timeout: float) -> Callable[[], None]:
        with suppress(LockBusy):
            return super().acquire(name, 0)
        time.sleep(min(timeout, 25))
        return super().acquire(name, timeout)


class WaitsTooLong(Shelf):
    def acquire(self, name: str, timeout: float) -> Callable[[], None]:
        return super().acquire(name, timeout + 25)


class LocksThreadsOnly(Shelf):
    locks: ClassVar[defaultdict[str, threading.Lock]] = defaultdict(threading.Lock)

    def acquire(self, name: str, timeout: float) -> Callable[[], None]:
        if not self.locks[name].acquire(timeout=timeout):
            raise LockBusy("held by a thread")
        return self.locks[name].release


class LocksProcessesOnly(Shelf):
    def acquire(self, name: str, timeout: float) -> Callable[[], None]:  # noqa: ARG002
        file = self.beside(name, "lock").open("a")
        fcntl.lockf(file, fcntl.LOCK_EX)
        return file.close


class Reentrant(Shelf):
    def acquire(self, name: str, timeout: float) -> Callable[[], None]:
        lock = filelock.FileLock(self.beside(name, "lock"), thread_local=False, is_singleton=True)
        try:
            lock.acquire(timeout=timeout)
        except filelock.Timeout:
            raise LockBusy("held") from None
        return lock.release


class LockedWithoutEntering(Shelf):
    def lock(  # type: ignore[override]  # the type of Shelf.lock is private
        self, name: str, timeout: float
    ) -> AbstractContextManager[HeldPlace]:
        release = self.acquire(name, timeout)

        @contextmanager
        def entered() -> Iterator[HeldPlace]:
            yield self.held(name)
            release()

        return entered()


class NotReleasedOnErrors(Shelf):
    never_released: ClassVar[list[Callable[[], None]]] = []

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldPlace]:
        release = self.acquire(name, timeout)
        self.never_released.append(release)  # else the lock would be collected, and released
        yield self.held(name)
        release()


class OneLockForAll(Shelf):
    def acquire(self, name: str, timeout: float) -> Callable[[], None]:  # noqa: ARG002
        return super().acquire("all", timeout)


class LoadsUnderTheLock(Shelf):
    def load(self, name: str) -> str | None:
        with self.lock(name, 1):
            return super().load(name)


class NotesEndWithTheirHolder(Shelf):
    def held(self, name: str) -> HeldPlace:
        held = super().held(name)
        held.notes.note(None)
        return held


class OneNoteForAll(Shelf):
    def held(self, name: str) -> HeldPlace:
        held = super().held(name)
        held.notes = ShelfNotes(self.path.with_suffix(".note"))
        return held


class NoteClearedWithTheText(Shelf):
    def clear(self, name: str) -> bool:
        self.held(name).notes.note(None)
        return super().clear(name)


class RemembersTexts(Shelf):
    texts: ClassVar[dict[str, str]] = {}

    def load(self, name: str) -> str | None:
        if name not in self.texts and (text := super().load(name)) is not None:
            self.texts[name] = text
        return self.texts.get(name)

    def clear(self, name: str) -> bool:
        self.texts.pop(name, None)
        return super().clear(name)


class LockFileThatStays(Shelf):
    def acquire(self, name: str, timeout: float) -> Callable[[], None]:
        path = self.beside(name, "lock")
        retry(lambda: os.close(os.open(path, os.O_CREAT | os.O_EXCL)), timeout)
        return path.unlink


class FlockOfTheFamily(Shelf):
    def acquire(self, name: str, timeout: float) -> Callable[[], None]:
        file = self.beside(name, "lock").open("a")
        retry(lambda: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB), timeout)
        return lambda: self.release(file)

    def release(self, file: IO[str]) -> None:
        file.close()  # a child has it open as well


class FlockThatAChildUnlocks(FlockOfTheFamily):
    def release(self, file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)


class HeldByThreadsThatAreGone(LocksThreadsOnly):
    writing = threading.Lock()

    def change(self, name: str, text: str | None) -> None:
        with self.writing:
            super().change(name, text)
            time.sleep(0.02)

    def load(self, name: str) -> str | None:
        if not self.writing.acquire(timeout=2):
            raise StoreUnavailable("the database is locked")
        self.writing.release()
        return super().load(name)


class AbortsAtTheEndOfAChild(Shelf):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        os.register_at_fork(after_in_child=lambda: atexit.register(os._exit, 1))


class LosesUpdates(Shelf):
    def change(self, name: str, text: str | None) -> None:
        book = self.book()
        book[name] = (book.get(name, (0, None))[0] + 1, text)
        time.sleep(0.05)
        self.write(json.dumps(book))


FOUND_BY: dict[str, list[type[Shelf]]] = {
    "test_one_thread_at_a_time_holds_a_name": [LocksProcessesOnly],
    "test_a_busy_lock_ends_the_wait": [WaitsTooLong, LockedWithoutEntering],
    "test_the_holder_cannot_enter_twice": [Reentrant],
    "test_a_failure_releases_the_lock": [NotReleasedOnErrors],
    "test_two_names_do_not_wait_for_each_other": [OneLockForAll],
    "test_a_reader_waits_for_nobody": [LoadsUnderTheLock],
    "test_notes_outlive_their_holder": [NotesEndWithTheirHolder],
    "test_notes_are_not_records": [OneNoteForAll, NoteClearedWithTheText],
    "test_another_process_sees_every_change": [RemembersTexts],
    "test_one_process_at_a_time_holds_a_name": [LocksThreadsOnly],
    "test_a_wait_ends_when_the_holder_leaves": [SleepsWhenBusy],
    "test_a_killed_holder_leaves_a_free_lock": [LockFileThatStays],
    "test_a_forked_child_does_not_hold_the_lock": [FlockThatAChildUnlocks],
    "test_a_child_does_not_keep_the_lock": [FlockOfTheFamily],
    "test_a_child_waits_for_no_thread": [HeldByThreadsThatAreGone, AbortsAtTheEndOfAChild],
    "test_many_processes_lose_no_save": [LosesUpdates],
}
