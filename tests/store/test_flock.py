"""The two ways to lock a file: our own, and filelock's for Windows, which older versions used everywhere."""

from __future__ import annotations

import fcntl
import os
import runpy
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest

from withings_auth.store import flock, lock, lock_on_windows

Acquire = Callable[[Path, float], Callable[[], None]]
WAYS: list[Acquire] = [flock.acquire, lock_on_windows.acquire]
TAKEN = (flock.Taken, lock_on_windows.Taken)


@pytest.mark.parametrize("first", WAYS)
@pytest.mark.parametrize("second", WAYS)
def test_each_way_keeps_the_other_out(tmp_path: Path, first: Acquire, second: Acquire) -> None:
    """Two versions of withings-auth may run at the same time."""
    release = first(tmp_path / "lock", 0)
    with pytest.raises(TAKEN):
        second(tmp_path / "lock", 0.02)
    release()
    second(tmp_path / "lock", 0)()
    assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600


def test_only_windows_locks_with_filelock(monkeypatch: pytest.MonkeyPatch) -> None:
    """There, `flock` cannot even be loaded."""
    assert runpy.run_path(lock.__file__)["acquire"] is flock.acquire
    monkeypatch.setattr(sys, "platform", "win32")
    assert runpy.run_path(lock.__file__)["acquire"] is lock_on_windows.acquire
    with pytest.raises(AssertionError):
        runpy.run_path(flock.__file__)


def test_filelock_is_asked_for_a_real_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that any thread can release, though it fails; never one that stays when its holder is killed."""
    calls: list[object] = []

    class Lock:
        def __init__(self, path: Path, **options: object) -> None:
            calls.append((path, options))

        def acquire(self, *, poll_interval: float) -> None:
            calls.append(poll_interval)

        def release(self) -> None:
            calls.append("release")
            raise OSError

    monkeypatch.setattr(filelock, "FileLock", Lock)
    release = lock_on_windows.acquire(tmp_path / "lock", 0.5)
    real = {"fallback_to_soft": False, "preserve_lock_file": True, "thread_local": False}
    assert calls == [(tmp_path / "lock", {"timeout": 0.5, "mode": 0o600, **real}), 0.01]
    release()
    assert calls[2:] == ["release"]


def test_a_file_that_is_removed_just_now_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locking the removed one would keep nobody else out."""
    path = tmp_path / "lock"
    path.touch()
    real_open, real_flock = os.open, fcntl.flock

    def removed_before_it_is_opened(name: Path, flags: int, *mode: int) -> int:
        if not flags & os.O_CREAT:
            path.unlink()
        return real_open(name, flags, *mode)

    def removed_before_it_is_locked(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real_flock)
        path.unlink()
        real_flock(descriptor, operation)

    monkeypatch.setattr(os, "open", removed_before_it_is_opened)
    monkeypatch.setattr(fcntl, "flock", removed_before_it_is_locked)
    release = flock.acquire(path, 20)
    monkeypatch.setattr(os, "open", real_open)
    with pytest.raises(flock.Taken):
        flock.acquire(path, 0)
    release()


def test_a_forked_child_neither_holds_nor_releases_its_parents_lock(tmp_path: Path) -> None:
    release = flock.acquire(tmp_path / "lock", 0)
    child = os.fork()
    if child == 0:
        release()
        os._exit(len(flock._open))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with pytest.raises(flock.Taken):
        flock.acquire(tmp_path / "lock", 0)
    release()
