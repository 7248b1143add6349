"""One holder at a time, among threads and processes, and a slip of notes for the holder.

The lock file is never removed: whoever waited on a removed file would hold another lock than the next comer.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from withings_auth.errors import RenewalBusy, StoreUnavailable
from withings_auth.outside import printable
from withings_auth.store.base import Notes

PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600


class FileNotes:
    """Notes in a small file of their own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def recall(self) -> str | None:
        """Returns what was noted last; what cannot be read counts as nothing noted."""
        try:
            return self._path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def note(self, text: str | None) -> None:
        """Replaces the notes in one step, so that a crash leaves the old ones or the new ones."""
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
        # Imported here: a valid token is handed out without ever taking the lock.
        import filelock

        # A new instance for each acquisition, since one that is shared lets several threads in; no soft lock where
        # the file system refuses flock, since a soft lock stays behind when its holder is killed.
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
            self._lock.acquire()
        except filelock.Timeout:
            raise RenewalBusy(
                f"another program has held the lock of this login for {timeout:.0f} seconds",
                hint=f"try again; if it stays, find the program that holds {printable(str(path))}",
            ) from None
        except OSError as error:
            raise unusable(path, error) from error

    def release(self) -> None:
        """Lets the next one in."""
        self._lock.release()


@contextmanager
def file_lock(path: Path, timeout: float) -> Iterator[Notes]:
    """Holds `path` locked and yields the notes beside it.

    Raises `RenewalBusy` after `timeout` seconds and `StoreUnavailable` where the file cannot be locked at all.
    """
    lock = FileLock(path, timeout)
    try:
        yield FileNotes(path.with_suffix(".attempt"))
    finally:
        lock.release()


def replace_file(path: Path, text: str, *, modified_ns: int | None = None) -> None:
    """Replaces a file in one step by one that only its owner may read, synced to the disk. Raises OSError.

    `modified_ns` is the modification time to give it, in nanoseconds.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), PRIVATE_FILE
        )
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if modified_ns is not None:
            os.utime(temporary, ns=(modified_ns, modified_ns))
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def make_private_directory(path: Path) -> None:
    """Makes the directory and every missing one above it, each for its owner alone. Raises OSError."""
    if not path.is_dir():
        make_private_directory(path.parent)
        path.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)


def sync_directory(path: Path) -> None:
    """Makes a rename or a removal in the directory durable, on the systems that know of it. Raises OSError."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unusable(path: Path, error: OSError) -> StoreUnavailable:
    """Returns the error for a file or directory of the store that the system would not let us use."""
    return StoreUnavailable(
        f"cannot use {printable(str(path))}: {error.strerror or type(error).__name__}",
        hint="the directory must be writable, on a disk with room that knows file locks",
    )
