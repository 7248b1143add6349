"""Secrets in files, when processes are killed, disks are full and directories cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.programs import UNMEASURED
from tests.support.stores import clear_record, save_record
from withings_auth.errors import StoreNotDurable
from withings_auth.store.file_store import FileStore

TOKEN = "token/default"
OLD = "old " * 50
NEW = "new " * 50

# What a child process starts with: all modules, before it gives up its rights or its room on the disk.
SETUP = """
import contextlib, os, resource, signal, sys
from pathlib import Path
import withings_auth.store.lock
from withings_auth.errors import StoreError
from withings_auth.store.file_store import FileStore
store = FileStore(Path(sys.argv[1]))
def attempt(use):
    try:
        print(use())
    except StoreError as error:
        print(f"{type(error).__name__} {error.exit_code}: {error}")
def save(text):
    with store.lock("token/default", 1) as held:
        held.save(text)
def without_lock():
    # Holds the name although its lock cannot be written.
    from withings_auth.store import lock
    lock.file_lock = lambda path, timeout: contextlib.nullcontext(lock.FileNotes(path))
    return store.lock("token/default", 1).__enter__()
"""


def child(code: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Runs code in a process that may have no way to write coverage data."""
    return subprocess.run(
        [sys.executable, "-c", SETUP + code, directory],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={name: value for name, value in os.environ.items() if name not in UNMEASURED},
    )


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    save_record(FileStore(tmp_path / "secrets"), TOKEN, OLD)
    return tmp_path / "secrets"


def files(directory: Path) -> list[str]:
    """Returns the names of all files but the lock."""
    return sorted(path.name for path in (directory / "token").iterdir() if path.name != "default.lock")


KILLED_AT = {
    "before the content is synced": ("os.fsync", 1, OLD),
    "before it has its time": ("os.utime", 1, OLD),
    "before it has its name": ("os.replace", 1, OLD),
    "before the directory is synced": ("os.fsync", 2, NEW),
}


@pytest.mark.parametrize(("call", "nth", "left"), KILLED_AT.values(), ids=KILLED_AT)
def test_a_kill_in_the_middle_leaves_the_old_or_the_new(directory: Path, call: str, nth: int, left: str) -> None:
    """Statement 24: at no point of a save does SIGKILL leave half a record, and the next save cleans up."""
    name = call.removeprefix("os.")
    ran = child(
        f"""
real, calls = {call}, []
def killing(*arguments, **named):
    calls.append(1)
    if len(calls) == {nth}:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **named)
os.{name} = killing
save("{NEW}")
""",
        directory,
    )
    assert ran.returncode == -9, ran.stderr
    store = FileStore(directory)
    assert store.load(TOKEN) == left
    assert store.names() == [TOKEN]
    assert len(files(directory)) == (2 if left == OLD else 1)  # else the test did not kill in the middle
    save_record(store, TOKEN, "newer")
    assert files(directory) == ["default.json"]


def test_a_leftover_goes_with_a_logout_too(directory: Path) -> None:
    """Statement 34: half a record left by a killed process is a local copy as well."""
    leftover = directory / "token" / ".default.json.0123456789abcdef.tmp"
    leftover.write_text("half a record")
    other = directory / "token" / ".default2.json.0123456789abcdef.tmp"
    other.write_text("of somebody who is writing now")
    assert clear_record(FileStore(directory), TOKEN) is True
    assert files(directory) == [other.name]


def test_a_full_disk_keeps_the_old_record(directory: Path) -> None:
    """Statement 29: if there is no room, the save fails with exit code 5, and what was saved before is intact."""
    ran = child(
        f"""
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
attempt(lambda: save("{NEW}"))
""",
        directory,
    )
    assert ran.stdout.startswith("StoreNotDurable 5: cannot save "), ran.stderr
    assert FileStore(directory).load(TOKEN) == OLD
    assert files(directory) == ["default.json"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 pages that can be filled and made read-only."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", disk], check=False, capture_output=True
    )
    if mount.returncode:
        pytest.skip("a file system of its own can be mounted by root only")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_disk_that_is_really_full(small_disk: Path) -> None:
    """Statement 29: ENOSPC during a save leaves only the old record; once there is room, a save succeeds."""
    store = FileStore(small_disk / "secrets")
    save_record(store, TOKEN, OLD)
    ballast = small_disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    with pytest.raises(StoreNotDurable, match="No space left") as failed:
        save_record(store, TOKEN, "new " * 4000)
    assert failed.value.exit_code == 5
    assert store.load(TOKEN) == OLD
    assert files(small_disk / "secrets") == ["default.json"]
    ballast.unlink()
    save_record(store, TOKEN, NEW)
    assert store.load(TOKEN) == NEW


