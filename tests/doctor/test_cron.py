"""The session bus as a cron job sees it, with a real one and with none."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from withings_auth.doctor.cron import session_bus
from withings_auth.doctor.findings import Verdict, ok
from withings_auth.store import session_bus as bus_of_user
from withings_auth.store.file_store import FileStore
from withings_auth.store.keyring_store import KeyringStore

if TYPE_CHECKING:
    from tests.support.keyring_daemon import Bus, SecretService

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a session bus")


def keep_at_run_user(bus: Bus, patch: pytest.MonkeyPatch) -> None:
    """From here on the bus is found where systemd keeps it, and this process knows it by its variable too."""
    own = bus.directory / "user" / str(os.getuid())
    own.mkdir(parents=True)
    os.link(bus.directory / "bus", own / "bus")
    bus.enter(patch)
    patch.setattr(bus_of_user, "USER_RUNTIME_DIRECTORIES", bus.directory / "user")


@pytest.fixture
def store(home: Path) -> KeyringStore:
    return KeyringStore(home / ".local" / "state" / "withings-auth")


@linux
class TestWithABus:
    def test_a_job_finds_the_same_keyring(
        self, store: KeyringStore, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch, home: Path
    ) -> None:
        """A process with a bare environment reads from it, and leaves nothing behind."""
        keep_at_run_user(secret_service, monkeypatch)
        store.load("token/default")
        before = set(home.rglob("*"))
        assert session_bus(store, works=True) == ok("a cron job finds it, and the same keyring there")
        assert secret_service.services() == []
        assert set(home.rglob("*")) == before

    def test_a_job_would_use_another_keyring(
        self, store: KeyringStore, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One that is named in the desktop's environment alone is not the job's."""
        keep_at_run_user(secret_service, monkeypatch)
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
        store.load("token/default")
        found = session_bus(store, works=True)
        assert found.verdict is Verdict.WARNING
        assert "another keyring: the keyring of this desktop (Secret Service)" in found.words

    def test_a_job_can_use_what_this_process_cannot(
        self, store: KeyringStore, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep_at_run_user(secret_service, monkeypatch)
        assert session_bus(store, works=False).verdict is Verdict.OK

    def test_a_locked_keyring_cannot_be_used_by_a_job(
        self, store: KeyringStore, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep_at_run_user(secret_service, monkeypatch)
        secret_service.lock()
        found = session_bus(store, works=False)
        assert (found.verdict, "is locked" in found.words) == (Verdict.WARNING, True)
        assert "loginctl enable-linger" in found.remedy

    def test_a_bus_without_a_keyring(
        self, store: KeyringStore, bus_without_secret_service: Bus, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep_at_run_user(bus_without_secret_service, monkeypatch)
        found = session_bus(store, works=False)
        assert found.verdict is Verdict.WARNING
        assert "a cron job could not use the keyring: no usable keyring" in found.words

    def test_a_keyring_that_hangs_is_not_waited_for_without_limit(
        self, store: KeyringStore, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Statement 32: the job's own patience ends it."""
        keep_at_run_user(secret_service, monkeypatch)
        secret_service.stop()
        assert "did not read a record within 10 seconds" in session_bus(store, works=False).words

    def test_a_python_that_is_none(
        self, store: KeyringStore, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A frozen program is no interpreter: then it is not known, and said so."""
        keep_at_run_user(secret_service, monkeypatch)
        monkeypatch.setattr(sys, "executable", "/bin/false")
        found = session_bus(store, works=True)
        assert (found.verdict, found.words[:11]) == (Verdict.WARNING, "cannot tell")


@linux
def test_no_bus_is_where_it_should_be(store: KeyringStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bus_of_user, "USER_RUNTIME_DIRECTORIES", tmp_path)
    found = session_bus(store, works=True)
    assert found.verdict is Verdict.WARNING
    assert found.words == f"a cron job would find none at {tmp_path}/{os.getuid()}/bus"


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_there_is_none(store: KeyringStore, monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert session_bus(store, works=True).verdict is Verdict.SKIPPED


def test_files_need_none(tmp_path: Path) -> None:
    assert session_bus(FileStore(tmp_path), works=True).verdict is Verdict.SKIPPED
