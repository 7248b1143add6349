"""The lock of a file: what it says while somebody holds it, what it leaves behind, and who may give it back."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.disks import Disk
from withings_auth.errors import LockBusy, StoreUnavailable
from withings_auth.store.flock import LOOK_AGAIN_SECONDS
from withings_auth.store.lock import FileNotes, file_lock

pytestmark = pytest.mark.usefixtures("no_descriptor_leaks")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "token" / "a\x1b.lock"


def test_it_stays_private_and_in_its_place(path: Path) -> None:
    """Statement 28: one that was removed would let two holders in."""
    with file_lock(path, 1) as notes:
        number = path.stat().st_ino
        assert notes.path == path.with_name("a\x1b.attempt")
    with file_lock(path, 1):
        assert path.stat().st_ino == number
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_no_link_is_followed_and_nothing_is_waited_for(path: Path, disk: Disk) -> None:
    safe = os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW
    for flags in ([safe | os.O_CREAT | os.O_EXCL], [safe | os.O_CREAT | os.O_EXCL, safe]):
        disk.flags.clear()
        with file_lock(path, 1):
            assert disk.flags[-len(flags) :] == flags


def test_who_waits_is_told_who_to_look_for(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with file_lock(path, 1), pytest.raises(LockBusy) as busy, file_lock(path, 0.6):
        pass
    shown = f"{path.parent}/a\\x1b.lock"
    assert str(busy.value) == "another program has held the lock for 1 seconds"
    assert busy.value.hint == f"try again; if this persists, find the program that holds {shown}"
    assert busy.value.__cause__ is None
    ours = [each for each in caplog.records if each.name == "withings_auth.store.lock"]
    assert [each.getMessage() for each in ours] == [f"locked: {shown}", f"not locked within 0.6 s: {shown}"]
    assert {each.levelno for each in ours} == {logging.DEBUG}


def test_it_is_looked_for_often(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A renewal elsewhere often takes less than a twentieth of a second."""
    naps: list[float] = []
    with file_lock(path, 1), monkeypatch.context() as patch:
        patch.setattr(time, "sleep", naps.append)
        with pytest.raises(LockBusy), file_lock(path, 0.05):
            pass
    assert naps[0] == LOOK_AGAIN_SECONDS == 0.01


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EIO], ids=errno.errorcode.get)
def test_a_disk_without_locks_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    """Statement 28: if the file system refuses flock, nobody goes on without it, or with another kind of lock."""

    def refuse(*_: int) -> None:
        raise OSError(error, "refused")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StoreUnavailable, match=r"cannot use .*lock: refused"), file_lock(path, 1):
        pass
    assert list(path.parent.iterdir()) in ([], [path])


def test_another_thread_may_give_it_back(path: Path) -> None:
    """As the one in which a save hung."""
    later: list[Callable[[], None]] = []
    with file_lock(path, 1, finish=later.append):
        pass
    with pytest.raises(LockBusy), file_lock(path, 0):
        pass
    thread = threading.Thread(target=later[0])
    thread.start()
    thread.join()
    with file_lock(path, 0):
        pass


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("spoil", "why", "hint"),
    [
        (link, "it is a symbolic link", "remove it while no program is using withings-auth"),
        (lambda path: path.chmod(0o606), "other users have access", "chmod 600 '{}'"),
    ],
)
def test_one_that_others_could_hold_is_refused(
    path: Path, spoil: Callable[[Path], object], why: str, hint: str
) -> None:
    """Statement 45."""
    with file_lock(path, 1):
        pass
    spoil(path)
    shown = f"{path.parent}/a\\x1b.lock"
    with pytest.raises(StoreUnavailable) as refused, file_lock(path, 1):
        pass
    assert str(refused.value) == f"{shown} is not safe for locks: {why}"
    assert refused.value.hint == hint.format(shown)


class TestNotes:
    def test_half_a_note_goes_with_the_note(self, tmp_path: Path) -> None:
        notes = FileNotes(tmp_path / "a.attempt")
        notes.note("text")
        assert notes.recall() == "text"
        (tmp_path / ".a.attempt.0f.tmp").touch()
        notes.note(None)
        assert list(tmp_path.iterdir()) == []
        notes.note(None)
        assert notes.recall() is None

    @pytest.mark.parametrize(("text", "call"), [("text", "replace"), (None, "unlink")])
    def test_a_disk_that_fails_is_an_error(self, tmp_path: Path, disk: Disk, text: str | None, call: str) -> None:
        notes = FileNotes(tmp_path / "a.attempt")
        disk.failing[call] = OSError(errno.EIO, "broken")
        with pytest.raises(StoreUnavailable, match=r"cannot use .*a\.attempt: broken"):
            notes.note(text)


def test_a_share_that_has_gone_away_frees_it_by_closing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Statement 46: no descriptor is left, and if even closing fails, still nothing is raised."""

    flock, close = fcntl.flock, os.close
    left: list[int] = []

    def refuse_to_unlock(descriptor: int, how: int) -> None:
        if how == fcntl.LOCK_UN:
            raise OSError(errno.EIO, "gone")
        flock(descriptor, how)

    def refuse_to_close(descriptor: int) -> None:
        left.append(descriptor)
        raise OSError(errno.EIO, "gone")

    monkeypatch.setattr(fcntl, "flock", refuse_to_unlock)
    for _ in range(2):
        with file_lock(path, 0):
            pass
    with monkeypatch.context() as patch, file_lock(path, 0):
        patch.setattr(os, "close", refuse_to_close)
    close(left[-1])
