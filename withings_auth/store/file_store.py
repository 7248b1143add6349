"""Secrets in files that only their owner may read, for machines without a keyring and only when asked for by name.

`DIRECTORY/<name>.json` holds the record and nothing else. A symbolic link, a foreign owner or a mode that lets
others in is refused: somebody else could be reading, or could have put the file there.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from withings_auth.errors import StoreCorrupt, StoreNotDurable, StoreUnavailable
from withings_auth.outside import printable
from withings_auth.store.base import Notes
from withings_auth.store.lock import file_lock, make_private_directory, replace_file, sync_directory, unusable

LARGEST_RECORD_BYTES = 64 * 1024


class FileStore:
    """A `SecretStore` in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def description(self) -> str:
        """The directory, as “files in …”."""
        return f"files in {printable(str(self._directory))}"

    def load(self, name: str) -> str | None:
        """Returns the record, refusing a file that others could have read or written."""
        path = self._path(name)
        try:
            self._refuse_unsafe_directories(path)
            # O_NONBLOCK: a pipe in the record's place must not hang us before it is refused.
            flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            descriptor = os.open(path, flags)
        except FileNotFoundError:
            return None
        except OSError as error:
            if path.is_symlink():
                raise _unsafe(path, "it is a symbolic link") from None
            raise unusable(path, error) from error
        with os.fdopen(descriptor, "rb") as file:
            _refuse_unsafe(path, os.fstat(descriptor), stat.S_ISREG, "it is not a plain file", "600")
            content = file.read(LARGEST_RECORD_BYTES + 1)
        try:
            if len(content) > LARGEST_RECORD_BYTES:
                raise ValueError
            return content.decode("utf-8")
        except ValueError:
            raise StoreCorrupt(
                f"{printable(str(path))} does not hold a record of withings-auth",
                hint="it was left as it is; move it away, then: withings-auth login",
            ) from None

    def save(self, name: str, text: str) -> None:
        """Replaces the record in one step, synced, then reads it back."""
        path = self._path(name)
        try:
            make_private_directory(path.parent)
            self._refuse_unsafe_directories(path)
            self._remove_leftovers(path)
            replace_file(path, text, modified_ns=max(time.time_ns(), _modified_ns(path) + 1))
        except OSError as error:
            raise StoreNotDurable(
                f"cannot save {printable(str(path))}: {error.strerror or type(error).__name__}",
                hint="the directory must be writable and the disk must have room; what was saved before is still there",
            ) from error
        if self.load(name) != text:
            raise StoreNotDurable(
                f"{printable(str(path))} does not hold what was just written to it",
                hint="check the disk; another program may be writing there",
            )

    def clear(self, name: str) -> bool:
        """Removes the record."""
        path = self._path(name)
        try:
            self._remove_leftovers(path)
            path.unlink()
            sync_directory(path.parent)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise unusable(path, error) from error
        return True

    def names(self) -> list[str]:
        """Returns the names of the records in the directory."""
        found = self._directory.glob("*/*.json")
        return sorted(f"{path.parent.name}/{path.stem}" for path in found if not path.name.startswith("."))

    def lock(self, name: str, timeout: float) -> AbstractContextManager[Notes]:
        """Holds `<name>.lock`, beside the record."""
        return file_lock(self._path(name).with_suffix(".lock"), timeout)

    def stamp(self, name: str) -> Hashable:
        """Returns the identity and the modification time of the record; a save never gives an earlier time."""
        try:
            status = os.stat(self._path(name), follow_symlinks=False)  # noqa: PTH116  half the time of Path.stat
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def _path(self, name: str) -> Path:
        kind, _, rest = name.partition("/")
        return self._directory / kind / f"{rest}.json"

    def _remove_leftovers(self, path: Path) -> None:
        # What a killed process may have left half written; the lock is held, so nobody is writing it now.
        for leftover in path.parent.glob(f".{path.name}.*.tmp"):
            leftover.unlink(missing_ok=True)

    def _refuse_unsafe_directories(self, path: Path) -> None:
        for directory in (self._directory, path.parent):
            with suppress(FileNotFoundError):
                _refuse_unsafe(directory, directory.lstat(), stat.S_ISDIR, "it is not a directory", "700")


def _modified_ns(path: Path) -> int:
    try:
        return path.lstat().st_mtime_ns
    except OSError:
        return 0


def _refuse_unsafe(
    path: Path, status: os.stat_result, of_kind: Callable[[int], bool], otherwise: str, mode: str
) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise _unsafe(path, "it is a symbolic link")
    if not of_kind(status.st_mode):
        raise _unsafe(path, otherwise)
    if os.name != "posix":
        return
    if status.st_uid != os.geteuid():
        raise _unsafe(path, "it belongs to another user")
    if status.st_mode & 0o077:
        raise _unsafe(path, "other users are let in", hint=f"chmod {mode} {printable(str(path))}")


def _unsafe(path: Path, why: str, *, hint: str = "") -> StoreUnavailable:
    return StoreUnavailable(
        f"{printable(str(path))} is not safe for secrets: {why}",
        hint=hint or "name another directory, which will be made for you: WITHINGS_AUTH_STORE=file:DIRECTORY",
    )
