"""Files are read without waiting, up to a limit, and only if they are plain."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.disks import Disk
from tests.store.keyrings import Keyrings
from tests.support.logins import Desk
from tests.support.other_user import UNKNOWN_UID
from tests.support.programs import UNMEASURED, Cli
from tests.support.stores import clear_record, save_record
from withings_auth.errors import StoreNotDurable
from withings_auth.store.base import SecretStore
from withings_auth.store.file_store import FileStore
from withings_auth.store.files import (
    LARGEST_FILE_BYTES,
    NotPlain,
    open_without_waiting,
    read_note,
    read_plain,
    unusable,
)
from withings_auth.store.own_files import LARGEST_BYTES, Unusual, read_own
from withings_auth.tokens.source import TokenSource

SPECIAL: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "directory": Path.mkdir,
}
FILM_BYTES = 1 << 42
SAFE_FLAGS = os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW
every_special = pytest.mark.parametrize("make", SPECIAL.values(), ids=SPECIAL)


@every_special
def test_only_a_plain_file_is_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Statement 48: anything else is an error at once."""
    make(tmp_path / "file")
    with pytest.raises(NotPlain, match="it is not a regular file"):
        read_plain(tmp_path / "file")


def test_a_pipe_that_took_the_file_s_place_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Statement 48: what is opened is looked at again."""
    (tmp_path / "file").touch()
    before = (tmp_path / "file").stat()
    (tmp_path / "file").unlink()
    os.mkfifo(tmp_path / "file")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", lambda _: before)
        with pytest.raises(NotPlain):
            read_plain(tmp_path / "file")


def test_a_file_has_a_limit(tmp_path: Path) -> None:
    """Statement 48: a larger file is refused as a whole, never cut."""
    file = tmp_path / "file"
    file.write_bytes(b"x" * LARGEST_FILE_BYTES)
    assert len(read_plain(file)) == LARGEST_FILE_BYTES
    file.write_bytes(b"x" * (LARGEST_FILE_BYTES + 1))
    with pytest.raises(OSError, match="it has more than 65,536 bytes"):
        read_plain(file)


class TestReading:
    def test_nothing_is_waited_for_and_no_terminal_takes_over(
        self, tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").touch(0o600)
        disk.flags.clear()
        os.close(open_without_waiting(str(tmp_path / "file"), os.O_RDWR))
        read_own(str(tmp_path / "file"), places=1)
        read_own(str(tmp_path / "file"), places=1, follow=True)
        assert disk.flags == [os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY, SAFE_FLAGS, SAFE_FLAGS & ~os.O_NOFOLLOW]
        for flag in ("O_NONBLOCK", "O_NOCTTY", "O_NOFOLLOW"):  # as on Windows
            monkeypatch.delattr(os, flag)
        os.close(open_without_waiting(str(tmp_path / "file"), os.O_RDWR))
        read_own(str(tmp_path / "file"), places=1)
        assert disk.flags[3:] == [os.O_RDWR, os.O_RDONLY]

    def test_a_special_file_is_not_even_opened(self, tmp_path: Path, disk: Disk) -> None:
        """A device may notice."""
        os.mkfifo(tmp_path / "pipe", 0o600)
        with pytest.raises(NotPlain) as refused:
            read_plain(tmp_path / "pipe")
        assert refused.value.errno == errno.EINVAL
        with pytest.raises(Unusual):
            read_own(str(tmp_path / "pipe"), places=1)
        assert disk.flags == []

    def test_a_film_is_not_read_to_its_end(self, tmp_path: Path) -> None:
        with (tmp_path / "film").open("wb") as film:
            film.truncate(FILM_BYTES)
        (tmp_path / "film").chmod(0o600)
        with pytest.raises(OSError, match="it has more than 65,536 bytes") as refused:
            read_plain(tmp_path / "film")
        assert refused.value.errno == errno.EFBIG
        with pytest.raises(Unusual):
            read_own(str(tmp_path / "film"), places=1)

    def test_the_caller_sees_the_status_of_what_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("text")
        seen: list[os.stat_result] = []
        assert read_plain(tmp_path / "file", most_bytes=4, accept=seen.append) == b"text"
        assert [status.st_ino for status in seen] == [(tmp_path / "file").stat().st_ino]

    @pytest.mark.parametrize(
        ("content", "note"), [(b"a\r\nb\n", "a\r\nb\n"), ("ä".encode(), "ä"), (b"\xff", None), (b"", "")]
    )
    def test_a_note_that_is_no_text_counts_as_none(self, tmp_path: Path, content: bytes, note: str | None) -> None:
        (tmp_path / "note").write_bytes(content)
        assert (read_note(tmp_path / "note"), read_note(tmp_path / "missing")) == (note, None)

    def test_the_limits_are_the_largest_sizes(self, tmp_path: Path) -> None:
        assert (LARGEST_FILE_BYTES, LARGEST_BYTES) == (65_536, 65_536)
        (tmp_path / "file").write_bytes(b"x" * LARGEST_BYTES)
        (tmp_path / "file").chmod(0o600)
        assert len(read_own(str(tmp_path / "file"), places=1) or "") == LARGEST_BYTES


@every_special
@pytest.mark.parametrize("kind", ["file", "keyring"])
def test_notes_that_are_no_file_count_as_none(tmp_path: Path, make: Callable[[Path], None], kind: str) -> None:
    """Statement 48: nobody waits for them."""
    store: SecretStore = FileStore(tmp_path) if kind == "file" else Keyrings(tmp_path)()
    (tmp_path / "token").mkdir(0o700)
    tmp_path.chmod(0o700)
    make(tmp_path / "token/default.attempt")
    with store.lock("token/default", 1) as held:
        assert held.notes.recall() is None


def test_a_pipe_as_notes_does_not_stop_a_renewal(desk: Desk) -> None:
    """Statement 48: the token is renewed, and the notes are a file again."""
    expired = desk.put_login(age=10_800).access_token
    notes = desk.directory / "token/default.attempt"
    os.mkfifo(notes)
    assert TokenSource(store=FileStore(desk.directory)).access_token() != expired
    assert notes.is_file()


UMASK = """
import os, sys, withings_auth.store.lock  # while they can be read
from pathlib import Path
from withings_auth.store.file_store import FileStore
os.getuid() or os.setresuid(65534, 65534, 65534)
os.umask(0o777)
store = FileStore(Path(sys.argv[1]) / "a" / "b")
for text in ("one", "two"):
    with store.lock("token/default", 1) as held:
        held.save(text)
        held.notes.note(text)
        print(store.load("token/default"), held.notes.recall())
