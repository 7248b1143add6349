"""How a connection to the Secret Service is opened, unlocked and closed, with stand-ins for bus and service."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import pytest
import secretstorage
from keyring.backends.SecretService import Keyring
from keyring.errors import InitError, KeyringLocked

from withings_auth.store import secret_service
from withings_auth.store.secret_service import SecretServiceConnection, connect, require_secret_service

ADDRESS = "unix:path=/somewhere"


class Bus:
    """A connection to a bus, that is closed once."""

    name = "a bus"

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Collection:
    """A collection that is locked as often as it says."""

    session = None

    def __init__(self, connection: Any, path: str = "a new one") -> None:
        self.connection, self.path = connection, path
        self.locked: list[bool] = []
        self.unlocked = 0

    def is_locked(self) -> bool:
        return self.locked.pop(0) if self.locked else False

    def unlock(self) -> None:
        self.unlocked += 1


@pytest.fixture
def buses(monkeypatch: pytest.MonkeyPatch) -> list[Bus]:
    """The connections that were opened, to the one address."""
    buses: list[Bus] = []

    def open_one(address: str | None) -> Bus:
        assert address == ADDRESS
        buses.append(Bus())
        return buses[-1]

    monkeypatch.setattr(secret_service, "connect", open_one)
    monkeypatch.setattr(secretstorage, "Collection", Collection)
    monkeypatch.setattr(secretstorage, "get_default_collection", Collection)
    monkeypatch.setattr(secret_service, "find_default_collection", lambda _: "/default")
    monkeypatch.setattr(secret_service, "open_session", lambda connection: ("session", connection))
    return buses


@pytest.fixture
def told() -> list[bool]:
    return []


@pytest.fixture
def connection(told: list[bool]) -> SecretServiceConnection:
    return SecretServiceConnection(ADDRESS, told.append)


def collection_of(connection: SecretServiceConnection) -> Any:
    """What keyring gets when it asks for the collection."""
    return connection.keyring.get_preferred_collection()  # type: ignore[no-untyped-call]  # keyring has no types


def test_it_opens_once_and_only_we_close_it(connection: SecretServiceConnection, buses: list[Bus]) -> None:
    connection.close()
    assert buses == []
    assert type(connection.keyring) is Keyring
    first = collection_of(connection)
    assert collection_of(connection) is first
    assert first.session == ("session", first.connection)
    assert (first.path, first.connection.name, len(buses)) == ("/default", "a bus", 1)
    first.connection.close()  # as keyring does after each call
    assert buses[0].closed == 0
    connection.close()
    connection.close()
    assert buses[0].closed == 1
    assert collection_of(connection) is not first
    assert [bus.closed for bus in buses] == [1, 0]


def test_the_collection_is_the_preferred_one(connection: SecretServiceConnection, buses: list[Bus]) -> None:
    connection.keyring.preferred_collection = "/of/the/user"  # type: ignore[attr-defined]  # as keyring sets it
    found = collection_of(connection)
    assert (found.path, found.connection.name, len(buses)) == ("/of/the/user", "a bus", 1)


@pytest.mark.usefixtures("buses")
def test_a_missing_default_is_made(connection: SecretServiceConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_service, "find_default_collection", lambda _: None)
    assert collection_of(connection).path == "a new one"


@pytest.mark.parametrize(
    ("locked", "told_then", "opens"),
    [([False], [], True), ([True, False], [True, False], True), ([True, True], [True], False)],
)
def test_the_wait_for_a_locked_one_is_told(
    connection: SecretServiceConnection,
    buses: list[Bus],
    told: list[bool],
    locked: list[bool],
    told_then: list[bool],
    opens: bool,
) -> None:
    found = collection_of(connection)
    found.locked = list(locked)
    if opens:
        assert collection_of(connection) is found
    else:
        with pytest.raises(KeyringLocked, match="Failed to unlock the collection!"):
            collection_of(connection)
    assert (told, found.unlocked, found.locked, len(buses)) == (told_then, len(told_then[:1]), [], 1)


@pytest.mark.usefixtures("buses")
def test_a_failure_is_one_that_keyring_would_raise(
    connection: SecretServiceConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise error

    error = secretstorage.SecretStorageException("none here")
    monkeypatch.setattr(secret_service, "find_default_collection", fail)
    with pytest.raises(InitError) as failed:
        collection_of(connection)
    assert str(failed.value) == "Failed to create the collection: none here."
    assert failed.value.__cause__ is error


class TestConnect:
    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> list[object]:
        """What was done to connect; the bus is `self.bus`."""
        calls: list[object] = []
        self.bus = Bus()

        def note(name: str, result: object) -> Callable[..., object]:
            def call(*arguments: object) -> object:
                calls.append((name, *arguments))
                return result

            return call

        def in_turn(connect: Callable[[], object]) -> object:
            calls.append("in turn")
            return connect()

        monkeypatch.setattr(secret_service, "wait_for_turn", in_turn)
        monkeypatch.setattr(secretstorage, "dbus_init", note("init", self.bus))
        monkeypatch.setattr(secret_service, "open_dbus_connection", note("open", self.bus))
        monkeypatch.setattr(secret_service, "add_match_rules", note("rules", None))
        return calls

    def test_to_the_bus_of_the_environment_or_another(self, calls: list[object]) -> None:
        assert connect(None) is self.bus
        assert calls == ["in turn", ("init",)]
        calls.clear()
        assert connect(ADDRESS) is self.bus
        assert calls == ["in turn", ("open", ADDRESS), ("rules", self.bus)]

    @pytest.mark.parametrize("available", [True, False])
    def test_a_bus_without_the_service_is_refused(
        self, calls: list[object], monkeypatch: pytest.MonkeyPatch, available: bool
    ) -> None:
        """And closed, as the other one is."""

        def check(connection: object) -> bool:
            assert connection is self.bus
            return available

        monkeypatch.setattr(secretstorage, "check_service_availability", check)
        if available:
            require_secret_service(ADDRESS)
        else:
            with pytest.raises(RuntimeError, match="The Secret Service daemon is neither running nor activatable"):
                require_secret_service(ADDRESS)
        assert calls[1] == ("open", ADDRESS)
        assert self.bus.closed == 1
