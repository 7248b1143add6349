"""What the doctor says about good stores and bad ones, and that it leaves nothing in them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.store.keyrings import CuttingKeyring, ForgettingKeyring, Keyrings, MemoryKeyring, StubbornKeyring
from tests.support.stores import Wrapped
from withings_auth.doctor import storage
from withings_auth.doctor.results import Result, Verdict, ok, run_check
from withings_auth.store.backends import Backend
from withings_auth.store.base import HeldName, SecretStore
from withings_auth.store.file_store import FileStore
from withings_auth.store.keyring_store import KeyringStore
from withings_auth.store.memory_store import MemoryStore

if TYPE_CHECKING:
    from tests.support.keyring_daemon import Bus, SecretService

MILLISECOND = 0.001


def ticking(step_seconds: float) -> Callable[[], float]:
    """A clock that advances by this much whenever it is read."""
    ticks = count()
    return lambda: next(ticks) * step_seconds


def check_round_trip(store: SecretStore, state: Path, step_seconds: float = 34 * MILLISECOND) -> Result:
    """The result of `check_round_trip`, as the checklist gets it."""
    return run_check(lambda: storage.check_round_trip(store, state, clock=ticking(step_seconds)), seconds=None)


class TestRoundTrip:
    def test_files(self, files: FileStore) -> None:
        """A record is saved, read and removed; the store is as before, to the last directory."""
        before = set(files.directory.rglob("*"))
        assert check_round_trip(files, files.directory) == ok("saved, read and removed a record in 34 ms")
        assert set(files.directory.rglob("*")) == before

    def test_a_directory_that_does_not_exist_is_not_left_behind(self, tmp_path: Path) -> None:
        store = FileStore(tmp_path / "a" / "store")
        assert check_round_trip(store, store.directory).verdict is Verdict.OK
        assert list(tmp_path.iterdir()) == []

    def test_a_keyring(self, tmp_path: Path) -> None:
        opened = Keyrings(tmp_path / "state")
        assert check_round_trip(opened(), tmp_path / "state").verdict is Verdict.OK
        assert opened().names() == []
        assert list(tmp_path.iterdir()) == []

    def test_a_slow_one_is_a_warning(self, files: FileStore) -> None:
        result = check_round_trip(files, files.directory, 2.5)
        assert (result.verdict, result.words) == (
            Verdict.WARNING,
            "saved, read and removed a record in 2500 ms, which is slow",
        )

    @pytest.mark.parametrize("keyring", [ForgettingKeyring, CuttingKeyring, StubbornKeyring])
    def test_a_keyring_that_lies_is_detected(self, tmp_path: Path, keyring: type) -> None:
        """One that forgets, one that truncates, and one that does not remove."""
        result = check_round_trip(Keyrings(tmp_path / "state", keyring())(), tmp_path / "state")
        assert result.verdict is Verdict.FAILED
        assert result.remedy

    def test_a_store_that_keeps_a_removed_record_is_detected(self, tmp_path: Path) -> None:
        """Any `SecretStore` is judged by what it does."""

        class Keeping(Wrapped):
            def clear(self, held: HeldName, name: str) -> bool:  # noqa: ARG002  the hook gives it
                return self.load(name) is not None

        result = check_round_trip(Keeping(MemoryStore()), tmp_path)
        assert (result.verdict, "did not remove" in result.words) == (Verdict.FAILED, True)

    def test_a_store_that_truncates_is_detected(self, tmp_path: Path) -> None:
        class Truncating(Wrapped):
            def save(self, held: HeldName, name: str, text: str) -> None:  # noqa: ARG002  the hook gives it
                held.save(text[:5])

        result = check_round_trip(Truncating(MemoryStore()), tmp_path)
        assert (result.verdict, "did not keep" in result.words) == (Verdict.FAILED, True)

    @pytest.mark.parametrize("step", ["save", "load", "clear"])
    @pytest.mark.parametrize("moment", ["before", "after"])
    @pytest.mark.parametrize("kind", ["file", "keyring"])
    def test_an_interrupt_leaves_nothing(self, tmp_path: Path, kind: str, step: str, moment: str) -> None:
        """Ctrl-C before or after any step: the record is removed anyway."""
        pressed: list[str] = []

        class Interrupted(Wrapped):
            def _strike(self, now_step: str, now_moment: str) -> None:
                if (now_step, now_moment) == (step, moment) and not pressed:
                    pressed.append("Ctrl-C")
                    raise KeyboardInterrupt

            def save(self, held: HeldName, name: str, text: str) -> None:  # noqa: ARG002  the hook gives it
                self._strike("save", "before")
                held.save(text)
                self._strike("save", "after")

            def load(self, name: str) -> str | None:
                self._strike("load", "before")
                text = super().load(name)
                self._strike("load", "after")
                return text

            def clear(self, held: HeldName, name: str) -> bool:  # noqa: ARG002  the hook gives it
                self._strike("clear", "before")
                cleared = held.clear()
                self._strike("clear", "after")
                return cleared

        keyring = MemoryKeyring()
        chosen = Backend(keyring=keyring, description="the test's keyring", replaces_by_deleting=True)
        place = tmp_path / "place"
        store = Interrupted(KeyringStore(place, choose=lambda: chosen) if kind == "keyring" else FileStore(place))
        with pytest.raises(KeyboardInterrupt):
            check_round_trip(store, place)
        assert pressed
        assert keyring.held == {}
        assert list(tmp_path.iterdir()) == []


class TestBackend:
    def test_files(self, tmp_path: Path) -> None:
        assert storage.check_backend(FileStore(tmp_path)) == ok(
            f"files in {tmp_path}, as configured; no keyring is used"
        )

    def test_the_desktops_keyring_and_the_reasons_against_others(
        self, tmp_path: Path, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Statement 39: every other backend is named, and why it is not used."""
        secret_service.enter(monkeypatch)
        result = storage.check_backend(KeyringStore(tmp_path))
        assert result.verdict is Verdict.OK
        assert result.words.startswith("the keyring of this desktop (Secret Service); not used: ")
        assert "kwallet: " in result.words

    @pytest.mark.skipif(sys.platform != "linux", reason="KWallet is on Linux")
    @pytest.mark.parametrize(("priority", "best"), [(99, True), (0.1, False)])
    def test_the_better_of_two_usable_ones(
        self,
        tmp_path: Path,
        secret_service: SecretService,
        monkeypatch: pytest.MonkeyPatch,
        priority: float,
        best: bool,
    ) -> None:
        """keyring's own order decides which comes first, and the second one is named."""
        module = "keyring.backends.kwallet"
        usable = type("DBusKeyring", (MemoryKeyring,), {"priority": priority, "__module__": module})
        monkeypatch.setattr(f"{module}.DBusKeyring", usable)
        secret_service.enter(monkeypatch)
        words = storage.check_backend(KeyringStore(tmp_path)).words
        first, second = ("KWallet", "SecretService") if best else ("the keyring of this desktop", "kwallet")
        assert words.startswith(first)
        assert f"; not used: {second}: lower priority" in words

    def test_none_is_usable(
        self, tmp_path: Path, bus_without_secret_service: Bus, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bus_without_secret_service.enter(monkeypatch)
        result = run_check(lambda: storage.check_backend(KeyringStore(tmp_path)))
        assert (result.verdict, result.words[:19]) == (Verdict.FAILED, "no usable keyring: ")
        assert "configure --store file:" in result.remedy

    def test_one_that_the_user_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret_service: SecretService
    ) -> None:
        """A known one is fine; about any other it is not known whether it protects what it keeps."""
        secret_service.enter(monkeypatch)
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
        result = storage.check_backend(KeyringStore(tmp_path))
        assert result.verdict is Verdict.WARNING
        assert "the keyring keyring.backends.fail.Keyring, named by PYTHON_KEYRING_BACKEND" in result.words
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.SecretService.Keyring")
        result = storage.check_backend(KeyringStore(tmp_path))
        assert result == ok(
            "the keyring of this desktop (Secret Service), named by PYTHON_KEYRING_BACKEND or keyringrc.cfg"
        )
