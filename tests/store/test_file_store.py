"""Secrets in files: only their owner can read them; an unsafe place is refused and left unchanged."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.stores import clear_record, save_record
from withings_auth.errors import ConfigurationError, StoreCorrupt, StoreError, StoreUnavailable
from withings_auth.store import open_named_store
from withings_auth.store.file_store import LARGEST_RECORD_BYTES, FileStore
from withings_auth.store.records import token_name

if TYPE_CHECKING:
    from tests.support.programs import Cli

TOKEN = token_name("default")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The directory of a store that holds one record, the text “old”."""
    directory = tmp_path / "secrets"
    save_record(FileStore(directory), TOKEN, "old")
    return directory


def modes(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): f"{stat.S_IMODE(path.lstat().st_mode):o}" for path in [root, *root.rglob("*")]}


def pictures(root: Path) -> dict[str, tuple[int, int, int, bytes | str]]:
    """Returns everything below a directory that a refused store must not change."""
    seen: dict[str, tuple[int, int, int, bytes | str]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content: bytes | str = b""
        if stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        elif stat.S_ISLNK(status.st_mode):
            content = str(path.readlink())
        seen[str(path.relative_to(root))] = (status.st_ino, status.st_mode, status.st_uid, content)
    return seen


SAVE_WATCHED = """
import os, stat, sys
from pathlib import Path
from tests.support.stores import save_record
from withings_auth.store.file_store import FileStore

def watch(event, arguments):
    # os.utime and os.rename come after the content was written, before the record has its name
    if event in {"os.utime", "os.rename"} and str(arguments[0]).endswith(".tmp"):
        print(f"{stat.S_IMODE(os.stat(str(arguments[0])).st_mode):o}")
    if event == "open" and str(arguments[0]).endswith(".tmp"):
        assert arguments[2] & os.O_EXCL
        assert arguments[2] & os.O_NOFOLLOW
        print("opened")

sys.addaudithook(watch)
os.umask(0)
save_record(FileStore(Path(sys.argv[1])), "token/default", "text")
"""


class TestModes:
    @pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o277], ids=oct)
    def test_everything_is_private_whatever_the_umask(self, tmp_path: Path, umask: int) -> None:
        """Statement 24: records, locks and notes are 0600, and the directories above them 0700, under any umask."""
        earlier = os.umask(umask)
        try:
            store = FileStore(tmp_path / "new" / "secrets")
            with store.lock(TOKEN, 1) as held:
                held.notes.note("noted")
                held.save("text")
        except StoreError:
            assert umask == 0o277  # a umask that keeps out the owner too: an error, never a wider mode
        finally:
            os.umask(earlier)
        found = modes(tmp_path / "new")
        assert found["secrets"] in {"700", "500"}
        assert set(found.values()) <= {"700", "600", "500", "400"}

    def test_a_record_is_private_from_the_moment_it_is_made(self, python: Cli, tmp_path: Path) -> None:
        """Statement 24: the file that becomes the record is never readable by others, not even for a moment."""
        saved = python(SAVE_WATCHED, str(tmp_path / "secrets"))  # in a process that ends: a hook cannot be removed
        assert (saved.stdout, saved.stderr) == ("opened\n600\n600\n", "")


def _link_record(directory: Path) -> None:
    (directory / "token/default.json").rename(directory.parent / "elsewhere")
    (directory / "token/default.json").symlink_to(directory.parent / "elsewhere")


def _dangling_link(directory: Path) -> None:
    (directory / "token/default.json").unlink()
    (directory / "token/default.json").symlink_to(directory.parent / "nothing")


def _link_kind(directory: Path) -> None:
    (directory / "token").rename(directory.parent / "elsewhere")
    (directory / "token").symlink_to(directory.parent / "elsewhere")


def _link_directory(directory: Path) -> None:
    directory.rename(directory.parent / "elsewhere")
    directory.symlink_to(directory.parent / "elsewhere")


def _pipe(directory: Path) -> None:
    (directory / "token/default.json").unlink()
    os.mkfifo(directory / "token/default.json", 0o600)


def _socket(directory: Path) -> None:
    (directory / "token/default.json").unlink()
    with closing(socket.socket(socket.AF_UNIX)) as made:
        here = Path.cwd()
        os.chdir(directory)  # the address of a socket has 108 bytes at most
        made.bind("token/default.json")
        os.chdir(here)


def _directory_in_its_place(directory: Path) -> None:
    (directory / "token/default.json").unlink()
    (directory / "token/default.json").mkdir(0o700)


def _file_as_kind(directory: Path) -> None:
    shutil.rmtree(directory / "token")
    (directory / "token").touch(0o600)


def _mode(mode: int, path: str) -> Callable[[Path], None]:
    return lambda directory: (directory / path).chmod(mode)


def _owner(path: str) -> Callable[[Path], None]:
    return lambda directory: os.chown(directory / path, 12345, 12345)


UNSAFE = [
    pytest.param(_link_record, "symbolic link", id="record is a link"),
    pytest.param(_dangling_link, "symbolic link", id="record is a link to nothing"),
    pytest.param(_link_kind, "symbolic link", id="kind is a link"),
    pytest.param(_link_directory, "symbolic link", id="directory is a link"),
    pytest.param(_pipe, "not a plain file", id="pipe"),
    pytest.param(_socket, "not a plain file", id="socket"),
    pytest.param(_directory_in_its_place, "not a plain file", id="directory in its place"),
    pytest.param(_file_as_kind, "not a directory", id="file as kind"),
    pytest.param(_mode(0o640, "token/default.json"), "other users", id="group reads"),
    pytest.param(_mode(0o602, "token/default.json"), "other users", id="others write"),
    pytest.param(_mode(0o710, "token"), "other users", id="kind lets the group in"),
    pytest.param(_mode(0o755, ""), "other users", id="directory lets others in"),
    pytest.param(_mode(0o1777, ""), "other users", id="directory like /tmp"),
    pytest.param(_owner("token/default.json"), "another user", id="foreign record", marks=as_root),
    pytest.param(_owner("token"), "another user", id="foreign kind", marks=as_root),
    pytest.param(_owner(""), "another user", id="foreign directory", marks=as_root),
]


