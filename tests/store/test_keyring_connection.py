"""One connection serves many calls to a desktop's keyring, and its users are asked to unlock only a locked one."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from jeepney import HeaderFields  # type: ignore[import-untyped]  # it has no types
from jeepney.bus import get_bus  # type: ignore[import-untyped]  # as above
from jeepney.io.blocking import DBusConnection, prep_socket  # type: ignore[import-untyped]  # as above

from tests.support.stores import clear_record, save_record
from withings_auth.config.places import state_directory
from withings_auth.errors import StoreUnavailable
from withings_auth.store.base import together
from withings_auth.store.keyring_store import KeyringStore
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.secret_service import SecretServiceConnection

if TYPE_CHECKING:
    from tests.support.keyring_daemon import SecretService
    from tests.support.programs import Cli

TOKEN = "token/default"
WAITING = "Waiting for your keyring: unlock it"
NOTICEABLE_SECONDS = 2.0


class TestOneConnection:
    @pytest.fixture(autouse=True)
    def chosen(self, desktop: KeyringStore) -> None:
        """The choice of a keyring, which needs a connection of its own, has been made."""
        save_record(desktop, TOKEN, "text")

    def test_a_transaction_takes_one(self, desktop: KeyringStore, secret_service: SecretService) -> None:
        """Whatever is read and saved under a lock."""
        before = secret_service.connections()
        with desktop.lock(TOKEN, 5) as held:
            assert desktop.load(TOKEN) == "text"
            assert desktop.load("app/x") is None
            held.save("newer")
            assert desktop.load(TOKEN) == "newer"
            assert held.clear()
        assert secret_service.connections() - before == 2  # with the one that counts

    def test_a_block_takes_one(self, desktop: KeyringStore, secret_service: SecretService) -> None:
        """However many records are listed, read and changed in it."""
        before = secret_service.connections()
        with together(desktop):
            for number in range(5):
                save_record(desktop, f"token/p{number}", "text")
            assert len(desktop.names()) == 6
            assert {desktop.load(name) for name in desktop.names()} == {"text"}
            assert clear_record(desktop, TOKEN)
        assert secret_service.connections() - before == 2
        assert desktop.load(TOKEN) is None
        assert secret_service.connections() - before == 4

    def test_a_child_gets_its_own(self, desktop: KeyringStore) -> None:
        """Parent and forked child would otherwise read each other's answers."""
        with together(desktop):
            assert desktop.load(TOKEN) == "text"
            child = os.fork()
            if child == 0:
                texts = {desktop.load(TOKEN) for _ in range(20)}
                os._exit(0 if texts == {"text"} else 1)
            assert {desktop.load(TOKEN) for _ in range(20)} == {"text"}
            assert os.waitpid(child, 0)[1] == 0

    def test_a_keyring_that_was_started_again_is_connected_to_again(
        self, desktop: KeyringStore, secret_service: SecretService
    ) -> None:
        """Statement 29: the pair of a renewal is saved even if its connection broke in the meantime."""
        with desktop.lock(TOKEN, 5) as held:
            assert desktop.load(TOKEN) == "text"
            secret_service.start_again()
            held.save("newer")
        assert secret_service.lookup("withings-auth/token/default", "withings-auth") == "newer"

    def test_a_read_that_hangs_gives_the_lock_back(self, secret_service: SecretService) -> None:
        """Only a change that may still come keeps the lock."""
        store = KeyringStore(state_directory(), patience_seconds=5)
        assert store.load(TOKEN) == "text"
        secret_service.stop()
        with pytest.raises(StoreUnavailable, match="did not read"), store.lock(TOKEN, 5):
            store.load(TOKEN)
        with store.lock(TOKEN, 0):
            pass
        secret_service.resume()


