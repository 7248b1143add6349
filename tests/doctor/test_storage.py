"""What is said of a store, good ones and bad ones; and that nothing of the try is left in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.store.keyrings import CuttingKeyring, ForgettingKeyring, Keyrings, MemoryKeyring, StubbornKeyring
from tests.support.stores import Wrapped, save_record
from withings_auth.doctor import storage
from withings_auth.doctor.findings import Found, Verdict, ok, tried
from withings_auth.doctor.probe import place_of
from withings_auth.store import open_named_store
from withings_auth.store.backends import Backend
from withings_auth.store.base import HeldName, SecretStore
from withings_auth.store.file_store import FileStore
from withings_auth.store.keyring_store import KeyringStore
from withings_auth.store.memory_store import MemoryStore

if TYPE_CHECKING:
    from tests.support.keyring_daemon import Bus, SecretService

MILLISECOND = 0.001


def ticking(step_seconds: float) -> Callable[[], float]:
    """A clock that goes on by so much whenever it is looked at."""
    ticks = count()
    return lambda: next(ticks) * step_seconds


def judged(store: SecretStore, place: Path, step_seconds: float = 34 * MILLISECOND) -> Found:
    """The finding of `writable`, as the checklist gets it."""
    return tried(lambda: storage.writable(store, place, clock=ticking(step_seconds)), seconds=None)


@pytest.fixture
def files(tmp_path: Path) -> FileStore:
    """A store with two records."""
    store = FileStore(tmp_path / "store")
    save_record(store, "token/default", "{}")
    save_record(store, "app/abcdefgh", "{}")
    return store


class TestWritable:
    def test_files(self, files: FileStore) -> None:
        """A record is saved, read and removed; the store is as it was, to the last directory."""
        before = set(files.directory.rglob("*"))
        assert judged(files, files.directory) == ok("a record was saved, read and removed in 34 ms")
        assert set(files.directory.rglob("*")) == before

    def test_a_place_that_is_not_there_yet_is_not_there_afterwards(self, tmp_path: Path) -> None:
        store = FileStore(tmp_path / "a" / "store")
        assert judged(store, store.directory).verdict is Verdict.OK
        assert list(tmp_path.iterdir()) == []

    def test_a_keyring(self, tmp_path: Path) -> None:
        opened = Keyrings(tmp_path / "state")
        assert judged(opened(), tmp_path / "state").verdict is Verdict.OK
        assert opened().names() == []
        assert list(tmp_path.iterdir()) == []

    def test_a_slow_one_is_worth_a_look(self, files: FileStore) -> None:
        found = judged(files, files.directory, 2.5)
        assert (found.verdict, found.words) == (
            Verdict.WARNING,
            "a record was saved, read and removed in 2500 ms, which is slow",
        )

    @pytest.mark.parametrize("keyring", [ForgettingKeyring, CuttingKeyring, StubbornKeyring])
    def test_a_keyring_that_lies_is_found_out(self, tmp_path: Path, keyring: type) -> None:
        """One that forgets, one that cuts off, and one that does not remove."""
        found = judged(Keyrings(tmp_path / "state", keyring())(), tmp_path / "state")
        assert found.verdict is Verdict.FAILED
        assert found.remedy

    def test_a_store_that_keeps_what_it_removed_is_found_out(self, tmp_path: Path) -> None:
        """Any `SecretStore` is judged by what it does."""

        class Keeping(Wrapped):
            def clear(self, held: HeldName, name: str) -> bool:  # noqa: ARG002
                return self.load(name) is not None

        found = judged(Keeping(MemoryStore()), tmp_path)
        assert (found.verdict, "did not remove" in found.words) == (Verdict.FAILED, True)

    def test_a_store_that_cuts_off_is_found_out(self, tmp_path: Path) -> None:
        class Cutting(Wrapped):
            def save(self, held: HeldName, name: str, text: str) -> None:  # noqa: ARG002
                held.save(text[:5])

        found = judged(Cutting(MemoryStore()), tmp_path)
        assert (found.verdict, "did not keep" in found.words) == (Verdict.FAILED, True)

    @pytest.mark.parametrize("step", ["save", "load", "clear"])
    @pytest.mark.parametrize("moment", ["before", "after"])
    @pytest.mark.parametrize("kind", ["file", "keyring"])
    def test_an_interrupt_leaves_nothing(self, tmp_path: Path, kind: str, step: str, moment: str) -> None:
        """Ctrl-C before or after any of its steps: the record is removed all the same."""
        pressed: list[str] = []

        class Interrupted(Wrapped):
            def _strike(self, now_step: str, now_moment: str) -> None:
                if (now_step, now_moment) == (step, moment) and not pressed:
                    pressed.append("Ctrl-C")
                    raise KeyboardInterrupt

            def save(self, held: HeldName, name: str, text: str) -> None:  # noqa: ARG002
                self._strike("save", "before")
                held.save(text)
                self._strike("save", "after")

            def load(self, name: str) -> str | None:
                self._strike("load", "before")
                text = super().load(name)
                self._strike("load", "after")
                return text

            def clear(self, held: HeldName, name: str) -> bool:  # noqa: ARG002
                self._strike("clear", "before")
                cleared = held.clear()
                self._strike("clear", "after")
                return cleared

        keyring = MemoryKeyring()
        chosen = Backend(keyring=keyring, description="the test's keyring", replaces_by_deleting=True)
        place = tmp_path / "place"
        store = Interrupted(KeyringStore(place, choose=lambda: chosen) if kind == "keyring" else FileStore(place))
        with pytest.raises(KeyboardInterrupt):
            judged(store, place)
        assert pressed
        assert keyring.held == {}
        assert list(tmp_path.iterdir()) == []


class TestBackend:
    def test_files(self, tmp_path: Path) -> None:
        assert storage.backend(FileStore(tmp_path)) == ok(f"files in {tmp_path}, as was set; no keyring is asked")

    def test_the_desktops_keyring_and_the_reasons_against_others(
        self, tmp_path: Path, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Statement 39: each other backend is named, with why it is not used."""
        secret_service.enter(monkeypatch)
        found = storage.backend(KeyringStore(tmp_path))
        assert found.verdict is Verdict.OK
        assert found.words.startswith("the keyring of this desktop (Secret Service); not used: ")
        assert "kwallet: " in found.words

    @pytest.mark.skipif(sys.platform != "linux", reason="KWallet is on Linux")
    @pytest.mark.parametrize(("priority", "best"), [(99, True), (0.1, False)])
    def test_the_best_of_two_usable_ones_and_the_other(
        self,
        tmp_path: Path,
        secret_service: SecretService,
        monkeypatch: pytest.MonkeyPatch,
        priority: float,
        best: bool,
    ) -> None:
        """Which one comes first is for keyring's own order to say, and the second one is named."""
        module = "keyring.backends.kwallet"
        usable = type("DBusKeyring", (MemoryKeyring,), {"priority": priority, "__module__": module})
        monkeypatch.setattr(f"{module}.DBusKeyring", usable)
        secret_service.enter(monkeypatch)
        words = storage.backend(KeyringStore(tmp_path)).words
        first, second = ("KWallet", "SecretService") if best else ("the keyring of this desktop", "kwallet")
        assert words.startswith(first)
        assert f"; not used: {second}: comes after it" in words

    def test_none_is_usable(
        self, tmp_path: Path, bus_without_secret_service: Bus, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bus_without_secret_service.enter(monkeypatch)
        found = tried(lambda: storage.backend(KeyringStore(tmp_path)))
        assert (found.verdict, found.words[:19]) == (Verdict.FAILED, "no usable keyring: ")
        assert "WITHINGS_AUTH_STORE=file:" in found.remedy

    def test_one_that_a_person_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret_service: SecretService
    ) -> None:
        """A known one is well; of any other it is said that nobody knows whether it protects what it keeps."""
        secret_service.enter(monkeypatch)
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
        found = storage.backend(KeyringStore(tmp_path))
        assert found.verdict is Verdict.WARNING
        assert "the keyring keyring.backends.null.Keyring, named by PYTHON_KEYRING_BACKEND" in found.words
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.SecretService.Keyring")
        found = storage.backend(KeyringStore(tmp_path))
        assert found == ok(
            "the keyring of this desktop (Secret Service), named by PYTHON_KEYRING_BACKEND or keyringrc.cfg"
        )


