"""File locks for one holder at a time among threads and processes, with notes for the holder.

The lock file is never removed: a program waiting for a removed file would hold another lock than the next one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from withings_auth.errors import LockBusy
from withings_auth.logs import Logger
from withings_auth.store.files import (
    NOTES,
    make_private_directory,
    read_note,
    remove_leftovers,
    replace_file,
    unusable,
)
from withings_auth.store.safety import LOCK, refuse_unsafe
from withings_auth.validation import printable

if sys.platform == "win32":
    from withings_auth.store.lock_on_windows import Taken, acquire
else:
    from withings_auth.store.flock import Taken, acquire

logger = Logger(__name__)


class FileNotes:
    """Notes in a small file."""

    def __init__(self, path: Path) -> None:
        self.path = path

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
    try:
        make_private_directory(path.parent)
        with suppress(FileNotFoundError):
            refuse_unsafe(path, path.lstat(), LOCK, hint="remove it while no program is using withings-auth")
        release = acquire(path, timeout)
    except Taken:
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
        finish(release)
