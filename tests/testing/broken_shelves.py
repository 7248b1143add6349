"""Shelves that each break one promise, in a way that the author of a store might not notice.

A class names the promise in its docstring, by the name of the test that refuses it.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import ClassVar

import filelock

from tests.testing.shelf import HeldPlace, Shelf, ShelfNotes
from withings_auth.errors import LockBusy, StoreError, StoreUnavailable


class NothingWhereNobodyKnows(Shelf):
    """test_what_cannot_be_found_out_is_an_error"""

    def load(self, name: str) -> str | None:
        try:
            return super().load(name)
        except StoreError:
            return None


class Trusting(Shelf):
    """test_what_is_not_kept_is_not_saved"""

    def save(self, name: str, text: str) -> None:
        self.change(name, text)


class Talkative(Shelf):
    """test_a_failed_save_does_not_repeat_the_text"""

    def save(self, name: str, text: str) -> None:
        try:
            super().save(name, text)
        except StoreError as error:
            raise StoreUnavailable(f"cannot save {text}") from error


class Forgotten(Shelf):
    """test_nothing_is_missing"""

    stamp = property()  # asking for it raises AttributeError


class AlwaysCleared(Shelf):
    """test_an_empty_store_holds_nothing"""

    def clear(self, name: str) -> bool:
        super().clear(name)
        return True


class Cached(Shelf):
    """test_a_text_is_kept_to_the_letter"""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._book = super().book()

    def book(self) -> dict[str, tuple[int, str | None]]:
        return self._book


class Stripping(Shelf):
    """test_a_text_is_kept_to_the_letter"""

    def change(self, name: str, text: str | None) -> None:
        super().change(name, text and text.strip())

    def save(self, name: str, text: str) -> None:
        self.change(name, text)


class Overwriting(Shelf):
    """test_a_save_replaces_the_whole_text"""

    def save(self, name: str, text: str) -> None:
        super().save(name, text + (self.load(name) or "")[len(text) :])


class KeepingTheLastButOne(Shelf):
    """test_a_clear_removes_and_says_so"""

    def save(self, name: str, text: str) -> None:
        earlier = self.load(name)
        super().save(name, text)
        if earlier is not None:
            self.change(f"{name}.bak", earlier)

    def clear(self, name: str) -> bool:
        found = super().clear(name)
        if (earlier := self.load(f"{name}.bak")) is not None:
            super().save(name, earlier)
            self.change(f"{name}.bak", None)
        return found


class WithoutEnding(Shelf):
    """test_names_do_not_touch_each_other"""

    def load(self, name: str) -> str | None:
        return super().load(name.partition(".")[0])

    def change(self, name: str, text: str | None) -> None:
        super().change(name.partition(".")[0], text)


class Unsorted(Shelf):
    """test_names_do_not_touch_each_other"""

    def names(self) -> list[str]:
        return [name for name, (_, text) in self.book().items() if text is not None]


class ListingTheCleared(Shelf):
    """test_names_do_not_touch_each_other"""

    def names(self) -> list[str]:
        return sorted(self.book())


class OfOneThread(Shelf):
    """test_every_thread_can_use_it"""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._thread = threading.get_ident()

    def book(self) -> dict[str, tuple[int, str | None]]:
        if threading.get_ident() != self._thread:
            raise StoreUnavailable("objects created in a thread can only be used in that same thread")
        return super().book()


class WritingInPlace(Shelf):
    """test_nobody_reads_a_half_saved_text"""

    def write(self, text: str) -> None:
        self.path.write_text(text[:100])
        time.sleep(0.01)
        self.path.write_text(text)

    def book(self) -> dict[str, tuple[int, str | None]]:
        with suppress(StoreError):
            return super().book()
        return {}


class WritingInTwoSteps(Shelf):
    """test_a_kill_leaves_a_whole_text"""

    def change(self, name: str, text: str | None) -> None:
        super().change(name, None)
        time.sleep(0.03)
        super().change(name, text)


class StampOfTheText(Shelf):
    """test_the_stamp_changes_with_every_save_and_clear"""

    def stamp(self, name: str) -> Hashable:
        return self.load(name)


class StampOfTheObject(Shelf):
    """test_the_stamp_changes_with_every_save_and_clear"""

    changes = 0

    def change(self, name: str, text: str | None) -> None:
        super().change(name, text)
        self.changes += 1

    def stamp(self, name: str) -> Hashable:
        return name, self.changes


class StampOfThePlace(Shelf):
    """test_the_stamp_stays_while_nothing_changes"""

    def stamp(self, name: str) -> Hashable:
        return name, self.path.exists() and self.path.stat().st_mtime_ns


class WithoutStamp(Shelf):
    """test_the_stamp_stays_while_nothing_changes"""

    def stamp(self, name: str) -> Hashable:  # noqa: ARG002
        return None


class StampThatCountsSavesOnly(Shelf):
    """test_the_stamp_changes_with_every_save_and_clear"""

    def clear(self, name: str) -> bool:
        number, text = self.book().get(name, (0, None))
        found = super().clear(name)
        if text is not None:
            book = self.book() | {name: (number, None)}
            self.write(json.dumps(book))
        return found


class Boasting(Shelf):
    """test_the_description_reads_well"""

    def __repr__(self) -> str:
        return f"Shelf({self.book()})"


class Polling(Shelf):
    """test_a_wait_ends_when_the_holder_leaves"""

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldPlace]:
        try:
            with super().lock(name, 0) as held:
                yield held
                return
        except LockBusy:
            time.sleep(min(timeout, 25))
        with super().lock(name, timeout) as held:
            yield held


class Patient(Shelf):
    """test_a_busy_lock_ends_the_wait"""

    def lock(self, name: str, timeout: float) -> AbstractContextManager[HeldPlace]:
        return super().lock(name, timeout + 25)


class OfThreads(Shelf):
    """test_one_process_at_a_time_holds_a_name"""

    locks: ClassVar[defaultdict[str, threading.Lock]] = defaultdict(threading.Lock)

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldPlace]:
        if not self.locks[name].acquire(timeout=timeout):
            raise LockBusy("held by a thread")
        try:
            yield self.held(name)
        finally:
            self.locks[name].release()


class OfProcesses(Shelf):
    """test_one_thread_at_a_time_holds_a_name"""

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldPlace]:  # noqa: ARG002
        with self.beside(name).with_suffix(".lock").open("a") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            yield self.held(name)


class Reentrant(Shelf):
    """test_the_holder_cannot_enter_twice"""

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldPlace]:
        path = self.beside(name).with_suffix(".lock")
        try:
            with filelock.FileLock(path, thread_local=False, is_singleton=True).acquire(timeout=timeout):
                yield self.held(name)
        except filelock.Timeout:
            raise LockBusy("held") from None


class Eager(Shelf):
    """test_a_lock_is_held_from_its_entry_on"""

    def lock(self, name: str, timeout: float) -> AbstractContextManager[HeldPlace]:
        context = super().lock(name, timeout)
        held = context.__enter__()

        @contextmanager
        def entered() -> Iterator[HeldPlace]:
            try:
                yield held
            finally:
                context.__exit__(None, None, None)

        return entered()


class ForGoodDays(Shelf):
    """test_a_failure_releases_the_lock"""

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldPlace]:
        path = self.beside(name).with_suffix(".lock")
        lock = filelock.FileLock(path, timeout=timeout, thread_local=False)
        HELD.append(lock)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise LockBusy("held") from None
        yield self.held(name)
        lock.release()


HELD: list[filelock.BaseFileLock] = []


class OneLockForAll(Shelf):
    """test_two_names_do_not_wait_for_each_other"""

    def lock(self, name: str, timeout: float) -> AbstractContextManager[HeldPlace]:  # noqa: ARG002
        return super().lock("all", timeout)


class LockedReading(Shelf):
    """test_a_reader_waits_for_nobody"""

    def load(self, name: str) -> str | None:
        with self.lock(name, 1):
            return super().load(name)


class NotesInMemory(Shelf):
    """test_notes_outlive_their_holder"""

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldPlace]:
        with super().lock(name, timeout) as held:
            held.notes.note(None)
            yield held


class OneSlipForAll(Shelf):
    """test_notes_are_not_records"""

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldPlace]:
        with super().lock(name, timeout):
            yield HeldPlace(self, name, ShelfNotes(self.path.with_suffix(".note")))


class NotesThatGoWithTheRecord(Shelf):
    """test_notes_are_not_records"""

    def clear(self, name: str) -> bool:
        self.beside(name).with_suffix(".note").unlink(missing_ok=True)
        return super().clear(name)


class Remembering(Shelf):
    """test_another_process_sees_every_change"""

    texts: ClassVar[dict[str, str]] = {}

    def save(self, name: str, text: str) -> None:
        self.change(name, text)

    def load(self, name: str) -> str | None:
        if name not in self.texts and (text := super().load(name)) is not None:
            self.texts[name] = text
        return self.texts.get(name)

    def clear(self, name: str) -> bool:
        self.texts.pop(name, None)
        return super().clear(name)


class LockThatStays(Shelf):
    """test_a_killed_holder_leaves_a_free_lock"""

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldPlace]:
        path = self.beside(name).with_suffix(".lock")
        until = time.monotonic() + timeout
        while True:
            try:
                os.close(os.open(path, os.O_CREAT | os.O_EXCL))
                break
            except FileExistsError:
                if time.monotonic() > until:
                    raise LockBusy("held") from None
                time.sleep(0.01)
        try:
            yield self.held(name)
        finally:
            path.unlink()


class Flock(Shelf):
    """test_a_child_does_not_keep_the_lock"""

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldPlace]:
        path = self.beside(name).with_suffix(".lock")
        until = time.monotonic() + timeout
        with path.open("a") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise LockBusy("held") from None
                    time.sleep(0.01)
            try:
                yield self.held(name)
            finally:
                self.let_go(file.fileno())

    def let_go(self, descriptor: int) -> None:
        """Closing is enough; the other descriptors of it live on in children."""


class FlockThatUnlocks(Flock):
    """test_a_forked_child_does_not_hold_the_lock"""

    def let_go(self, descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


class LockedByThreadsThatAreGone(OfThreads):
    """test_a_child_waits_for_no_thread"""

    asking = threading.Lock()

    def change(self, name: str, text: str | None) -> None:
        with self.asking:
            super().change(name, text)
            time.sleep(0.02)

    def load(self, name: str) -> str | None:
        if not self.asking.acquire(timeout=2):
            raise StoreUnavailable("the database is locked")
        self.asking.release()
        return super().load(name)


class LosingUpdates(Shelf):
    """test_many_processes_lose_no_save"""

    def change(self, name: str, text: str | None) -> None:
        book = self.book()
        book[name] = (book.get(name, (0, None))[0] + 1, text)
        time.sleep(0.05)
        self.write(json.dumps(book))

    def save(self, name: str, text: str) -> None:
        self.change(name, text)