USES = f"""
attempt(lambda: store.load("{TOKEN}"))
attempt(lambda: store.names())
attempt(lambda: store.lock("{TOKEN}", 1).__enter__())
attempt(lambda: without_lock().save("new"))
attempt(lambda: without_lock().clear())
"""


def test_a_read_only_disk_can_be_read(small_disk: Path) -> None:
    """A record can be read from a read-only disk; every change is an error with exit code 5."""
    save_record(FileStore(small_disk / "secrets"), TOKEN, "old")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    loaded, names, locked, saved, cleared = child(USES, small_disk / "secrets").stdout.splitlines()
    assert (loaded, names) == ("old", f"['{TOKEN}']")
    assert saved.startswith("StoreNotDurable 5: cannot save ")
    assert cleared.startswith("StoreUnavailable 5: cannot use ")
    assert locked.startswith("StoreUnavailable 5: cannot use ")
    assert all("Read-only file system" in line for line in (saved, cleared, locked))


@pytest.fixture
def anybodys() -> Iterator[Path]:
    """A directory that every user can reach; pytest's own are the user's alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


AS_NOBODY = "os.getuid() or os.setresuid(65534, 65534, 65534)\n"


@pytest.mark.parametrize("mode", [0o500, 0o400, 0o000], ids=oct)
def test_a_directory_that_cannot_be_written(anybodys: Path, mode: int) -> None:
    """Every refusal of the system, for a user who is not root, is an error of ours with exit code 5."""
    directory = anybodys / "secrets"
    save_record(FileStore(directory), TOKEN, "old")
    (directory / "token/default.lock").unlink()
    for path in [directory, *directory.rglob("*")]:
        if os.getuid() == 0:
            os.chown(path, 65534, 65534)
    (directory / "token").chmod(mode)
    ran = child(AS_NOBODY + USES, directory)
    (directory / "token").chmod(0o700)
    loaded, names, locked, saved, cleared = ran.stdout.splitlines()
    if mode == 0o500:
        assert (loaded, names) == ("old", f"['{TOKEN}']")
    else:
        assert loaded.startswith("StoreUnavailable 5: cannot use ")
        assert names.startswith("StoreUnavailable 5: cannot use ") == (mode == 0o000)
    assert saved.startswith("StoreNotDurable 5: cannot save ")
    assert cleared.startswith("StoreUnavailable 5: cannot use ")
    assert locked.startswith("StoreUnavailable 5: cannot use ")
    assert (directory / "token/default.json").read_text() == "old"


def test_a_parent_that_cannot_be_read(anybodys: Path) -> None:
    """A new store needs no more from its parent than that it can be created there."""
    anybodys.chmod(0o733)
    ran = child(f'{AS_NOBODY}save("{NEW}")', anybodys / "secrets")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (anybodys / "secrets/token/default.json").read_text() == NEW


def test_the_lock_file_is_never_removed(directory: Path) -> None:
    """Statement 28: the lock file survives saves and logouts, so that everybody waits for the same one."""
    store = FileStore(directory)
    path = directory / "token" / "default.lock"
    with store.lock(TOKEN, 1) as held:
        number = path.stat().st_ino
        held.save("text")
        held.clear()
    with store.lock(TOKEN, 1):
        pass
    assert path.stat().st_ino == number


def test_a_lock_that_is_a_link_is_refused(directory: Path) -> None:
    """Statement 24: a lock file that is a link is not followed, and its target is not created."""
    target = directory.parent / "elsewhere"
    (directory / "token/default.lock").unlink()
    (directory / "token/default.lock").symlink_to(target)
    assert "StoreUnavailable 5" in child(f'attempt(lambda: store.lock("{TOKEN}", 1).__enter__())', directory).stdout
    assert not target.exists()


def test_the_stamp_changes_though_the_clock_was_set_back(directory: Path) -> None:
    """A save after the clock was set back still gives the record a later time than before."""
    store = FileStore(directory)
    record = directory / "token/default.json"
    ahead = 4_000_000_000 * 10**9
    os.utime(record, ns=(ahead, ahead))
    for _ in range(3):
        before = record.stat().st_mtime_ns
        save_record(store, TOKEN, OLD)
        assert record.stat().st_mtime_ns > before