class TestNewConnections:
    """GNOME's keyring is not ended by them, and finds its collection, however fast they come."""

    def test_what_they_ask(
        self, desktop: KeyringStore, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The first question is for no property, and none names the collection by its alias."""
        asked: list[list[tuple[str, str]]] = []  # by connection

        class Noted(DBusConnection):  # type: ignore[misc]  # it has no types
            def send_message(self, message: Any, **options: Any) -> None:
                fields = message.header.fields
                asked[-1].append((fields[HeaderFields.path], fields[HeaderFields.member]))
                super().send_message(message, **options)

        def connect(_: str | None) -> DBusConnection:
            asked.append([])
            return Noted(prep_socket(get_bus(secret_service.address)))

        monkeypatch.setattr("withings_auth.store.secret_service.connect", connect)
        save_record(desktop, TOKEN, "text")
        of_the_service = [[question for question in one if "secrets" in question[0]] for one in asked]
        assert [one[0] for one in of_the_service if one] == [("/org/freedesktop/secrets", "ReadAlias")]
        assert all("/aliases/" not in path for one in asked for path, _ in one)

    def test_a_crowd(self, desktop: KeyringStore, secret_service: SecretService) -> None:
        save_record(desktop, TOKEN, "text")

        def connect_often() -> None:
            for _ in range(25):
                connection = SecretServiceConnection(secret_service.address, lambda _: None)
                collection = connection.keyring.get_preferred_collection()  # type: ignore[no-untyped-call]  # keyring's
                assert collection.get_label() == "Login"
                connection.close()

        crowd = [multiprocessing.get_context("fork").Process(target=connect_often) for _ in range(8)]
        for process in crowd:
            process.start()
        for process in crowd:
            process.join()
        assert [process.exitcode for process in crowd] == [0] * 8


def test_a_store_with_nothing_to_share_is_used_as_it_is() -> None:
    store = MemoryStore()
    with together(store):
        save_record(store, TOKEN, "text")
        assert store.load(TOKEN) == "text"


class TestUnlocking:
    """The keyring says whether it is locked; a slow one is no reason to ask for its password."""

    @pytest.fixture
    def token(self, desktop: KeyringStore, record: str) -> str:
        save_record(desktop, TOKEN, record)
        return str(json.loads(record)["access_token"])

    def test_a_locked_one_is_announced_once_on_a_terminal(
        self, token: str, secret_service: SecretService, cli: Cli
    ) -> None:
        secret_service.lock()
        with secret_service.deaf_prompter():
            program = cli.on_terminal("list", env=secret_service.environ, allow=[token])
            program.screen.expect(WAITING)
            time.sleep(1.5 * NOTICEABLE_SECONDS)
            program.type("\x03")
            assert program.wait().screen.count(WAITING) == 1

    def test_a_busy_one_is_not_announced(self, token: str, secret_service: SecretService, cli: Cli) -> None:
        secret_service.stop()
        program = cli.on_terminal("token", env=secret_service.environ, allow=[token])
        time.sleep(1.5 * NOTICEABLE_SECONDS)
        secret_service.resume()
        assert program.wait().screen == f"{token}\n"

    def test_nobody_is_asked_without_a_terminal(self, token: str, secret_service: SecretService, cli: Cli) -> None:
        assert token
        secret_service.lock()
        with secret_service.deaf_prompter():
            program = cli.start("token", env=secret_service.environ)
            time.sleep(1.5 * NOTICEABLE_SECONDS)
            assert program.running
            assert program.stderr.text == ""

    @pytest.mark.usefixtures("token")
    def test_the_hint_names_what_is_the_matter(self, secret_service: SecretService) -> None:
        """A locked keyring is to be unlocked; one that is silent may be busy, or hang."""
        store = KeyringStore(state_directory(), patience_seconds=3)
        secret_service.stop()
        with pytest.raises(StoreUnavailable, match="did not read") as busy:
            store.load(TOKEN)
        secret_service.resume()
        assert busy.value.hint.startswith("try again: the keyring may be busy")
        secret_service.lock()
        with secret_service.deaf_prompter(), pytest.raises(StoreUnavailable, match="did not read") as locked:
            store.load(TOKEN)
        assert locked.value.hint.startswith("unlock your keyring")
