"""What the doctor says about the permissions of files and about locks."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.store.keyrings import Keyrings
from tests.store.test_file_system import write_mounts
from tests.support.stores import Wrapped
from withings_auth.doctor import storage
from withings_auth.doctor.results import Verdict, ok, run_check
from withings_auth.doctor.storage import lock_directory
from withings_auth.store import open_named_store
from withings_auth.store.base import HeldName
from withings_auth.store.file_store import FileStore
from withings_auth.store.keyring_store import KeyringStore
from withings_auth.store.memory_store import MemoryStore


@pytest.mark.skipif(os.name != "posix", reason="modes and owners are POSIX'")
class TestPermissions:
    def test_files_for_their_owner_alone(self, files: FileStore) -> None:
        """Statement 24: as the store itself judges them."""
        assert storage.check_permissions(files) == ok(f"files in {files.directory} are for you alone (2 records)")

    def test_a_store_that_does_not_exist_yet(self, tmp_path: Path) -> None:
        result = storage.check_permissions(FileStore(tmp_path / "store"))
        assert result == ok(f"files in {tmp_path}/store do not exist yet; the first login creates them for you alone")

    @pytest.mark.parametrize(("wide", "mode"), [("", 0o755), ("token", 0o750), ("token/default.json", 0o640)])
    def test_other_users_are_let_in(self, files: FileStore, wide: str, mode: int) -> None:
        """Statement 24: the directory, one inside it, or a file; the remedy is the command to type."""
        (files.directory / wide).chmod(mode)
        result = run_check(lambda: storage.check_permissions(files))
        assert (result.verdict, "other users have access" in result.words) == (Verdict.FAILED, True)
        assert result.remedy.startswith(f"chmod {'600' if wide.endswith('.json') else '700'} {files.directory}")

    def test_every_error_is_reported(self, files: FileStore, tmp_path: Path) -> None:
        """A link and a wide mode at once."""
        (files.directory / "token" / "default.json").rename(tmp_path / "elsewhere")
        (files.directory / "token" / "default.json").symlink_to(tmp_path / "elsewhere")
        (files.directory / "app" / "abcdefgh.json").chmod(0o644)
        result = storage.check_permissions(files)
        assert result.verdict is Verdict.FAILED
        assert "it is a symbolic link" in result.words
        assert "other users have access" in result.words

    @pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root can give a file away")
    def test_another_owner(self, files: FileStore) -> None:
        os.chown(files.directory / "token" / "default.json", 12345, -1)
        assert "it belongs to another user" in storage.check_permissions(files).words

    def test_a_keyring_has_none(self, tmp_path: Path) -> None:
        assert storage.check_permissions(Keyrings(tmp_path)()).verdict is Verdict.SKIPPED


class TestLocks:
    @pytest.fixture
    def mounts(self, tmp_path: Path) -> Path:
        """A list of mounts without a network file system."""
        return write_mounts(tmp_path, "ext4")

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the type")
    def test_nobody_else_gets_the_lock(self, files: FileStore, mounts: Path) -> None:
        before = set(files.directory.rglob("*"))
        result = storage.check_locks(files, files.directory, mounts=mounts)
        assert result == ok(f"a lock in {files.directory} keeps others out (ext4)")
        assert set(files.directory.rglob("*")) == before

    def test_a_hostile_name_is_shown_escaped(self, tmp_path: Path) -> None:
        """Statement 35: names from outside do not reach a terminal unescaped."""
        store = FileStore(tmp_path / "a\x1b[2Jb\nc")
        results = [
            storage.check_backend(store),
            storage.check_permissions(store),
            storage.check_locks(store, store.directory),
        ]
        assert [line.verdict for line in results] == [Verdict.OK] * 3
        assert all("a\\x1b[2Jb\\nc" in line.words and line.words.isprintable() for line in results)

    def test_the_lock_of_a_keyring_is_in_the_state_directory(self, tmp_path: Path, mounts: Path) -> None:
        """The keyring itself is not asked, so one that hangs does not delay this."""
        store = KeyringStore(tmp_path / "state", choose=lambda: pytest.fail("the keyring was asked"))
        assert lock_directory(store, tmp_path / "state") == tmp_path / "state"
        assert storage.check_locks(store, tmp_path / "state", mounts=mounts).verdict is Verdict.OK
        assert not (tmp_path / "state").exists()

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the type")
    def test_a_shared_file_system_is_a_warning(self, files: FileStore, tmp_path: Path) -> None:
        """The lock holds here, but others may not see it."""
        result = storage.check_locks(files, files.directory, mounts=write_mounts(tmp_path, "fuse.sshfs"))
        assert result.verdict is Verdict.WARNING
        assert "others may share its file system (fuse.sshfs)" in result.words
        assert "README.md" in result.remedy

    def test_a_lock_that_lets_two_in_is_detected(self, tmp_path: Path) -> None:
        class Open(Wrapped):
            def lock(self, name: str, timeout: float) -> AbstractContextManager[HeldName]:
                return MemoryStore().lock(name, timeout)

        result = storage.check_locks(Open(MemoryStore()), tmp_path)
        assert result.verdict is Verdict.FAILED
        assert "lets two programs in at once" in result.words

    def test_a_directory_that_cannot_be_created(self, tmp_path: Path) -> None:
        """As in a read-only home: the error of the store, with its remedy."""
        (tmp_path / "file").touch()
        result = run_check(lambda: storage.check_locks(KeyringStore(tmp_path / "file"), tmp_path / "file"))
        assert result.verdict is Verdict.FAILED
        assert result.words.startswith(f"cannot use {tmp_path}/file/probe/")
        assert "free space and file locks" in result.remedy


def test_the_directory_of_the_locks(tmp_path: Path) -> None:
    opened = open_named_store(f"file:{tmp_path}/store", tmp_path / "state")
    assert lock_directory(opened, tmp_path / "state") == tmp_path / "store"
