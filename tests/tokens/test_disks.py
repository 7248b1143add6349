"""Full disks, read-only disks and disks without locks: an error before any request, or a renewal that survives.

Real processes ask for a token, and what they leave behind works as soon as there is room again.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.store.keyrings import Keyrings, MemoryKeyring
from tests.support.programs import Cli
from tests.tokens.processes import Ended, Processes
from tests.tokens.scene import HOUR, LIFE, Clock, Scene, digest
from withings_auth.errors import StoreNotDurable, StoreUnavailable
from withings_auth.sandbox import Sandbox
from withings_auth.store.file_store import FileStore

ROOM_FOR_A_NOTE_BYTES = 200  # a note has about 100, a record more than 400


class Disk:
    """A separate file system that holds a login."""

    def __init__(self, place: Path, sandbox: Sandbox, clock: Clock, processes: Processes) -> None:
        self.place = place
        self.scene = Scene(FileStore(place / "store"), sandbox, clock)
        self._processes = processes

    def mount(self, options: str) -> None:
        """Mounts it, or changes how it is mounted."""
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.place)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("a file system of its own can be mounted by root only")

    def fill(self, *, but_pages: int = 0) -> None:
        """Fills the disk but for a number of pages."""
        ballast = self.place / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        with ballast.open("r+b") as file:
            file.truncate(ballast.stat().st_size - 4096 * but_pages)

    def fill_with_empty_files(self) -> None:
        """Leaves room for data but not for another file."""
        self.mount("remount,nr_inodes=100")
        with suppress(OSError):
            for number in range(100):
                (self.place / f"ballast {number}").touch()

    def make_room(self) -> None:
        """Removes the ballast."""
        for path in self.place.glob("ballast*"):
            path.unlink()

    def ask(self, **order: object) -> Ended:
        """Starts a process that asks for a token."""
        return self._processes(f"file:{self.place / 'store'}", self.scene.clock, **order)

    def works_again(self) -> bool:
        """Whether a new process gets a token that is stored and works."""
        return self.ask().digest == digest(self.scene.stored) and self.scene.works(self.scene.stored)


@pytest.fixture
def disk(tmp_path: Path, sandbox: Sandbox, clock: Clock, processes: Processes) -> Iterator[Disk]:
    """A disk of 16 pages."""
    disk = Disk(tmp_path / "disk", sandbox, clock, processes)
    disk.place.mkdir()
    disk.mount("size=64k,mode=700")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk.place], check=True)


def is_exit_5(ended: Ended, error: str, words: str) -> bool:
    """Whether a process ended with this error, exit code 5 and no token."""
    return (ended.error, ended.exit_code, ended.digest) == (error, 5, None) and words in ended.words


class TestLock:
    @pytest.mark.parametrize("had_before", [False, True])
    def test_a_read_only_disk(self, disk: Disk, had_before: bool) -> None:
        """With or without an existing lock file: exit 5, no request, and nothing is lost."""
        disk.scene.log_in()
        if had_before:
            disk.scene.renew()
            disk.scene.clock.at += LIFE
        before = disk.scene.sandbox.counters.token_requests
        disk.mount("remount,ro")
        assert is_exit_5(disk.ask(), "StoreUnavailable", "Read-only file system")
        assert disk.scene.sandbox.counters.token_requests == before
        disk.mount("remount,rw")
        assert disk.works_again()

    def test_a_read_only_disk_hands_out_a_good_token(self, disk: Disk, cli: Cli) -> None:
        """A valid token needs no lock, so the command prints it."""
        with Sandbox() as sandbox:
            clock = Clock()
            clock.at = sandbox.now()
            scene = Scene(disk.scene.store, sandbox, clock)
            grant = scene.log_in(age=0)
            disk.mount("remount,ro")
            store = {"WITHINGS_AUTH_STORE": f"file:{disk.place / 'store'}"}
            assert cli("token", env=store, allow=[grant.access_token]).stdout == f"{grant.access_token}\n"
            disk.mount("remount,rw")

    def test_no_room_for_a_lock_file(self, disk: Disk) -> None:
        """A disk that has run out of inodes."""
        disk.scene.log_in()
        disk.fill_with_empty_files()
        assert is_exit_5(disk.ask(), "StoreUnavailable", "No space left on device")
        assert disk.scene.sandbox.counters.token_requests == 0
        disk.make_room()
        assert disk.works_again()

    def test_a_directory_in_its_place(self, file_scene: Scene, directory: Path, processes: Processes) -> None:
        """Anything but a lock file is an error, and never leads to a renewal without a lock."""
        file_scene.log_in()
        lock = directory / "token" / "default.lock"
        lock.unlink()
        lock.mkdir()
        assert is_exit_5(processes(f"file:{directory}", file_scene.clock), "StoreUnavailable", "is not safe for locks")
        assert file_scene.sandbox.counters.token_requests == 0
        lock.rmdir()
        assert processes(f"file:{directory}", file_scene.clock).digest == digest(file_scene.stored)


class TestNotes:
    def test_no_room_for_a_note(self, disk: Disk) -> None:
        """No request is sent if the next process could not know about it."""
        old = disk.scene.log_in()
        disk.fill()
        assert is_exit_5(disk.ask(), "StoreUnavailable", "No space left on device")
        assert disk.scene.sandbox.counters.token_requests == 0
        assert disk.scene.stored == old
        disk.make_room()
        assert disk.works_again()

    def test_no_room_for_a_note_by_quota(self, file_scene: Scene, directory: Path, processes: Processes) -> None:
        """A limit on file sizes acts like a full disk, and can be tested without root."""
        old = file_scene.log_in()
        told = processes(f"file:{directory}", file_scene.clock, largest_file_bytes=0)
        assert is_exit_5(told, "StoreUnavailable", "File too large")
        assert file_scene.sandbox.counters.token_requests == 0
        assert file_scene.stored == old
        assert processes(f"file:{directory}", file_scene.clock).digest == digest(file_scene.stored)


class TestSave:
    @pytest.mark.parametrize("later", [0, 7 * HOUR])
    def test_no_room_for_the_new_pair(self, disk: Disk, later: int) -> None:
        """Statements 29 and 30: the note fits, the record does not: no token, and the old record is still good."""
        old = disk.scene.log_in()
        disk.fill(but_pages=1)
        told = disk.ask()
        assert is_exit_5(told, "StoreNotDurable", "No space left on device")
        assert "before 2023-11-15 09:13" in told.words
        assert disk.scene.sandbox.counters.refreshes == 1
        assert disk.scene.stored == old
        disk.make_room()
        disk.scene.clock.at += later
        assert disk.works_again()

    def test_no_room_for_the_new_pair_by_quota(self, file_scene: Scene, directory: Path, processes: Processes) -> None:
        """The same with a limit on file sizes."""
        old = file_scene.log_in()
        told = processes(f"file:{directory}", file_scene.clock, largest_file_bytes=ROOM_FOR_A_NOTE_BYTES)
        assert is_exit_5(told, "StoreNotDurable", "File too large")
        assert file_scene.sandbox.counters.refreshes == 1
        assert file_scene.stored == old
        assert processes(f"file:{directory}", file_scene.clock).digest == digest(file_scene.stored)
        assert file_scene.works(file_scene.stored)


class TestStateDirectory:
    """The records are in a keyring; the lock, the notes and the index are on disk."""

    def test_it_is_read_only(self, disk: Disk, sandbox: Sandbox, clock: Clock) -> None:
        """Exit 5 before any request, as for files."""
        scene = Scene(Keyrings(disk.place / "state")(), sandbox, clock)
        scene.log_in()
        disk.mount("remount,ro")
        with pytest.raises(StoreUnavailable, match="Read-only file system") as caught:
            scene.renew()
        assert caught.value.exit_code == 5
        assert scene.sent == []
        disk.mount("remount,rw")
        assert scene.works(scene.renew())

    def test_it_has_no_room_for_the_index_once_the_keyring_has_the_new_pair(
        self, disk: Disk, sandbox: Sandbox, clock: Clock
    ) -> None:
        """A save that the index misses does not count; but it is there, and the next caller sends nothing."""

        class Filling(MemoryKeyring):
            def set_password(self, service: str, username: str, password: str) -> None:
                super().set_password(service, username, password)
                if scene.sent:
                    disk.fill_with_empty_files()

        open_store = Keyrings(disk.place / "state", Filling())
        scene = Scene(open_store(), sandbox, clock)
        scene.log_in()
        with pytest.raises(StoreNotDurable, match="No space left on device"):
            scene.renew()
        disk.make_room()
        assert scene.works(scene.renew(store=open_store()))
        assert len(scene.sent) == 1
