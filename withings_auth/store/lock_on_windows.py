"""Locks files as `flock` does, with filelock."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import filelock

from withings_auth.store.files import PRIVATE_FILE

LOOK_AGAIN_SECONDS = 0.01  # filelock's own 0.05 is often longer than what the caller waits for

Taken = filelock.Timeout


def acquire(path: Path, timeout: float) -> Callable[[], None]:
    """Locks the file, which is made if it is missing, and returns what releases it; that never fails.

    Raises `Taken` after `timeout` seconds, and OSError.
    """
    # A new instance for each acquisition, since a shared one lets several threads in; no soft lock if the file system
    # refuses to lock, since a soft lock stays behind when its holder is killed.
    lock = filelock.FileLock(
        path,
        timeout=timeout,
        mode=PRIVATE_FILE,
        thread_local=False,
        fallback_to_soft=False,
        preserve_lock_file=True,
    )
    lock.acquire(poll_interval=LOOK_AGAIN_SECONDS)

    def release() -> None:
        with suppress(OSError):
            lock.release()

    return release
