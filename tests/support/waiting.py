"""Waiting for something to happen, with a limit that only a program that hangs ever reaches."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def wait_until(happened: Callable[[], object], *, seconds: float = 60) -> None:
    """Returns when `happened()` is true, and fails if that takes longer than the limit."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen within {seconds} seconds"
        time.sleep(0.01)


def wait_until_gone(*pids: int) -> None:
    """Returns when none of these processes runs any more."""
    wait_until(lambda: not any(map(is_running, pids)))


def is_running(pid: int) -> bool:
    """Whether the process exists and is not just waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
