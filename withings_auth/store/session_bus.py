"""The user's own session bus when the environment names none, as under cron or in a system service.

The command line sets the variable in its own environment. A library must not change its host program's, so it passes
the address to the Secret Service backend, chosen or named. It cannot do that for libsecret and KWallet: GDBus and
libdbus read only DBUS_SESSION_BUS_ADDRESS and XDG_RUNTIME_DIR, so a host program that uses them must set one.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

VARIABLE = "DBUS_SESSION_BUS_ADDRESS"
USER_RUNTIME_DIRECTORIES = Path("/run/user")


def session_bus_address(environ: Mapping[str, str]) -> str | None:
    """Returns the address of the user's bus, or None if the environment names one or there is none.

    It is systemd's bus at /run/user/UID/bus, used only if the socket belongs to this user.
    """
    if sys.platform != "linux" or environ.get(VARIABLE):
        return None
    bus = USER_RUNTIME_DIRECTORIES / str(os.getuid()) / "bus"
    try:
        status = bus.lstat()
    except OSError:
        return None
    ours = stat.S_ISSOCK(status.st_mode) and status.st_uid == os.getuid()
    return f"unix:path={bus}" if ours else None


def secret_service_at(address: str) -> KeyringBackend:
    """Returns keyring's Secret Service backend for the bus at this address.

    Raises RuntimeError if no Secret Service is there.
    """
    import secretstorage
    from jeepney.io.blocking import DBusConnection, open_dbus_connection  # type: ignore[import-untyped]
    from keyring.backends.SecretService import Keyring
    from keyring.errors import InitError, KeyringLocked
    from secretstorage.util import add_match_rules

    def connect() -> DBusConnection:
        connection = open_dbus_connection(address)
        add_match_rules(connection)
        return connection

    def open_collection() -> secretstorage.Collection:
        connection = connect()
        try:
            if path := getattr(keyring, "preferred_collection", None):  # KEYRING_PROPERTY_PREFERRED_COLLECTION
                collection = secretstorage.Collection(connection, path)
            else:
                collection = secretstorage.get_default_collection(connection)
        except secretstorage.SecretStorageException as error:
            connection.close()
            raise InitError(f"Failed to create the collection: {error}.") from error
        if collection.is_locked():
            collection.unlock()
            if collection.is_locked():
                connection.close()
                raise KeyringLocked("Failed to unlock the collection!")
        return collection

    with connect() as connection:
        if not secretstorage.check_service_availability(connection):
            raise RuntimeError("The Secret Service daemon is neither running nor activatable through D-Bus")
    keyring = Keyring()  # type: ignore[no-untyped-call]
    # No subclass: keyring would list it among the backends that the host program can choose from.
    keyring.get_preferred_collection = open_collection  # type: ignore[method-assign]
    return keyring