class TestUnsafe:
    @pytest.mark.parametrize(("spoil", "why"), UNSAFE)
    def test_it_is_refused_and_left_as_it_was(self, directory: Path, spoil: Callable[[Path], None], why: str) -> None:
        """Statement 24: what others could read or could have put there is neither read nor overwritten; exit code 5."""
        spoil(directory)
        before = pictures(directory.parent)
        store = FileStore(directory)
        for use in (store.load, partial(save_record, store, text="new")):
            with pytest.raises(StoreUnavailable, match=why) as refused:
                use(TOKEN)
            assert refused.value.exit_code == 5
            assert refused.value.hint
        assert pictures(directory.parent) == before

    @pytest.mark.parametrize("spoil", [_link_kind, _link_directory, _mode(0o755, ""), _mode(0o710, "token")])
    def test_an_unsafe_directory_is_not_even_locked_or_cleared(
        self, directory: Path, spoil: Callable[[Path], None]
    ) -> None:
        """Statement 24: nothing is created or removed in somebody else's directory, or through a link."""
        spoil(directory)
        before = pictures(directory.parent)
        store = FileStore(directory)
        with pytest.raises(StoreUnavailable), store.lock(TOKEN, 1):
            pass
        with pytest.raises(StoreUnavailable):
            clear_record(store, TOKEN)
        assert pictures(directory.parent) == before

    @pytest.mark.parametrize("spoil", [_link_record, _pipe, _mode(0o644, "token/default.json")])
    def test_an_unsafe_record_can_be_removed(self, directory: Path, spoil: Callable[[Path], None]) -> None:
        """Statement 34: logging out removes the record itself, whatever it is, but not the target of a link."""
        spoil(directory)
        assert clear_record(FileStore(directory), TOKEN) is True
        assert not (directory / "token/default.json").is_symlink()
        assert FileStore(directory).load(TOKEN) is None
        assert (directory.parent / "elsewhere").exists() == (spoil is _link_record)

    def test_the_command_line_refuses_it_too(self, directory: Path, cli: Cli) -> None:
        """Statement 24: `withings-auth token` ends with exit code 5 and names the file that others can read."""
        (directory / "token/default.json").chmod(0o644)
        ran = cli("token", env={"WITHINGS_AUTH_STORE": f"file:{directory}"})
        assert (ran.returncode, ran.stdout) == (5, "")
        assert "other users have access" in ran.stderr
        assert f"chmod 600 {directory}/token/default.json" in ran.stderr


class TestForeignContent:
    @pytest.mark.parametrize(
        "content",
        [b"\xff\xfe{}", b"{}" + b" " * LARGEST_RECORD_BYTES, b"\x00" * (LARGEST_RECORD_BYTES + 1)],
        ids=["not UTF-8", "too large", "zeros"],
    )
    def test_a_foreign_record_is_corrupt_and_stays(self, directory: Path, content: bytes) -> None:
        """A record that cannot be ours is an error with exit code 5; its content is neither changed nor shown."""
        record = directory / "token/default.json"
        record.write_bytes(content)
        with pytest.raises(StoreCorrupt) as corrupt:
            FileStore(directory).load(TOKEN)
        assert corrupt.value.exit_code == 5
        assert corrupt.value.__context__ is None  # a UnicodeDecodeError would carry the whole content
        assert record.read_bytes() == content


class TestNames:
    @pytest.mark.parametrize("name", ["file:", "file:relative", "file:./x", "file", "files:/x", "", "keyring:", "/x"])
    def test_other_names_are_refused(self, name: str, tmp_path: Path) -> None:
        """Statement 24: a directory is used only if its path is absolute or begins with the home."""
        with pytest.raises(ConfigurationError) as refused:
            open_named_store(name, tmp_path)
        assert refused.value.exit_code == 2
        assert list(tmp_path.iterdir()) == []

    def test_the_tilde_is_the_home(self, home: Path) -> None:
        """`file:~/x` is in the home, and the record has the documented path."""
        save_record(open_named_store("file:~/x", home / "state"), TOKEN, "text")
        assert (home / "x/token/default.json").read_text() == "text"
        assert not (home / "state").exists()

    def test_hostile_text_is_escaped(self, tmp_path: Path) -> None:
        """Statement 35: a store's name, or a directory, that holds terminal sequences is shown escaped."""
        with pytest.raises(ConfigurationError) as refused:
            open_named_store("\x1b]0;x\x07\u202e", tmp_path)
        assert str(refused.value).isprintable()
        hostile = tmp_path / "a\x1b[2Jb"
        store = FileStore(hostile)
        assert store.description.isprintable()
        save_record(store, TOKEN, "text")
        hostile.chmod(0o755)
        with pytest.raises(StoreUnavailable) as unsafe:
            store.load(TOKEN)
        assert (str(unsafe.value) + unsafe.value.hint).isprintable()

    def test_other_files_are_no_records(self, directory: Path) -> None:
        """Other files in the directory are not taken for logins."""
        (directory / "note.json").touch()
        (directory / "token/.hidden.json").touch()
        (directory / "token/default.json~").touch()
        assert FileStore(directory).names() == [TOKEN]