@pytest.mark.skipif(os.name != "posix", reason="modes and owners are POSIX'")
class TestPermissions:
    def test_files_for_their_owner_alone(self, files: FileStore) -> None:
        """Statement 24: as the store itself judges them."""
        assert storage.permissions(files) == ok(f"files in {files.directory} are for you alone (2 records)")

    def test_a_store_that_is_not_there_yet(self, tmp_path: Path) -> None:
        found = storage.permissions(FileStore(tmp_path / "store"))
        assert found == ok(f"files in {tmp_path}/store are made by the first login, for you alone")

    @pytest.mark.parametrize(("wide", "mode"), [("", 0o755), ("token", 0o750), ("token/default.json", 0o640)])
    def test_others_are_let_in(self, files: FileStore, wide: str, mode: int) -> None:
        """Statement 24: the directory, one inside it, or a file; the remedy is the command to type."""
        (files.directory / wide).chmod(mode)
        found = tried(lambda: storage.permissions(files))
        assert (found.verdict, "other users are let in" in found.words) == (Verdict.FAILED, True)
        assert found.remedy.startswith(f"chmod {'600' if wide.endswith('.json') else '700'} {files.directory}")

    def test_every_trouble_is_told(self, files: FileStore, tmp_path: Path) -> None:
        """A link and a wide mode at once."""
        (files.directory / "token" / "default.json").rename(tmp_path / "elsewhere")
        (files.directory / "token" / "default.json").symlink_to(tmp_path / "elsewhere")
        (files.directory / "app" / "abcdefgh.json").chmod(0o644)
        found = storage.permissions(files)
        assert found.verdict is Verdict.FAILED
        assert "it is a symbolic link" in found.words
        assert "other users are let in" in found.words

    @pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root can give a file away")
    def test_a_foreign_owner(self, files: FileStore) -> None:
        os.chown(files.directory / "token" / "default.json", 12345, -1)
        assert "it belongs to another user" in storage.permissions(files).words

    def test_a_keyring_has_none(self, tmp_path: Path) -> None:
        assert storage.permissions(Keyrings(tmp_path)()).verdict is Verdict.SKIPPED


