"""The fast lane reads what keyring reads, from a real Secret Service, and gives way to it at the slightest surprise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import secretstorage
from keyring.backends.SecretService import Keyring

from tests.support.stores import clear_record, save_record
from withings_auth.config.places import state_place
from withings_auth.store import fast_lane, session_bus
from withings_auth.store.base import seems_writable
from withings_auth.store.fast_lane import SAVED_IN, has_none, read_fast
from withings_auth.store.keyring_store import KeyringStore
from withings_auth.testing.elsewhere import Elsewhere

if TYPE_CHECKING:
    from tests.support.keyring_daemon import SecretService

TOKEN = "token/default"
SERVICE = "withings-auth/token/default"
USER = "withings-auth"
STAMP = Path(".local/state/withings-auth/token/default.stamp")


@pytest.fixture(autouse=True)
def _first_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_lane, "_gave_way", False)


def read() -> str | None:
    return read_fast(state_place(), TOKEN)


def by_keyring() -> str | None:
    """What keyring itself reads."""
    text: str | None = Keyring().get_password(SERVICE, USER)  # type: ignore[no-untyped-call]  # keyring has no types
    return text


class TestReading:
    @pytest.mark.parametrize("text", ["text", "", "ä €\n\0", "x" * 50_000], ids=["short", "empty", "odd", "long"])
    def test_both_lanes_read_the_same(self, desktop: KeyringStore, text: str) -> None:
        save_record(desktop, TOKEN, text)
        assert (read(), by_keyring()) == (text, text)
        assert desktop.load(TOKEN) == text

    def test_a_store_reads_without_keyring(self, desktop: KeyringStore) -> None:
        """And says where the record is, as it would after keyring has read it."""
        save_record(desktop, TOKEN, "text")
        code = (
            "from pathlib import Path; from withings_auth.store.keyring_store import KeyringStore;"
            f"store = KeyringStore(Path({state_place()!r}))"
        )
        with Elsewhere(code) as process:
            assert process("load", TOKEN) == "text"
            assert process("names") == [TOKEN]
        assert KeyringStore(Path(state_place())).load(TOKEN) == "text"
        store = KeyringStore(Path(state_place()))
        store.load(TOKEN)
        assert store.description == desktop.description == fast_lane.DESCRIPTION
        assert "_keyring" not in vars(store)

    def test_the_bus_of_the_user_is_found_without_a_variable(
        self, desktop: KeyringStore, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As under cron."""
        save_record(desktop, TOKEN, "text")
        monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
        monkeypatch.setattr(session_bus, "session_bus_address", lambda _: secret_service.address)
        assert read() == "text"


def lock(service: SecretService) -> None:
    service.lock()


def add_another(service: SecretService) -> None:
    with service.collection() as collection:
        attributes = {"service": SERVICE, "username": USER}
        collection.create_item("theirs", attributes, b"text", replace=False)


def move_to_another_collection(service: SecretService) -> None:
    with service.collection() as collection:
        others = secretstorage.get_all_collections(collection.connection)
        other = next(each for each in others if each.collection_path.endswith("/session"))
        other.create_item("ours", {"service": SERVICE, "username": USER}, b"text")
        for item in collection.get_all_items():
            item.delete()


def remove(service: SecretService) -> None:
    with service.collection() as collection:
        for item in collection.get_all_items():
            item.delete()


def make_binary(service: SecretService) -> None:
    with service.collection() as collection:
        (item,) = collection.get_all_items()
        item.set_secret(b"\xff")


def kill(service: SecretService) -> None:
    service.kill()


def hang(service: SecretService) -> None:
    service.stop()


def older_index(_: SecretService) -> None:
    (Path.home() / STAMP).write_text("")


def open_index(_: SecretService) -> None:
    (Path.home() / STAMP).parent.chmod(0o755)


def name_in_a_file(_: SecretService) -> None:
    place = Path.home() / ".config" / "python_keyring"
    place.mkdir(parents=True)
    (place / "keyringrc.cfg").write_text("[backend]\ndefault-keyring=keyring.backends.SecretService.Keyring\n")


