"""Which keyring is chosen, and what is said of the others, with stand-ins for all of them."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from keyring import backend as keyring_backend

from tests.store.keyrings import MemoryKeyring
from withings_auth.errors import StoreUnavailable
from withings_auth.store import backends, secret_service
from withings_auth.store.backends import Backend, find_backend, reasons_against_others, remedies
from withings_auth.store.secret_service import SecretServiceConnection

DESKTOP = "the keyring of this desktop (Secret Service)"
SECRET_SERVICE = "keyring.backends.SecretService.Keyring"
CLASSES = {"SecretService": "Keyring", "libsecret": "Keyring", "kwallet": "DBusKeyring"}
ADDRESS = "unix:path=/of/this/user"
REFUSED = "tests.store.keyrings.MemoryKeyring: not known to protect its records; used only if PYTHON_KEYRING_BACKEND"

NEVER_CHOSEN = ("null", "fail", "chainer", "macOS")

Install = Callable[..., None]


class Unusable:
    """In place of a priority: keyring's own raise an error if a backend cannot be used."""

    def __init__(self, why: str) -> None:
        self.why = why

    def __get__(self, *_: object) -> float:
        raise RuntimeError(self.why)


@pytest.fixture(autouse=True)
def _nothing_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.exists()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND", raising=False)
    others = [stand_in(f"keyring.backends.{name}", "Keyring") for name in NEVER_CHOSEN]
    monkeypatch.setattr(keyring_backend, "get_all_keyring", lambda: [MemoryKeyring(), *(other() for other in others)])
    set_address(monkeypatch, None)


def stand_in(module: str, name: str, **attributes: object) -> type:
    """A class that is not registered with keyring, which would find it in other tests."""
    return type(name, (), {"__module__": module, **attributes})


