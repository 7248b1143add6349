"""keyring's Secret Service backend over one connection for several calls.

keyring connects anew and agrees on a new key for each call, which takes much longer than the call itself. It also waits
for the user to unlock the keyring without telling anybody.
"""

from __future__ import annotations

from collections.abc import Callable

import secretstorage
from jeepney.io.blocking import DBusConnection, open_dbus_connection  # type: ignore[import-untyped]
from keyring.backends.SecretService import Keyring
from keyring.errors import InitError, KeyringLocked
from secretstorage.defines import SS_PATH
from secretstorage.util import SERVICE_IFACE, DBusAddressWrapper, add_match_rules, open_session

from withings_auth.store.fast_lane import wait_for_turn


class SecretServiceConnection:
    """A connection that opens when it is first needed; `keyring` makes its calls over it.

    `address` is the bus to use, None for the one that the environment names. `tell_locked` is called with True before
    the wait for a locked keyring, and with False after it.
    """

    def __init__(self, address: str | None, tell_locked: Callable[[bool], None]) -> None:
        self._address = address
        self._tell_locked = tell_locked
        self._connection: DBusConnection | None = None
        self._collection: secretstorage.Collection | None = None
        # No subclass: keyring would list it among the backends that the host program can choose from.
        self.keyring = Keyring()  # type: ignore[no-untyped-call]
        self.keyring.get_preferred_collection = self._unlocked_collection  # type: ignore[method-assign]

    def close(self) -> None:
        """Closes the connection; the next call would open another one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._collection = None

    def _unlocked_collection(self) -> secretstorage.Collection:
        if self._collection is None:
            self._collection = self._open_collection()
        if self._collection.is_locked():
            self._tell_locked(True)
            self._collection.unlock()
            if self._collection.is_locked():
                raise KeyringLocked("Failed to unlock the collection!")
            self._tell_locked(False)
        return self._collection

    def _open_collection(self) -> secretstorage.Collection:
        self._connection = connect(self._address)
        shared = _Shared(self._connection)
        try:
            default = find_default_collection(shared)
            path = getattr(self.keyring, "preferred_collection", default)  # KEYRING_PROPERTY_PREFERRED_COLLECTION
            if path:
                collection = secretstorage.Collection(shared, path)
            else:
                collection = secretstorage.get_default_collection(shared)  # creates it
            collection.session = open_session(shared)  # each item would open its own
        except secretstorage.SecretStorageException as error:
            raise InitError(f"Failed to create the collection: {error}.") from error
        return collection


class _Shared:
    """A connection that keyring cannot close after each call."""

    def __init__(self, connection: DBusConnection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)

    def close(self) -> None:
        """Does nothing."""


def connect(address: str | None) -> DBusConnection:
    """Returns a new connection to the bus."""
    connection: DBusConnection = wait_for_turn(lambda: _connect(address))
    return connection


def _connect(address: str | None) -> DBusConnection:
    if address is None:
        return secretstorage.dbus_init()
    connection = open_dbus_connection(address)
    add_match_rules(connection)
    return connection


def find_default_collection(connection: DBusConnection) -> str | None:
    """Returns the path of the default collection, None if there is none. Must come first over a new connection.

    GNOME's keyring may see a question before it has noted who asks. It then aborts if the question is for a property,
    which is how secretstorage begins; to this one it says that there is none. secretstorage also names the collection
    by its alias, which GNOME's keyring may look up in memory that it has just freed. Both happen at once when eight
    programs connect as fast as they can (gnome-keyring 42.1; daemon/dbus/gkd-secret-service.c, service_message_filter).
    """
    (path,) = DBusAddressWrapper(SS_PATH, SERVICE_IFACE, connection).call("ReadAlias", "s", "default")
    return None if path == "/" else str(path)


def require_secret_service(address: str) -> None:
    """Raises RuntimeError if no Secret Service is on the bus at this address."""
    with connect(address) as connection:
        if not secretstorage.check_service_availability(connection):
            raise RuntimeError("The Secret Service daemon is neither running nor activatable through D-Bus")