class TestGivingWay:
    @pytest.mark.parametrize(
        "surprise",
        [
            *(lock, add_another, move_to_another_collection, remove, make_binary, kill, hang),
            *(older_index, open_index, name_in_a_file),
        ],
        ids=lambda surprise: surprise.__name__,
    )
    def test_a_surprise(
        self,
        desktop: KeyringStore,
        secret_service: SecretService,
        surprise: Callable[[SecretService], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        save_record(desktop, TOKEN, "text")
        assert read() == "text"
        surprise(secret_service)
        monkeypatch.setattr(fast_lane, "PATIENCE_SECONDS", 0.2 if surprise is hang else 60)
        assert read() is None

    @pytest.mark.parametrize(
        ("variable", "value", "lets_it"),
        [
            ("PYTHON_KEYRING_BACKEND", "keyring.backends.SecretService.Keyring", True),
            ("PYTHON_KEYRING_BACKEND", "keyring.backends.libsecret.Keyring", False),
            ("PYTHON_KEYRING_BACKEND", "", True),
            ("XDG_CURRENT_DESKTOP", "ubuntu:GNOME", True),
            ("XDG_CURRENT_DESKTOP", "KDE", False),
            ("KEYRING_PROPERTY_PREFERRED_COLLECTION", "/org/freedesktop/secrets/collection/session", False),
            ("DBUS_SESSION_BUS_ADDRESS", "tcp:host=localhost,port=1", False),
            ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere", False),
        ],
    )
    def test_a_variable(
        self, desktop: KeyringStore, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, lets_it: bool
    ) -> None:
        """If keyring would look elsewhere, or may."""
        save_record(desktop, TOKEN, "text")
        monkeypatch.setenv(variable, value)
        assert read() == ("text" if lets_it else None)

    def test_once_for_all(self, desktop: KeyringStore, secret_service: SecretService) -> None:
        """The store still reads the record: keyring does, from then on."""
        save_record(desktop, TOKEN, "text")
        add_another(secret_service)
        assert read() is None
        clear_record(desktop, TOKEN)
        save_record(desktop, TOKEN, "new")
        assert read() is None
        assert desktop.load(TOKEN) == "new"

    def test_a_removed_record_was_saved_nowhere(self, desktop: KeyringStore) -> None:
        """The stamp says so."""
        save_record(desktop, TOKEN, "text")
        assert (Path.home() / STAMP).read_text() == SAVED_IN
        clear_record(desktop, TOKEN)
        assert (Path.home() / STAMP).read_text() == ""


class TestNothingSaved:
    """Whether there is no record at all, as before a first login."""

    def test_an_open_keyring_has_none(self, desktop: KeyringStore) -> None:
        """The store says so without keyring, which would say the same, and seems to be writable."""
        assert has_none(state_place(), TOKEN)
        assert by_keyring() is None
        assert desktop.load(TOKEN) is None
        assert seems_writable(desktop)
        assert "_keyring" not in vars(desktop)
        save_record(desktop, TOKEN, "text")
        assert not has_none(state_place(), TOKEN)

    def test_a_record_without_a_stamp_is_read_by_keyring(
        self, desktop: KeyringStore, secret_service: SecretService
    ) -> None:
        """Which makes the stamp."""
        add_another(secret_service)
        assert not has_none(state_place(), TOKEN)
        assert desktop.load(TOKEN) == "text"
        assert not seems_writable(desktop)
        assert (Path.home() / STAMP).exists()

    @pytest.mark.parametrize("surprise", [lock, kill, hang, name_in_a_file], ids=lambda surprise: surprise.__name__)
    def test_a_surprise(
        self,
        desktop: KeyringStore,
        secret_service: SecretService,
        surprise: Callable[[SecretService], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Only keyring can say what to do about it."""
        surprise(secret_service)
        monkeypatch.setattr(fast_lane, "PATIENCE_SECONDS", 0.2 if surprise is hang else 60)
        assert not has_none(state_place(), TOKEN)
        assert not seems_writable(desktop)
