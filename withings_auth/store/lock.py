"""File locks for one holder at a time among threads and processes, with notes for the holder.

The lock file is never removed: a program waiting for a removed file would hold another lock than the next one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from withings_auth.errors import LockBusy
from withings_auth.store.base import Notes
from withings_auth.store.files import PRIVATE_FILE, make_private_directory, replace_file, unusable
from withings_auth.validation import printable

logger = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 0.01  # filelock's own 0.05 is often longer than what the caller waits for


class FileNotes:
    """Notes in a small file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def recall(self) -> str | None:
        """Returns the latest note, or None if there is none that can be read."""
        try:
            return self._path.read_bytes().decode("utf-8")  # read_text would change line ends
        except (OSError, UnicodeDecodeError):
            return None

    def note(self, text: str | None) -> None:
        """Replaces the note in one step, so that a crash leaves the old one or the new one."""
        try:
            if text is None:
                self._path.unlink(missing_ok=True)
            else:
                replace_file(self._path, text)
        except OSError as error:
            raise unusable(self._path, error) from error


class FileLock:
    """An advisory lock on a file, held by this object until `release`, which any thread may call."""

    def __init__(self, path: Path, timeout: float) -> None:
        # Imported here: a valid token is returned without taking the lock.
        import filelock

        # A new instance for each acquisition, since a shared one lets several threads in; no soft lock if the file
        # system refuses flock, since a soft lock stays behind when its holder is killed.
        self._lock = filelock.FileLock(
            path,
            timeout=timeout,
            mode=PRIVATE_FILE,
            thread_local=False,
            fallback_to_soft=False,
            preserve_lock_file=True,
        )
        try:
            make_private_directory(path.parent)
            self._lock.acquire(poll_interval=LOOK_AGAIN_SECONDS)
        except filelock.Timeout:
            logger.debug("not had within %g s: %s", timeout, printable(str(path)))
            raise LockBusy(
                f"another program has held the lock of this login for {timeout:.0f} seconds",
                hint=f"try again; if it stays, find the program that holds {printable(str(path))}",
            ) from None
        except OSError as error:
            raise unusable(path, error) from error
        logger.debug("held: %s", printable(str(path)))

    def release(self) -> None:
        """Lets the next one in."""
        self._lock.release()


@contextmanager
def file_lock(path: Path, timeout: float) -> Iterator[Notes]:
    """Holds `path` locked and yields the notes beside it.

    Raises `LockBusy` after `timeout` seconds and `StoreUnavailable` if the file cannot be locked.
    """
    lock = FileLock(path, timeout)
    try:
        yield FileNotes(path.with_suffix(".attempt"))
    finally:
        lock.release()
