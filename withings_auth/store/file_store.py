"""Secrets in files that only their owner can read, for machines without a keyring, and only if you ask for them.

`DIRECTORY/<name>.json` contains the record and nothing else. A symbolic link, a foreign owner or a mode that lets
others in is refused: somebody else could read the file, or could have put it there.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from withings_auth.errors import StoreCorrupt, StoreNotDurable
from withings_auth.record import REMEDIES
from withings_auth.store.base import HeldName
from withings_auth.store.file_system import is_shared
from withings_auth.store.files import (
    NOTES,
    NotSynced,
    find_traces,
    make_private_directory,
    open_without_waiting,
    read_note,
    remove_leftovers,
    replace_file,
    sync_directory,
    unusable,
)
from withings_auth.store.safety import SECRET, SECRETS, refuse_unsafe, refuse_unsafe_places
from withings_auth.validation import printable

if TYPE_CHECKING:
    from withings_auth.store.lock import FileNotes

LARGEST_RECORD_BYTES = 64 * 1024
ANOTHER = "choose another directory, which is created for you: withings-auth configure --store file:DIRECTORY"


class FileStore:
    """A `SecretStore` in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def description(self) -> str:
        return f"files in {printable(str(self._directory))}"

    @property
    def directory(self) -> Path:
        """The directory of the files."""
        return self._directory

    def load(self, name: str) -> str | None:
        """Returns the record. Raises `StoreUnavailable` if others could have read or written it."""
        return _load(self._path(name))

    def names(self) -> list[str]:
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

    def traces(self) -> list[str]:
        """Returns the names with notes or half a record."""
        return find_traces(self._directory)

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldName]:
        """Holds `<name>.lock`, beside the record."""
        from withings_auth.store.lock import file_lock  # here, because a valid token is handed out without it

        path = self._path(name)
        try:
            _refuse_unsafe_directories(self._directory, path.parent)
        except OSError as error:
            raise unusable(path, error) from error
        with file_lock(path.with_suffix(".lock"), timeout) as notes:
            yield _HeldFile(path, notes)

    def latest_note(self, name: str) -> str | None:
        """Returns what the lock's holder, or a former one, has noted."""
        return read_note(self._path(name).with_suffix(NOTES))

    def stamp(self, name: str) -> Hashable:
        """Returns the identity and the modification time of the record; a save never gives an earlier time.

        Returns None on a file system that others may share: it may answer from a copy that hides their saves.
        """
        if self._is_shared:
            return None
        try:
            # A Path would double the cost, and this is all that a token from memory costs.
            status = os.stat(f"{self._directory}/{name}.json", follow_symlinks=False)  # noqa: PTH116
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    @cached_property
    def _is_shared(self) -> bool:
        return is_shared(self._directory)

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.json"


def _load(path: Path) -> str | None:
    try:
        _refuse_unsafe_directories(path.parent.parent, path.parent)
        _refuse_unsafe(path, path.lstat())
        with open(path, "rb", opener=_open) as file:
            _refuse_unsafe(path, os.fstat(file.fileno()))  # it may have been replaced since
            content = file.read(LARGEST_RECORD_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unusable(path, error) from error
    with suppress(UnicodeDecodeError):  # not chained: it holds the whole content
        if len(content) <= LARGEST_RECORD_BYTES:
            return content.decode("utf-8")
    raise StoreCorrupt(
        f"{printable(str(path))} is not a withings-auth record",
        hint=f"it was left in place; {REMEDIES.get(path.parent.name, 'move it away')}",
    )


class _HeldFile:
    """The file of a record, under its lock."""

    def __init__(self, path: Path, notes: FileNotes) -> None:
        self.notes = notes
        self._path = path

    def save(self, text: str) -> None:
        """Replaces the record in one step, synced, then reads it back; leaves an unsafe one alone."""
        try:
            _refuse_unsafe_directories(self._path.parent.parent, self._path.parent)
            make_private_directory(self._path.parent)
            with suppress(FileNotFoundError):
                _refuse_unsafe(self._path, self._path.lstat())
            replace_file(self._path, text)
        except OSError as error:
            hint = "the directory must be writable and the disk must have free space; the record is unchanged"
            if isinstance(error, NotSynced):
                hint = "check the disk: after a power cut the earlier record may be back"
            raise StoreNotDurable(
                f"cannot save {printable(str(self._path))}: {error.strerror or type(error).__name__}", hint=hint
            ) from error
        if _load(self._path) != text:
            raise StoreNotDurable(
                f"{printable(str(self._path))} does not hold what was just written to it",
                hint="check the disk; another program may be writing there",
            )

    def clear(self) -> bool:
        """Removes the record, even if it is unsafe or not ours."""
        try:
            _refuse_unsafe_directories(self._path.parent.parent, self._path.parent)
            remove_leftovers(self._path)
            self._path.unlink()
            sync_directory(self._path.parent)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise unusable(self._path, error) from error
        return True


def _refuse_unsafe_directories(*directories: Path) -> None:
    refuse_unsafe_places(*directories, rule=SECRETS, hint=ANOTHER)


def _refuse_unsafe(path: Path, status: os.stat_result) -> None:
    refuse_unsafe(path, status, SECRET, hint=ANOTHER)


def _open(path: str, flags: int) -> int:
    return open_without_waiting(path, flags | getattr(os, "O_NOFOLLOW", 0))