class TestLocks:
    @pytest.fixture
    def mounts(self, tmp_path: Path) -> Path:
        """The system's list of mounts, in which nothing is on the network."""
        table = tmp_path / "mounts"
        table.write_text("proc /proc proc rw 0 0\n/dev/vda / ext4 rw 0 0\n\nnonsense\n")
        return table

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the type")
    def test_a_second_comer_is_kept_out(self, files: FileStore, mounts: Path) -> None:
        before = set(files.directory.rglob("*"))
        found = storage.locks(files, files.directory, mounts=mounts)
        assert found == ok(f"a lock in {files.directory} keeps others out (ext4)")
        assert set(files.directory.rglob("*")) == before

    def test_a_hostile_name_is_shown_escaped(self, tmp_path: Path) -> None:
        """Statement 35: what a variable or a directory is called reaches no terminal as it is."""
        store = FileStore(tmp_path / "a\x1b[2Jb\nc")
        found = [storage.backend(store), storage.permissions(store), storage.locks(store, store.directory)]
        assert [line.verdict for line in found] == [Verdict.OK] * 3
        assert all("a\\x1b[2Jb\\nc" in line.words and line.words.isprintable() for line in found)

    def test_a_keyrings_lock_lies_in_the_state_directory(self, tmp_path: Path, mounts: Path) -> None:
        """The keyring itself is not asked: a keyring that hangs does not hold this up."""
        store = KeyringStore(tmp_path / "state", choose=lambda: pytest.fail("the keyring was asked"))
        assert place_of(store, tmp_path / "state") == tmp_path / "state"
        assert storage.locks(store, tmp_path / "state", mounts=mounts).verdict is Verdict.OK
        assert not (tmp_path / "state").exists()

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the type")
    @pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs"])
    def test_a_place_on_the_network_is_worth_a_look(
        self, files: FileStore, mounts: Path, tmp_path: Path, kind: str
    ) -> None:
        """NFS is named, by the mount that lies nearest; later lines cover earlier ones."""
        with mounts.open("a") as table:
            table.write(f"server:/x {tmp_path} ext4 rw 0 0\nserver:/x {tmp_path} {kind} rw 0 0\n")
            table.write("/dev/vdb /unrelated xfs rw 0 0\n")
        found = storage.locks(files, files.directory, mounts=mounts)
        assert (found.verdict, f"on the network ({kind})" in found.words) == (Verdict.WARNING, True)

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the type")
    def test_a_mount_with_a_blank_in_its_name(self, tmp_path: Path) -> None:
        """The system writes it as \\040."""
        (tmp_path / "mounts").write_text(f"x {tmp_path}/a\\040b nfs rw 0 0\n")
        assert storage.file_system(tmp_path / "a b" / "c", tmp_path / "mounts") == "nfs"
        assert storage.file_system(tmp_path / "a", tmp_path / "mounts") == ""
        assert storage.file_system(tmp_path / "a", tmp_path / "no such file") == ""

    def test_a_lock_that_lets_two_in_is_found_out(self, tmp_path: Path) -> None:
        class Open(Wrapped):
            def lock(self, name: str, timeout: float) -> AbstractContextManager[HeldName]:
                return MemoryStore().lock(name, timeout)

        found = storage.locks(Open(MemoryStore()), tmp_path)
        assert found.verdict is Verdict.FAILED
        assert "lets two programs in at once" in found.words

    def test_a_place_where_nothing_can_be_made(self, tmp_path: Path) -> None:
        """As with a home that is read-only: the error of the store, with its remedy."""
        (tmp_path / "file").touch()
        found = tried(lambda: storage.locks(KeyringStore(tmp_path / "file"), tmp_path / "file"))
        assert found.verdict is Verdict.FAILED
        assert found.words.startswith(f"cannot use {tmp_path}/file/probe/")
        assert "that knows file locks" in found.remedy


def test_where_the_locks_of_a_store_lie(tmp_path: Path) -> None:
    opened = open_named_store(f"file:{tmp_path}/store", tmp_path / "state")
    assert place_of(opened, tmp_path / "state") == tmp_path / "store"
