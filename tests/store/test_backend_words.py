"""What is said of a keyring that fails, and which ones would be chosen, without any real one."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest
from keyring.backends.chainer import ChainerBackend
from keyring.backends.fail import Keyring as FailKeyring
from keyring.backends.macOS import Keyring as Keychain
from keyring.backends.Windows import WinVaultKeyring
from keyring.errors import KeyringLocked, NoKeyringError

from tests.store.keyrings import MemoryKeyring
from withings_auth.store import backends, open_named_store, own_files, session_bus
from withings_auth.store.backends import described, failure, find_backend, silence_hint, tells, unlock_hint
from withings_auth.store.fast_lane import _is_usable
from withings_auth.store.keyring_store import KeyringStore
from withings_auth.store.session_bus import session_bus_address


@pytest.mark.parametrize(
    ("error", "shown", "says"),
    [
        (KeyringLocked("x"), KeyringLocked("x"), "it is locked and cannot be unlocked from here"),
        (NoKeyringError("x"), NoKeyringError("x"), "no usable keyring: the named keyring refuses every call"),
        (ValueError("a\x1bb"), ValueError("a\x1bb"), "it failed to save a record: a\\x1bb"),
        (ValueError("the secret"), None, "it failed to save a record: ValueError"),
        (ValueError(), ValueError(), "it failed to save a record: ValueError"),
    ],
)
def test_a_failure_is_described(error: Exception, shown: Exception | None, says: str) -> None:
    failed = failure("it", "save", error, shown)
    assert str(failed) == says
    assert failed.hint == (unlock_hint() if isinstance(error, KeyringLocked) else backends.remedies())
    assert described(error) == (str(error).replace("\x1b", "\\x1b") or "ValueError")


@pytest.mark.parametrize(
    ("word", "told"), [("a" * 15, False), ("a" * 16, True), ("0+/~-_" * 3, True), ("a b" * 9, False)]
)
def test_an_error_that_repeats_a_long_word_of_the_record_tells(word: str, told: bool) -> None:
    assert tells(ValueError(f"cannot keep {word}."), f'{{"x": "{word}"}}') is told
    assert tells(ValueError("cannot keep it"), f'{{"x": "{word}"}}') is False


def test_silence_has_two_reasons() -> None:
    assert silence_hint(locked=True) == f"{unlock_hint()}; if no window asks for it, restart the keyring"
    assert silence_hint(locked=False).startswith("try again: the keyring may be busy")


@pytest.mark.parametrize(
    ("keyring", "description", "protects", "replaces", "most"),
    [
        (Keychain, "the macOS Keychain", True, True, None),
        (WinVaultKeyring, "the Windows Credential Manager", True, False, 2560),
        (MemoryKeyring, "the keyring tests.store.keyrings.MemoryKeyring", False, False, None),
        (FailKeyring, "the keyring keyring.backends.fail.Keyring", False, False, None),
    ],
)
def test_a_keyring_is_known_by_its_class(
    keyring: type, description: str, protects: bool, replaces: bool, most: int | None
) -> None:
    found = backends._chosen(object.__new__(keyring))  # not made: the Keychain cannot be, here
    assert (found.description, found.protects) == (description, protects)
    assert (found.replaces_by_deleting, found.largest_record_bytes, found.connect) == (replaces, most, None)


def test_a_named_keyring_has_no_others_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    found = find_backend()
    assert found.named
    assert backends.reasons_against_others(found) == []


def test_only_an_empty_chain_keeps_nothing() -> None:
    for chain in ([], [MemoryKeyring()]):
        # A class of its own: keyring's asks every backend for its priority, also one whose bus an earlier test had.
        keyring = type("ChainerBackend", (), {"__module__": ChainerBackend.__module__, "backends": chain})()
        assert backends._forgets(keyring) is (chain == [])
    assert backends._forgets(MemoryKeyring()) is False


def test_systemd_keeps_the_bus_of_each_user_in_its_place() -> None:
    assert Path("/run/user") == session_bus.USER_RUNTIME_DIRECTORIES


class TestBus:
    @pytest.fixture
    def bus(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        """Where the bus of this user would be."""
        monkeypatch.setattr(session_bus, "USER_RUNTIME_DIRECTORIES", tmp_path)
        (tmp_path / str(os.getuid())).mkdir()
        return tmp_path / str(os.getuid()) / "bus"

    @pytest.fixture
    def listening(self, bus: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.chdir(bus.parent)  # the address of a socket has 108 bytes at most
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("bus")
        return bus

    def test_this_users_socket_is_the_bus(self, listening: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert session_bus_address({}) == session_bus_address({session_bus.VARIABLE: ""}) == f"unix:path={listening}"
        assert session_bus_address({"DBUS_SESSION_BUS_ADDRESS": "unix:path=/x"}) is None
        monkeypatch.setattr(sys, "platform", "darwin")
        assert session_bus_address({}) is None

    def test_anything_else_is_not(self, bus: Path, listening: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        status = os.stat_result((listening.lstat().st_mode, 1, 1, 1, os.getuid() + 1, 0, 0, 0, 0, 0))
        with monkeypatch.context() as patch:
            patch.setattr(Path, "lstat", lambda _: status)
            assert session_bus_address({}) is None
        bus.unlink()
        assert session_bus_address({}) is None
        bus.touch()
        assert session_bus_address({}) is None


SECRET_SERVICE = "keyring.backends.SecretService.Keyring"


@pytest.mark.parametrize(
    ("platform", "environ", "usable"),
    [
        ("linux", {}, True),
        ("darwin", {}, False),
        ("linux", {"PYTHON_KEYRING_BACKEND": SECRET_SERVICE}, True),
        ("linux", {"PYTHON_KEYRING_BACKEND": "another"}, False),
        ("linux", {"XDG_CURRENT_DESKTOP": "ubuntu:GNOME"}, True),
        ("linux", {"XDG_CURRENT_DESKTOP": "X:KDE:Y"}, False),
        ("linux", {"XDG_CURRENT_DESKTOP": "KDEX"}, True),
        ("linux", {"KEYRING_PROPERTY_X": ""}, False),
        ("linux", {"XDG_CONFIG_HOME": "elsewhere"}, False),
    ],
)
def test_the_fast_lane_is_used_only_if_keyring_would_look_there(
    home: Path, monkeypatch: pytest.MonkeyPatch, platform: str, environ: dict[str, str], usable: bool
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.chdir(home)
    (home / "token").mkdir(mode=0o700)
    stamp = home / "token/default.stamp"
    stamp.write_text("Secret Service")
    stamp.chmod(0o600)
    rc = home / "elsewhere/python_keyring/keyringrc.cfg"
    rc.parent.mkdir(parents=True)
    rc.symlink_to("nowhere")
    assert _is_usable(str(home), "token/default", environ) is usable
    assert not _is_usable(str(home), "token/other", environ)
    stamp.write_text("")
    assert not _is_usable(str(home), "token/default", environ)
    stamp.write_text("Secret Service")
    stamp.chmod(0o644)
    assert not _is_usable(str(home), "token/default", environ)


def test_the_fast_lane_is_not_used_beside_settings_of_keyring_or_if_the_disk_fails(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_files, "read_own", lambda _: "Secret Service")
    assert _is_usable("state", "token/default", {})
    with monkeypatch.context() as patch:

        def fail(_: str) -> str:
            raise OSError

        patch.setattr(own_files, "read_own", fail)
        assert not _is_usable("state", "token/default", {})
    (home / ".config/python_keyring").mkdir(parents=True)
    (home / ".config/python_keyring/keyringrc.cfg").touch()
    assert not _is_usable("state", "token/default", {})


@pytest.mark.parametrize(("on_a_terminal", "seconds"), [(True, 60), (False, 10)])
def test_on_a_terminal_there_is_time_to_unlock(home: Path, on_a_terminal: bool, seconds: float) -> None:
    asked: list[str] = []
    store = open_named_store("keyring", home, on_a_terminal=on_a_terminal, announce=lambda: asked.append("x"))
    assert isinstance(store, KeyringStore)
    assert store._keyring.patience_seconds == seconds
    store._keyring.announce()
    assert asked == ["x"]
