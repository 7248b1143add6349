"""A record in a file, read and under its lock: each refusal and each failing call of the disk, and what stays."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.store.disks import Disk
from withings_auth.errors import StoreCorrupt, StoreError, StoreNotDurable, StoreUnavailable
from withings_auth.store.base import HeldName, latest_note
from withings_auth.store.file_store import LARGEST_RECORD_BYTES, FileStore

TOKEN = "token/default"
FILM_BYTES = 1 << 42
ANOTHER = "choose another directory, which is created for you: withings-auth configure --store file:DIRECTORY"
FULL, BROKEN = OSError(errno.ENOSPC, "No space left"), OSError(errno.EIO, "broken")

pytestmark = pytest.mark.usefixtures("no_descriptor_leaks")


@pytest.fixture
def store(directory: Path) -> FileStore:
    return FileStore(directory)


@pytest.fixture
def path(store: FileStore) -> Path:
    """A record with the text “old”."""
    with store.lock(TOKEN, 1) as held:
        held.save("old")
    return store.directory / "token/default.json"


@pytest.fixture
def held(store: FileStore, path: Path) -> Iterator[HeldName]:
    assert path.exists()
    with store.lock(TOKEN, 1) as held:
        yield held


class TestReading:
    def test_no_link_is_followed_and_nothing_is_waited_for(
        self, store: FileStore, path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert path.exists()
        without_links = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW
        assert (store.load(TOKEN), disk.flags) == ("old", [without_links])
        monkeypatch.delattr(os, "O_NOFOLLOW")  # as on Windows
        assert (store.load(TOKEN), disk.flags[1:]) == ("old", [os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY])

    def test_what_took_its_place_is_looked_at_again(
        self, store: FileStore, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = {each: each.lstat() for each in (path, *path.parents[:2])}
        path.chmod(0o640)
        monkeypatch.setattr(Path, "lstat", lambda path: before[path])
        with pytest.raises(StoreUnavailable) as refused:
            store.load(TOKEN)
        assert str(refused.value) == f"{path} is not safe for secrets: other users have access"

    @pytest.mark.parametrize(("kind", "hint"), [("token", "withings-auth login --replace"), ("x", "move it away")])
    def test_a_file_has_a_limit(self, store: FileStore, path: Path, kind: str, hint: str) -> None:
        """One that is larger is neither cut nor read to its end; what is to be done depends on its kind."""
        assert LARGEST_RECORD_BYTES == 65_536
        if kind != "token":
            path.parent.rename(store.directory / kind)
            path = store.directory / kind / path.name
        path.write_bytes(b"x" * LARGEST_RECORD_BYTES)
        assert store.load(f"{kind}/default") == "x" * LARGEST_RECORD_BYTES
        os.truncate(path, FILM_BYTES)
        with pytest.raises(StoreCorrupt) as refused:
            store.load(f"{kind}/default")
        assert str(refused.value) == f"{path} is not a withings-auth record"
        assert refused.value.hint.startswith("it was left in place; ")
        assert hint in refused.value.hint

    def test_a_link_in_its_place_is_named_with_a_way_out(self, store: FileStore, path: Path) -> None:
        """Its stamp is its own, not that of what it leads to."""
        before = store.stamp(TOKEN)
        path.rename(path.with_name("elsewhere"))
        path.symlink_to("elsewhere")
        status = path.lstat()
        assert store.stamp(TOKEN) == (status.st_ino, status.st_mtime_ns) != before
        with pytest.raises(StoreUnavailable, match=f"{path} is not safe for secrets: it is a symbolic link") as refused:
            store.load(TOKEN)
        assert refused.value.hint == ANOTHER

    def test_a_disk_that_fails_is_an_error(self, store: FileStore, path: Path, disk: Disk) -> None:
        disk.failing["open"] = BROKEN
        with pytest.raises(StoreUnavailable, match=f"cannot use {path}: broken"):
            store.load(TOKEN)

    def test_a_place_that_cannot_be_looked_at_is_an_error(self, home: Path) -> None:
        """A file is where a directory of the path should be."""
        (home / "file").touch()
        store = FileStore(home / "file" / "store")
        uses: list[Callable[[], object]] = [
            lambda: store.load(TOKEN),
            store.names,
            lambda: store.lock(TOKEN, 1).__enter__(),
        ]
        for use in uses:
            with pytest.raises(StoreUnavailable, match=r"cannot use .*/file/store.*: Not a directory"):
                use()
        assert store.stamp(TOKEN) is None

    def test_names_are_not_read_in_an_unsafe_place(self, store: FileStore, path: Path) -> None:
        store.directory.chmod(0o750)
        with pytest.raises(StoreUnavailable) as refused:
            store.names()
        assert refused.value.hint == f"chmod 700 {store.directory}"
        assert path.exists()

    def test_a_store_that_is_not_there_has_nothing(self, store: FileStore, directory: Path) -> None:
        assert (store.load(TOKEN), store.names(), store.traces()) == (None, [], [])
        assert store.description == f"files in {directory}"
        (directory / "token").mkdir(parents=True, mode=0o700)
        (directory / "token/a.attempt").touch()
        assert store.traces() == ["token/a"]

    def test_the_latest_note_is_seen_from_outside(self, store: FileStore, held: HeldName) -> None:
        assert latest_note(store, TOKEN) is None
        held.notes.note("text")
        assert latest_note(store, TOKEN) == "text"


class TestSaving:
    def test_a_directory_that_went_is_made_again(self, store: FileStore, held: HeldName) -> None:
        """A renewed pair is not lost to whoever removed it meanwhile."""
        shutil.rmtree(store.directory)
        held.save("new")
        assert store.load(TOKEN) == "new"
        assert stat.S_IMODE(store.directory.stat().st_mode) == 0o700

    @pytest.mark.parametrize(
        ("call", "error", "why"),
        [("replace", FULL, "No space left"), ("mkdir", BROKEN, "broken"), ("open", OSError(), "OSError")],
    )
    def test_a_disk_that_fails_leaves_what_was_there(
        self, store: FileStore, path: Path, held: HeldName, disk: Disk, call: str, error: OSError, why: str
    ) -> None:
        if call == "mkdir":
            shutil.rmtree(store.directory)
        disk.failing[call] = error
        with pytest.raises(StoreNotDurable) as failed:
            held.save("new")
        disk.failing.clear()
        assert str(failed.value) == f"cannot save {path}: {why}"
        assert failed.value.hint == (
            "the directory must be writable and the disk must have free space; the record is unchanged"
        )
        assert store.load(TOKEN) == (None if call == "mkdir" else "old")

    def test_what_is_not_read_back_is_not_saved(
        self, path: Path, held: HeldName, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As if another program wrote there, without the lock."""
        replace = os.replace

        def replace_and_spoil(source: Path, target: Path) -> None:
            replace(source, target)
            path.write_text("theirs")

        monkeypatch.setattr(os, "replace", replace_and_spoil)
        with pytest.raises(StoreNotDurable) as failed:
            held.save("new")
        assert str(failed.value) == f"{path} does not hold what was just written to it"
        assert failed.value.hint == "check the disk; another program may be writing there"