"""


def test_a_umask_that_keeps_out_the_owner_is_not_obeyed(python: Cli) -> None:
    """Records, notes, locks and their directories are their owner's to use."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o777)
        ran = python(UMASK, place, env=UNMEASURED)
        assert (ran.stdout, ran.stderr) == ("one one\ntwo two\n", "")
        found = {path.name: path.stat().st_mode & 0o777 for path in Path(place).rglob("*")}
    assert set(found) == {"a", "b", "token", "default.json", "default.lock", "default.attempt"}
    assert {mode for name, mode in found.items() if "default" in name} == {0o600}
    assert {mode for name, mode in found.items() if "default" not in name} == {0o700}


def refuse_to_sync_directories(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk confirms no change of a directory from now on."""
    fsync = os.fsync

    def refuse(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)


def test_an_unconfirmed_save_says_what_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new record is in place, so no message says that nothing has changed."""
    store = FileStore(tmp_path / "store")
    save_record(store, "token/default", "old")
    refuse_to_sync_directories(monkeypatch)
    with pytest.raises(StoreNotDurable, match="it was replaced, but the disk did not confirm that: Input") as failed:
        save_record(store, "token/default", "new")
    assert failed.value.hint == "check the disk: after a power cut the earlier record may be back"
    assert store.load("token/default") == "new"


def test_an_unconfirmed_name_in_the_index_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keyring has the record, and the index repairs itself."""
    store = Keyrings(tmp_path)()
    save_record(store, "token/default", "old")
    refuse_to_sync_directories(monkeypatch)
    save_record(store, "token/default", "text")
    assert store.names() == ["token/default"]
    assert clear_record(store, "token/default") is True
    assert (tmp_path / "token/default.stamp").exists()


DEFAULT = "the directory must be writable, on a disk with free space and file locks"
DENIED, FULL = PermissionError(errno.EACCES, "Permission denied"), OSError(errno.ENOSPC, "No space left")


@pytest.mark.parametrize(
    ("error", "platform", "user", "blames_the_owner", "why"),
    [
        (DENIED, "linux", UNKNOWN_UID, True, "Permission denied"),
        (DENIED, "linux", None, False, "Permission denied"),
        (FULL, "linux", UNKNOWN_UID, False, "No space left"),
        (DENIED, "win32", UNKNOWN_UID, False, "Permission denied"),
        (OSError(), "linux", UNKNOWN_UID, False, "OSError"),
    ],
)
def test_what_cannot_be_used(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: OSError,
    platform: str,
    user: int | None,
    blames_the_owner: bool,
    why: str,
) -> None:
    """Only a refusal in another user's directory has another user to ask."""
    monkeypatch.setattr(sys, "platform", platform)
    if user is not None:
        monkeypatch.setattr(os, "geteuid", lambda: user)
    failed = unusable(tmp_path / "a\x1bb" / "file", error)
    assert str(failed) == f"cannot use {tmp_path}/a\\x1bb/file: {why}"
    blames = f"{tmp_path} belongs to user {tmp_path.stat().st_uid}, and this is user {user}: "
    assert failed.hint.startswith(blames if blames_the_owner else DEFAULT)
