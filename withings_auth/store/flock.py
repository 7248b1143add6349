"""Locks files with `flock`. filelock would do it too, but takes as long to load as a whole login up to its browser."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from withings_auth.store.files import PRIVATE_FILE

assert sys.platform != "win32"  # noqa: S101  for the type checker; there, `fcntl` is missing

LOOK_AGAIN_SECONDS = 0.01
_FLAGS = os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW

_open: set[int] = set()  # descriptors of this process


class Taken(Exception):
    """Somebody else has held the lock all the time."""


def acquire(path: Path, timeout: float) -> Callable[[], None]:
    """Locks the file, which is made if it is missing, and returns what releases it; that never fails.

    Raises `Taken` after `timeout` seconds, and OSError.
    """
    until = time.monotonic() + timeout
    while (descriptor := _try(path)) is None:
        if time.monotonic() >= until:
            raise Taken
        time.sleep(LOOK_AGAIN_SECONDS)
    process = os.getpid()

    def release() -> None:
        if process == os.getpid():  # a forked child has not inherited it
            _unlock(descriptor)

    return release


def _try(path: Path) -> int | None:
    """Returns the descriptor of the locked file; None if somebody else has locked it, or has just removed it."""
    try:
        descriptor, is_new = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), True
    except FileExistsError:
        try:
            descriptor, is_new = os.open(path, _FLAGS), False
        except FileNotFoundError:
            return None
    _open.add(descriptor)
    locked = False
    try:
        if is_new:
            os.fchmod(descriptor, PRIVATE_FILE)  # a umask can keep out even the owner
        with suppress(BlockingIOError, PermissionError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            locked = os.fstat(descriptor).st_nlink > 0  # nobody else would ever wait for a file without a name
    finally:
        if not locked:
            _close(descriptor)
    return descriptor if locked else None


def _unlock(descriptor: int) -> None:
    # Frees it for a child that was forked meanwhile, too. On a share that has gone away only closing does.
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    _close(descriptor)


def _close(descriptor: int) -> None:
    _open.discard(descriptor)
    with suppress(OSError):
        os.close(descriptor)


def _close_all() -> None:
    for descriptor in [*_open]:
        _close(descriptor)


os.register_at_fork(after_in_child=_close_all)
