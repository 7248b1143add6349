"""What is asked of the disk, and in which order: what no later look at a file shows, and what a failing one leaves."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.disks import Disk
from withings_auth.errors import StoreUnavailable
from withings_auth.store.files import (
    NotSynced,
    find_traces,
    make_private_directory,
    remove_leftovers,
    replace_file,
    sync_directory,
)


@pytest.fixture(params=[0, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    assert tmp_path.exists()
    earlier = os.umask(request.param)
    yield
    os.umask(earlier)


@pytest.mark.usefixtures("umask", "no_descriptor_leaks")
class TestReplacing:
    def test_it_is_written_then_synced_then_named_then_its_directory_is_synced(
        self, tmp_path: Path, disk: Disk
    ) -> None:
        """Statement 24: at no moment can others open it, whatever the umask; no link is followed."""
        replace_file(tmp_path / "file", "ä€")
        assert [call for call in disk.calls if not call.startswith(("fchmod", "utime"))] == [
            *("open 600", "fsync 600 5", "replace", "open", "fsync 700 directory")
        ]
        assert disk.flags[0] == os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        assert (tmp_path / "file").read_bytes() == "ä€".encode()
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600

    def test_its_time_is_later_though_the_clock_was_set_back(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        ahead = 4_000_000_000 * 10**9
        os.utime(tmp_path / "file", ns=(ahead, ahead))
        replace_file(tmp_path / "file", "text")
        status = (tmp_path / "file").stat()
        assert (status.st_mtime_ns, status.st_atime_ns) == (ahead + 1, ahead + 1)

    @pytest.mark.parametrize("call", ["open", "fchmod", "fsync", "utime", "replace"])
    @pytest.mark.parametrize("cleans_up", [True, False])
    def test_a_disk_that_fails_leaves_what_was_there(
        self, tmp_path: Path, disk: Disk, call: str, cleans_up: bool
    ) -> None:
        """The first failure is the one that is reported, even if half a file stays."""
        replace_file(tmp_path / "file", "old")
        disk.failing[call] = OSError(errno.ENOSPC, "full")
        if not cleans_up:
            disk.failing["unlink"] = PermissionError(errno.EACCES, "denied")
        with pytest.raises(OSError, match="full") as failed:
            replace_file(tmp_path / "file", "new")
        assert not isinstance(failed.value, NotSynced)
        assert (tmp_path / "file").read_text() == "old"
        assert len(list(tmp_path.iterdir())) == (1 if cleans_up or call == "open" else 2)

    @pytest.mark.parametrize(("error", "why"), [(OSError(errno.EIO, "broken"), "broken"), (OSError(), "OSError")])
    def test_a_replaced_file_that_may_come_back_is_told_apart(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, why: str
    ) -> None:
        def fail_for_directories(descriptor: int) -> None:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise error

        monkeypatch.setattr(os, "fsync", fail_for_directories)
        with pytest.raises(NotSynced) as failed:
            replace_file(tmp_path / "file", "new")
        assert failed.value.errno == error.errno
        assert failed.value.strerror == f"it was replaced, but the disk did not confirm that: {why}"
        assert (tmp_path / "file").read_text() == "new"

    def test_windows_has_neither_modes_nor_directories_to_sync(
        self, tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "platform", "win32")
        monkeypatch.delattr(os, "O_NOFOLLOW")
        monkeypatch.delattr(os, "fchmod")
        replace_file(tmp_path / "file", "text")
        sync_directory(tmp_path / "missing")
        assert disk.flags == [os.O_WRONLY | os.O_CREAT | os.O_EXCL]


class TestLeftovers:
    def test_those_of_the_name_go(self, tmp_path: Path) -> None:
        """What somebody writes under another name stays; a name is no pattern."""
        for name in (".a[b].0f.tmp", ".a[b].json.0f.tmp", ".ab.0f.tmp", ".a[b].0f.txt", "a[b].0f.tmp"):
            (tmp_path / name).touch()
        replace_file(tmp_path / "a[b]", "text")
        assert {path.name for path in tmp_path.iterdir()} == {"a[b]", ".ab.0f.tmp", ".a[b].0f.txt", "a[b].0f.tmp"}

    def test_one_that_goes_by_itself_is_no_failure(self, tmp_path: Path, disk: Disk) -> None:
        (tmp_path / ".file.0f.tmp").touch()
        disk.failing["unlink"] = FileNotFoundError(errno.ENOENT, "gone")
        remove_leftovers(tmp_path / "file")
        assert disk.calls[-1] == "unlink"
        remove_leftovers(tmp_path / "missing" / "file")

    def test_traces_name_what_they_belong_to(self, tmp_path: Path) -> None:
        """Notes, and half a file of any kind; each name once, sorted."""
        assert find_traces(tmp_path / "missing") == []
        names = ["token/b.attempt", "token/.b.json.0f.tmp", "app/.x.y.stamp.0123.tmp", "token/a.attempt"]
        others = ["token/a.json", "token/.half", "token/.tmp", "token/.a.tmp", "token/.a.json.0G.tmp", "a.attempt"]
        for name in names + others:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        assert find_traces(tmp_path) == ["app/x.y", "token/a", "token/b"]

    def test_a_place_that_cannot_be_searched_is_an_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise OSError(errno.EIO, "broken")

        monkeypatch.setattr(Path, "glob", fail)
        with pytest.raises(StoreUnavailable, match=f"^cannot use {tmp_path}: broken"):
            find_traces(tmp_path)


@pytest.mark.usefixtures("no_descriptor_leaks")
class TestDirectories:
    @pytest.mark.usefixtures("umask")
    def test_they_are_private_from_the_start_and_their_names_are_synced(self, tmp_path: Path, disk: Disk) -> None:
        """Whatever the umask; nobody gets in before the mode is set."""
        make_private_directory(tmp_path / "a" / "b")
        assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b")} == {0o700}
        assert [call for call in disk.calls if call.startswith("chmod")] in (["chmod 700"] * 2, ["chmod 0"] * 2)
        assert [call for call in disk.calls if call.startswith("fsync")] == ["fsync 700 directory"] * 2
        disk.calls.clear()
        make_private_directory(tmp_path / "a" / "b")
        assert disk.calls == []

    @pytest.mark.parametrize("call", ["fsync", "chmod"])
    def test_one_that_is_not_durable_is_taken_back(self, tmp_path: Path, disk: Disk, call: str) -> None:
        """Even if that fails too, the first failure is the one that is reported."""
        disk.failing[call] = OSError(errno.EIO, "broken")
        with pytest.raises(OSError, match="broken"):
            make_private_directory(tmp_path / "new")
        assert not (tmp_path / "new").exists()
        disk.failing["rmdir"] = OSError(errno.EBUSY, "busy")
        with pytest.raises(OSError, match="broken"):
            make_private_directory(tmp_path / "new")
        assert (tmp_path / "new").exists()

    def test_a_parent_that_cannot_be_read_need_not_be_synced(self, tmp_path: Path, disk: Disk) -> None:
        disk.failing["fsync"] = PermissionError(errno.EACCES, "denied")
        make_private_directory(tmp_path / "new")
        assert (tmp_path / "new").exists()

    @pytest.mark.parametrize("fails", [True, False])
    def test_another_programs_is_synced_and_stays_as_it_is(
        self, tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, fails: bool
    ) -> None:
        """It was made just before ours."""
        mkdir = os.mkdir

        def come_first(path: Path, mode: int) -> None:
            mkdir(path, 0o755)
            mkdir(path, mode)

        monkeypatch.setattr(os, "mkdir", come_first)
        if fails:
            disk.failing["fsync"] = OSError(errno.EIO, "broken")
            with pytest.raises(OSError, match="broken"):
                make_private_directory(tmp_path / "new")
        else:
            make_private_directory(tmp_path / "new")
        assert "fsync 700 directory" in disk.calls
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o755

    def test_a_file_in_its_place_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(FileExistsError):
            make_private_directory(tmp_path / "file")
