"""The session bus as a cron job sees it, with a real one and with none."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from withings_auth.doctor import cron
from withings_auth.doctor.cron import check_session_bus
from withings_auth.doctor.results import Verdict, ok
from withings_auth.errors import StoreUnavailable
from withings_auth.store import session_bus as bus_of_user
from withings_auth.store.file_store import FileStore
from withings_auth.store.keyring_store import KeyringStore

if TYPE_CHECKING:
    from tests.support.keyring_daemon import Bus, SecretService

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a session bus")


def keep_at_run_user(bus: Bus, patch: pytest.MonkeyPatch) -> None:
    """Puts the bus where systemd keeps it, and names it in this process's environment too."""
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
        """A process with a bare environment reads from it and leaves nothing behind."""
        keep_at_run_user(secret_service, monkeypatch)
        store.load("token/default")
        before = set(home.rglob("*"))
        assert check_session_bus(store, works=True) == ok("a cron job finds it, with the same keyring")
        assert secret_service.services() == []
        assert set(home.rglob("*")) == before

    def test_a_job_would_use_another_keyring(
        self, store: KeyringStore, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A job does not see a keyring that only the desktop's environment names."""
        keep_at_run_user(secret_service, monkeypatch)
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
        with pytest.raises(StoreUnavailable):
            store.load("token/default")
        result = check_session_bus(store, works=True)
        assert result.verdict is Verdict.WARNING
        assert "another keyring: the keyring of this desktop (Secret Service)" in result.words

    def test_a_job_can_use_what_this_process_cannot(
        self, store: KeyringStore, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep_at_run_user(secret_service, monkeypatch)
        assert check_session_bus(store, works=False).verdict is Verdict.OK

    def test_a_locked_keyring_cannot_be_used_by_a_job(
        self, store: KeyringStore, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep_at_run_user(secret_service, monkeypatch)
        secret_service.lock()
        result = check_session_bus(store, works=False)
        assert (result.verdict, "is locked" in result.words) == (Verdict.WARNING, True)
        assert "loginctl enable-linger" in result.remedy

    def test_a_bus_without_a_keyring(
        self, store: KeyringStore, bus_without_secret_service: Bus, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep_at_run_user(bus_without_secret_service, monkeypatch)
        result = check_session_bus(store, works=False)
        assert result.verdict is Verdict.WARNING
        assert "a cron job could not use the keyring: no usable keyring" in result.words

    def test_the_wait_for_a_keyring_that_hangs_is_limited(
        self, store: KeyringStore, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Statement 32: the job's own time limit ends it."""
        keep_at_run_user(secret_service, monkeypatch)
        secret_service.stop()
        monkeypatch.setattr(cron, "CHILD_SECONDS", 120)  # a busy machine takes long to start the job
        assert "did not read a record within 10 seconds" in check_session_bus(store, works=False).words

    def test_an_executable_that_is_not_python(
        self, store: KeyringStore, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As in a frozen program: the check says that it cannot tell."""
        keep_at_run_user(secret_service, monkeypatch)
        monkeypatch.setattr(sys, "executable", "/bin/false")
        result = check_session_bus(store, works=True)
        assert (result.verdict, result.words[:11]) == (Verdict.WARNING, "cannot tell")


@linux
def test_there_is_no_bus_at_its_usual_place(
    store: KeyringStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bus_of_user, "USER_RUNTIME_DIRECTORIES", tmp_path)
    result = check_session_bus(store, works=True)
    assert result.verdict is Verdict.WARNING
    assert result.words == f"a cron job would find no session bus at {tmp_path}/{os.getuid()}/bus"


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_platforms_have_no_bus(store: KeyringStore, monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert check_session_bus(store, works=True).verdict is Verdict.SKIPPED


def test_files_need_no_bus(tmp_path: Path) -> None:
    assert check_session_bus(FileStore(tmp_path), works=True).verdict is Verdict.SKIPPED
