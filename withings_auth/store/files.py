"""Small files, private and replaced in one step: a crash leaves the old content or the new one.

Reading one never waits and has a limit: what lies under its name may be a pipe, a device or a film.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from withings_auth.errors import StoreUnavailable
from withings_auth.store.safety import owner_hint, quoted, this_user
from withings_auth.validation import printable

PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600
NOTES = ".attempt"  # the end of the name of the notes beside a lock
LARGEST_FILE_BYTES = 64 * 1024  # of settings, credentials and notes, which are far smaller
_HALF = r"\.(.+)\.[a-z]+\.[0-9a-f]+\.tmp"  # what `replace_file` has not finished


class NotPlain(OSError):
    """A pipe, a device, a socket or a directory is where a file should be."""


class NotSynced(OSError):
    """A file was replaced, but a power cut may bring its earlier content back."""


def read_plain(
    path: Path,
    *,
    most_bytes: int = LARGEST_FILE_BYTES,
    accept: Callable[[os.stat_result], None] = lambda _: None,
) -> bytes:
    """Returns the content of a plain file; `accept` gets its status and may raise an error of its own.

    Raises OSError: `NotPlain` if it is anything else, and if it has more than `most_bytes`.
    """
    _refuse_special(path.stat())  # before it is opened, which a device may notice
    with open(path, "rb", opener=open_without_waiting) as file:
        status = os.fstat(file.fileno())  # it may have been replaced since
        _refuse_special(status)
        accept(status)
        content = file.read(most_bytes + 1)
    refuse_larger(content, most_bytes)
    return content


def refuse_larger(content: bytes, most_bytes: int) -> None:
    """Raises OSError if there is more content than that."""
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"it has more than {most_bytes:,} bytes")


def open_without_waiting(path: str, flags: int) -> int:
    """Opens a file for `open`, even a pipe without a writer, at once. Raises OSError."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))


def _refuse_special(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotPlain(errno.EINVAL, "it is not a regular file")


def replace_file(path: Path, text: str) -> None:
    """Replaces a file in one step by one that only its owner may read, synced to the disk.

    Raises OSError; the file is unchanged, unless it is `NotSynced`.

    The modification time always grows, even if the clock was set back. Call it with a lock held.
    """
    remove_leftovers(path)
    earlier_ns = 0
    with suppress(FileNotFoundError):
        earlier_ns = path.lstat().st_mtime_ns
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}.tmp")
    try:
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), PRIVATE_FILE
        )
        with os.fdopen(descriptor, "wb") as file:
            if sys.platform != "win32":
                os.fchmod(descriptor, PRIVATE_FILE)  # a umask can keep out even the owner
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        modified_ns = max(time.time_ns(), earlier_ns + 1)
        os.utime(temporary, ns=(modified_ns, modified_ns))
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    try:
        sync_directory(path.parent)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise NotSynced(error.errno, f"it was replaced, but the disk did not confirm that: {why}") from error


def remove_leftovers(path: Path) -> None:
    """Removes half-written files that a killed process left. Raises OSError. Call it with the lock held."""
    for name in os.listdir(path.parent) if path.parent.is_dir() else ():  # noqa: PTH208  names are all it takes
        if name.startswith(f".{path.name}.") and name.endswith(".tmp"):
            path.with_name(name).unlink(missing_ok=True)


def read_note(path: Path) -> str | None:
    """Returns the text of a note, None if there is none; one that cannot be read counts as none."""
    try:
        return read_plain(path).decode("utf-8")  # read_text would change line ends
    except (OSError, UnicodeDecodeError):
        return None


def find_traces(directory: Path) -> list[str]:
    """Returns the names of a store's directory with notes or a half-written file. Raises `StoreUnavailable`."""
    try:
        notes = [f"{path.parent.name}/{path.name.removesuffix(NOTES)}" for path in directory.glob(f"*/*{NOTES}")]
        halves = [(path.parent.name, re.fullmatch(_HALF, path.name)) for path in directory.glob("*/.*.tmp")]
    except OSError as error:
        raise unusable(directory, error) from error
    return sorted({*notes, *(f"{kind}/{half[1]}" for kind, half in halves if half is not None)})


def make_private_directory(path: Path) -> None:
    """Creates the directory and its missing parents, durably, each for its owner alone. Raises OSError."""
    if path.is_dir():
        return
    make_private_directory(path.parent)
    try:
        path.mkdir(mode=PRIVATE_DIRECTORY)
        is_ours = True
    except FileExistsError:
        if not path.is_dir():
            raise
        is_ours = False  # another program was faster
    try:
        if is_ours:
            path.chmod(PRIVATE_DIRECTORY)  # a umask can keep out even the owner
        with suppress(PermissionError):  # a directory that can be written but not read
            sync_directory(path.parent)
    except OSError:
        if is_ours:
            with suppress(OSError):  # whoever needs it next makes it, and syncs it, again
                path.rmdir()
        raise


def sync_directory(path: Path) -> None:
    """Makes a rename or a removal in the directory durable, on systems that support it. Raises OSError."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unusable(path: Path, error: OSError) -> StoreUnavailable:
    """Returns the error for a file or directory that the system does not let us use."""
    user = this_user()
    hint = _foreign_place_hint(path, user) if user is not None and isinstance(error, PermissionError) else None
    return StoreUnavailable(
        f"cannot use {printable(str(path))}: {error.strerror or type(error).__name__}",
        hint=hint or "the directory must be writable, on a disk with free space and file locks",
    )


def _foreign_place_hint(path: Path, user: int) -> str | None:
    """Returns the hint if a directory is missing, and the one that it would be in belongs to another user."""
    missing = path
    while not os.path.exists(missing.parent):  # noqa: PTH110  Path.exists raises if it may not look
        missing = missing.parent
    status = missing.parent.stat()
    if missing == path or status.st_uid == user:
        return None
    make = f"install -d -o {user} -m {PRIVATE_DIRECTORY:o} {quoted(missing)}"
    return f"{owner_hint(missing.parent, status)}, or make a directory for this user, as root: {make}"
