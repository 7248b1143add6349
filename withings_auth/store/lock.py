"""File locks for one holder at a time among threads and processes, with notes for the holder.

The lock file is never removed: a program waiting for a removed file would hold another lock than the next one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from withings_auth.errors import LockBusy
from withings_auth.store.files import (
    NOTES,
    PRIVATE_FILE,
    make_private_directory,
    read_note,
    remove_leftovers,
    replace_file,
    unusable,
)
from withings_auth.store.safety import LOCK, refuse_unsafe
from withings_auth.validation import printable

if TYPE_CHECKING:
    from filelock import BaseFileLock

logger = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 0.01  # filelock's own 0.05 is often longer than what the caller waits for


@dataclass(frozen=True, slots=True)
class FileNotes:
    """Notes in a small file."""

    path: Path

    def recall(self) -> str | None:
        return read_note(self.path)

    def note(self, text: str | None) -> None:
        try:
            if text is None:
                remove_leftovers(self.path)
                self.path.unlink(missing_ok=True)
            else:
                replace_file(self.path, text)
        except OSError as error:
            raise unusable(self.path, error) from error


@contextmanager
def file_lock(
    path: Path, timeout: float, *, finish: Callable[[Callable[[], None]], None] = lambda release: release()
) -> Iterator[FileNotes]:
    """Holds an advisory lock on the file and yields the notes beside it.

    `finish` gets the function that releases the lock, which any thread may call and which never fails. Raises
    `LockBusy` after `timeout` seconds and `StoreUnavailable` if the file cannot be locked, or is not this user's own.
    """
    import filelock  # here, because a valid token is returned without the lock

    # A new instance for each acquisition, since a shared one lets several threads in; no soft lock if the file system
    # refuses flock, since a soft lock stays behind when its holder is killed.
    descriptors: list[int] = []
    lock = filelock.FileLock(
        path,
        timeout=timeout,
        mode=PRIVATE_FILE,
        thread_local=False,
        fallback_to_soft=False,
        preserve_lock_file=True,
        on_acquired=descriptors.append,
    )
    try:
        make_private_directory(path.parent)
        with suppress(FileNotFoundError):
            refuse_unsafe(path, path.lstat(), LOCK, hint="remove it while no program is using withings-auth")
        lock.acquire(poll_interval=LOOK_AGAIN_SECONDS)
    except filelock.Timeout:
        logger.debug("not locked within %g s: %s", timeout, printable(str(path)))
        raise LockBusy(
            f"another program has held the lock for {timeout:.0f} seconds",
            hint=f"try again; if this persists, find the program that holds {printable(str(path))}",
        ) from None
    except OSError as error:
        raise unusable(path, error) from error
    logger.debug("locked: %s", printable(str(path)))
    try:
        yield FileNotes(path.with_suffix(NOTES))
    finally:
        finish(lambda: _release(lock, descriptors[0]))


def _release(lock: BaseFileLock, descriptor: int) -> None:
    """Frees the lock even if the system refuses to unlock the file, as on a share that has gone away.

    What was done under the lock is done, so nothing is raised.
    """
    try:
        lock.release()
    except OSError as error:
        logger.debug("freed by closing, because unlocking failed: %s", printable(str(error)))
        with suppress(OSError):
            # Another file takes the descriptor's place, which closes the locked one. Closing it here would leave
            # filelock with a number that it closes later, when it may be anybody's.
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, descriptor, inheritable=False)
            os.close(nothing)
            lock.release()