def spoil_directory(path: Path) -> None:
    path.parent.chmod(0o710)


def spoil_store(path: Path) -> None:
    path.parent.parent.chmod(0o701)


def spoil_record(path: Path) -> None:
    path.chmod(0o604)


@pytest.mark.parametrize("spoil", [spoil_directory, spoil_store, spoil_record])
def test_what_becomes_unsafe_under_the_lock_is_left_alone(
    path: Path, held: HeldName, spoil: Callable[[Path], None]
) -> None:
    """Only an unsafe record itself is removed."""
    spoil(path)
    with pytest.raises(StoreUnavailable, match="is not safe for secrets: other users have access") as refused:
        held.save("new")
    assert str(refused.value).startswith(str(path.parent.parent))
    assert path.read_text() == "old"
    if spoil is spoil_record:
        assert held.clear() is True
        return
    with pytest.raises(StoreUnavailable, match="is not safe for secrets: other users have access"):
        held.clear()
    assert path.read_text() == "old"


class TestClearing:
    def test_it_is_durable_and_says_whether_there_was_one(self, path: Path, held: HeldName, disk: Disk) -> None:
        (path.with_name(".default.json.0f.tmp")).touch()
        disk.calls.clear()
        assert held.clear() is True
        assert [call for call in disk.calls if call != "open"] == ["unlink", "unlink", "fsync 700 directory"]
        disk.calls.clear()
        assert held.clear() is False
        assert disk.calls == ["unlink"]

    @pytest.mark.parametrize("call", ["unlink", "fsync"])
    def test_a_disk_that_fails_is_an_error(self, path: Path, held: HeldName, disk: Disk, call: str) -> None:
        disk.failing[call] = BROKEN
        with pytest.raises(StoreError, match=f"cannot use {path}: broken") as failed:
            held.clear()
        assert type(failed.value) is StoreUnavailable
