"""Secrets in files that only their owner can read, for machines without a keyring, and only if you ask for it.

`DIRECTORY/<name>.json` contains the record and nothing else. A symbolic link, a foreign owner or a mode that lets
others in is refused: somebody else could read the file, or could have put it there.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from withings_auth.errors import StoreCorrupt, StoreNotDurable, StoreUnavailable
from withings_auth.store.base import HeldName, Notes
from withings_auth.store.files import (
    make_private_directory,
    remove_leftovers,
    replace_file,
    sync_directory,
    unusable,
)
from withings_auth.validation import printable

LARGEST_RECORD_BYTES = 64 * 1024


class FileStore:
    """A `SecretStore` in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def description(self) -> str:
        """The directory, as “files in …”."""
        return f"files in {printable(str(self._directory))}"

    @property
    def directory(self) -> Path:
        """The directory of the files."""
        return self._directory

    def load(self, name: str) -> str | None:
        """Returns the record, refusing a file that others could have read or written."""
        return _RecordFile(self._directory, name).load()

    def names(self) -> list[str]:
        """Returns the names of the records in the directory."""
        try:
            _refuse_unsafe_directories(self._directory)
            found = [path for kind in self._directory.iterdir() if kind.is_dir() for path in kind.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unusable(self._directory, error) from error
        return sorted(
            f"{path.parent.name}/{path.stem}"
            for path in found
            if path.suffix == ".json" and not path.name.startswith(".")
        )

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldName]:
        """Holds `<name>.lock`, beside the record."""
        from withings_auth.store.lock import file_lock  # here, because a valid token is handed out without it

        record = _RecordFile(self._directory, name)
        try:
            record.refuse_unsafe_directories()
        except OSError as error:
            raise unusable(record.path, error) from error
        with file_lock(record.path.with_suffix(".lock"), timeout) as notes:
            yield _HeldFile(record, notes)

    def stamp(self, name: str) -> Hashable:
        """Returns the identity and the modification time of the record; a save never gives an earlier time."""
        try:
            # A Path takes as long again as the look itself, and this is all that a token from memory costs.
            status = os.stat(f"{self._directory}/{name}.json", follow_symlinks=False)  # noqa: PTH116
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns


class _RecordFile:
    """The file of one record."""

    def __init__(self, directory: Path, name: str) -> None:
        kind, _, rest = name.partition("/")
        self.path = directory / kind / f"{rest}.json"
        self._directories = directory, self.path.parent

    def refuse_unsafe_directories(self) -> None:
        """Raises `StoreUnavailable` if others could get at the file, and OSError."""
        _refuse_unsafe_directories(*self._directories)

    def load(self) -> str | None:
        """Returns what the file holds, None if there is none."""
        try:
            self.refuse_unsafe_directories()
            _refuse_unsafe(self.path, self.path.lstat(), RECORD)
            with open(self.path, "rb", opener=_open_what_is_there) as file:
                _refuse_unsafe(self.path, os.fstat(file.fileno()), RECORD)  # it may have been changed for another
                content = file.read(LARGEST_RECORD_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unusable(self.path, error) from error
        with suppress(UnicodeDecodeError):  # not chained: it holds the whole content
            if len(content) <= LARGEST_RECORD_BYTES:
                return content.decode("utf-8")
        raise StoreCorrupt(
            f"{printable(str(self.path))} does not hold a record of withings-auth",
            hint="it was left as it is; move it away, then: withings-auth login",
        )


class _HeldFile:
    """A record under its lock."""

    def __init__(self, record: _RecordFile, notes: Notes) -> None:
        self._record = record
        self.notes = notes

    def save(self, text: str) -> None:
        """Replaces the record in one step, synced, then reads it back; leaves an unsafe one alone."""
        path = self._record.path
        try:
            self._record.refuse_unsafe_directories()
            make_private_directory(path.parent)
            earlier_ns = 0
            with suppress(FileNotFoundError):
                status = path.lstat()
                _refuse_unsafe(path, status, RECORD)
                earlier_ns = status.st_mtime_ns
            replace_file(path, text, modified_ns=max(time.time_ns(), earlier_ns + 1))
        except OSError as error:
            raise StoreNotDurable(
                f"cannot save {printable(str(path))}: {error.strerror or type(error).__name__}",
                hint="the directory must be writable and the disk must have room; what was saved before is still there",
            ) from error
        if self._record.load() != text:
            raise StoreNotDurable(
                f"{printable(str(path))} does not hold what was just written to it",
                hint="check the disk; another program may be writing there",
            )

    def clear(self) -> bool:
        """Removes the record, even if it is unsafe or not ours."""
        path = self._record.path
        try:
            self._record.refuse_unsafe_directories()
            remove_leftovers(path)
            path.unlink()
            sync_directory(path.parent)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise unusable(path, error) from error
        return True


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a path in the store must be, and the mode that keeps others out."""

    name: str
    is_one: Callable[[int], bool]
    mode: str


RECORD = _Kind("a plain file", stat.S_ISREG, "600")
DIRECTORY = _Kind("a directory", stat.S_ISDIR, "700")


def _refuse_unsafe_directories(*directories: Path) -> None:
    for directory in directories:
        with suppress(FileNotFoundError):
            _refuse_unsafe(directory, directory.lstat(), DIRECTORY)


def _open_what_is_there(path: str, flags: int) -> int:
    # A pipe must not hang us before it is refused.
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def _refuse_unsafe(path: Path, status: os.stat_result, kind: _Kind) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise _unsafe(path, "it is a symbolic link")
    if not kind.is_one(status.st_mode):
        raise _unsafe(path, f"it is not {kind.name}")
    if os.name != "posix":
        return
    if status.st_uid != os.geteuid():
        raise _unsafe(path, "it belongs to another user")
    if status.st_mode & 0o077:
        raise _unsafe(path, "other users have access", hint=f"chmod {kind.mode} {printable(str(path))}")


def _unsafe(path: Path, why: str, *, hint: str = "") -> StoreUnavailable:
    return StoreUnavailable(
        f"{printable(str(path))} is not safe for secrets: {why}",
        hint=hint or "name another directory, which will be made for you: WITHINGS_AUTH_STORE=file:DIRECTORY",
    )