def set_address(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    """Lets the user's bus be there although the environment does not name it."""

    def find(environ: Mapping[str, str]) -> str | None:
        assert environ is os.environ
        return address

    monkeypatch.setattr(backends, "session_bus_address", find)


def name_in_file(text: str) -> None:
    file = Path.home() / ".config/python_keyring/keyringrc.cfg"
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts stand-ins with these priorities in the place of keyring's backends; text is why one has none."""

    def install(**priorities: float | str) -> None:
        for short, name in CLASSES.items():
            priority = priorities[short]
            shown = Unusable(priority) if isinstance(priority, str) else priority
            module = f"keyring.backends.{short}"
            monkeypatch.setitem(sys.modules, module, SimpleNamespace(**{name: stand_in(module, name, priority=shown)}))

    return install


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where a Secret Service was looked for."""
    asked: list[str] = []
    monkeypatch.setattr(secret_service, "require_secret_service", asked.append)
    return asked


@pytest.mark.parametrize(
    ("priorities", "description", "reasons"),
    [
        ((5, 4.8, 4.9), DESKTOP, ["kwallet: lower priority", "libsecret: lower priority"]),
        ((5, 5, 4.9), DESKTOP, ["libsecret: lower priority", "kwallet: lower priority"]),
        ((5, 4.8, 5.1), "KWallet", ["SecretService: lower priority", "libsecret: lower priority"]),
        (("no\x1bbus", 4.8, "none"), DESKTOP, ["SecretService: no\\x1bbus", "kwallet: none"]),
    ],
)
def test_the_best_is_chosen(
    install: Install, priorities: tuple[float | str, ...], description: str, reasons: list[str]
) -> None:
    install(**dict(zip(CLASSES, priorities, strict=True)))
    found = find_backend()
    assert (found.description, found.named, found.protects) == (description, False, True)
    *against, refused = reasons_against_others(found)
    assert against == reasons
    assert refused.startswith(REFUSED)
    connected = found.connect
    assert (connected is not None) is (type(found.keyring).__module__ == "keyring.backends.SecretService")
    if connected is not None:
        assert isinstance(connected, partial)
        assert (connected.func, connected.args) == (SecretServiceConnection, (None,))


def test_one_is_neither_named_nor_suspicious_unless_it_says_so() -> None:
    made = Backend(keyring=MemoryKeyring(), description="it", replaces_by_deleting=False)
    assert made == replace(made, named=False, protects=True)


def test_without_any_each_is_named(install: Install) -> None:
    install(SecretService="a", libsecret="b", kwallet="")
    with pytest.raises(StoreUnavailable) as failed:
        find_backend()
    assert str(failed.value).startswith(
        f"no usable keyring: SecretService: a; libsecret: b; kwallet: RuntimeError; {REFUSED}"
    )
    assert not any(f"keyring.backends.{name}" in str(failed.value) for name in NEVER_CHOSEN)
    assert failed.value.hint == remedies()


def test_each_system_has_its_own(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(SecretService=5, libsecret=4.8, kwallet=4.9)
    keychain = stand_in("keyring.backends.macOS", "Keyring", priority=5)
    monkeypatch.setitem(sys.modules, "keyring.backends.macOS", SimpleNamespace(Keyring=keychain))
    monkeypatch.setattr(sys, "platform", "darwin")
    assert find_backend().description == "the macOS Keychain"


class TestBusOfTheUser:
    @pytest.fixture(autouse=True)
    def _bus(self, monkeypatch: pytest.MonkeyPatch) -> None:
        set_address(monkeypatch, ADDRESS)

    @pytest.mark.parametrize(("kwallet", "is_chosen"), [(4.9, True), (5.1, False)])
    def test_it_counts_as_much_as_one_that_the_environment_names(
        self, install: Install, asked: list[str], kwallet: float, is_chosen: bool
    ) -> None:
        """keyring does not know of it."""
        install(SecretService="unknown", libsecret=1, kwallet=kwallet)
        found = find_backend()
        assert (found.description, found.named) == (DESKTOP if is_chosen else "KWallet", False)
        assert asked == [ADDRESS]
        assert not any("unknown" in reason for reason in reasons_against_others(found))
        assert asked == [ADDRESS, ADDRESS]
        if is_chosen:
            assert isinstance(found.connect, partial)
            assert found.connect.args == (ADDRESS,)

    @pytest.mark.parametrize("variable", [SECRET_SERVICE, ""])
    def test_it_is_used_by_a_keyring_that_was_named(
        self, install: Install, asked: list[str], monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        """Whatever the locale, in which a comment is no text."""
        install(SecretService="unknown", libsecret=1, kwallet=9)
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", variable)
        monkeypatch.setattr(io, "text_encoding", lambda encoding, *_: encoding or "ascii")
        name_in_file("# ä\n[backend]\ndefault-keyring = " + ("another" if variable else SECRET_SERVICE))
        found = find_backend()
        assert (found.description, found.named, asked) == (DESKTOP, True, [ADDRESS])
        assert isinstance(found.connect, partial)
        assert found.connect.args == (ADDRESS,)

    @pytest.mark.parametrize("named", [True, False])
    def test_one_without_a_secret_service(self, install: Install, monkeypatch: pytest.MonkeyPatch, named: bool) -> None:
        def refuse(_: str) -> None:
            raise RuntimeError("neither running")

        monkeypatch.setattr(secret_service, "require_secret_service", refuse)
        install(SecretService=9, libsecret="b", kwallet="c")
        if named:
            monkeypatch.setenv("PYTHON_KEYRING_BACKEND", SECRET_SERVICE)
        with pytest.raises(StoreUnavailable) as failed:
            find_backend()
        what = "the keyring that PYTHON_KEYRING_BACKEND or keyringrc.cfg names cannot be used"
        start = f"{what}: neither running" if named else "no usable keyring: SecretService: neither running; libsecret"
        assert str(failed.value).startswith(start)
        assert failed.value.hint == (f"name another one, or none; {remedies()}" if named else remedies())
        assert isinstance(failed.value.__cause__, RuntimeError) is named

    def test_another_that_was_named_does_not_need_it(
        self, install: Install, asked: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        install(SecretService=9, libsecret=1, kwallet=1)
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.kwallet.DBusKeyring")
        found = find_backend()
        assert (found.description, found.named, asked) == ("KWallet", True, [])
        assert reasons_against_others(found) == []


def test_the_variable_comes_before_the_file(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(SecretService=9, libsecret=1, kwallet=1)
    name_in_file("[backend]\ndefault-keyring = keyring.backends.kwallet.DBusKeyring")
    assert find_backend().description == "KWallet"
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", SECRET_SERVICE)
    found = find_backend()
    assert (found.description, found.named) == (DESKTOP, True)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "")
    assert find_backend().description == "KWallet"


def test_one_that_keeps_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    with pytest.raises(StoreUnavailable) as failed:
        find_backend()
    assert str(failed.value) == "the keyring keyring.backends.null.Keyring was named, but it keeps nothing"
    assert failed.value.hint == (f"name another one in PYTHON_KEYRING_BACKEND or keyringrc.cfg, or none; {remedies()}")
