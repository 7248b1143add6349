"""Stores for secrets: the keyring by default, files only if you name them, memory for tests."""

from __future__ import annotations

from withings_auth.errors import ConfigurationError
from withings_auth.validation import LOOPBACK_HOSTS, printable

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` takes longer to load than a record
    from collections.abc import Callable
    from pathlib import Path

    from withings_auth.store.base import SecretStore

KEYRING = "keyring"
DATABASES = ("postgresql://", "postgres://")
CHOOSE_FILES = "withings-auth configure --store file:~/.withings-auth (“store” in config.toml)"


def open_named_store(
    name: str,
    state: Path,
    *,
    place: str = "store",
    on_a_terminal: bool = False,
    announce: Callable[[], None] = lambda: None,
) -> SecretStore:
    """Returns the store that `name` describes: `keyring`, `file:DIRECTORY` or `postgresql://…`. Nothing is touched yet.

    `state` is the directory for the keyring's locks. `on_a_terminal` gives the user time to unlock the keyring, and
    `announce` asks for it. Raises `ConfigurationError` for any other name; `place` is what to call the place that has
    it.
    """
    if name == KEYRING:
        from withings_auth.store import keyring_store

        patience = keyring_store.PATIENCE_ON_A_TERMINAL_SECONDS if on_a_terminal else keyring_store.PATIENCE_SECONDS
        return keyring_store.KeyringStore(state, patience_seconds=patience, announce=announce)
    if is_database(name):
        return _open_database(
            name, place, lambda: open_named_store(KEYRING, state, on_a_terminal=on_a_terminal, announce=announce)
        )
    path = _directory(name)
    if path is not None and path.is_absolute():
        from withings_auth.store.file_store import FileStore

        return FileStore(path)
    raise ConfigurationError(
        f"{place} is “{printable(shown_name(name))}”, not a store",
        hint="a store is “keyring”, or “file:” and an absolute directory, as in file:~/.withings-auth, or a database,"
        " as in postgresql://HOST/DATABASE",
    )


def is_database(name: str) -> bool:
    """Whether a store's name is that of one in PostgreSQL, be it valid or not."""
    return name.startswith(DATABASES)


def _open_database(name: str, place: str, open_keyring: Callable[[], SecretStore]) -> SecretStore:
    from withings_auth.store.postgresql.address import parse_address

    address = parse_address(name, place=place)
    try:
        from withings_auth.store.postgresql.database_store import PostgresStore
    except ImportError:
        raise ConfigurationError(
            f"{place} is a PostgreSQL database, for which psycopg is missing", hint=f"install it: {installation()}"
        ) from None
    store = PostgresStore(address)
    if not address.sealed:
        return store
    from withings_auth.store.keys import find_key_place
    from withings_auth.store.sealed_store import SealedStore

    return SealedStore(store, find_key_place(address.place, open_keyring))


def installation() -> str:
    """Returns the command that installs what the extra `postgresql` names, wherever this package is installed."""
    import shlex
    import sys

    command = "pipx inject withings-auth" if "pipx" in sys.prefix else f"{shlex.quote(sys.executable)} -m pip install"
    return f"{command} 'psycopg[binary]>=3.2.3' 'cryptography>=44'"


def refuse_password(name: str, place: str) -> None:
    """Raises `ConfigurationError` if it is the name of a database with a password; `place` is where others can read."""
    if is_database(name) and has_password(name):
        raise ConfigurationError(
            f"{place} must not have a password",
            hint="take it out: it belongs in ~/.pgpass, in the file that PGPASSFILE names, or in a service file"
            " (?service=NAME); only the variable WITHINGS_AUTH_STORE may have it",
        )


def has_password(name: str) -> bool:
    """Whether the store's name has a password, or may have one, so that it must not be shown."""
    return shown_name(name) != name


def shown_name(name: str) -> str:
    """Returns the store's name as it may be shown: without a password, even if it is misspelt."""
    if is_database(name):
        from withings_auth.store.postgresql.address import without_password

        return without_password(name)
    if name.startswith("file:") or not ("@" in name or "password" in name):
        return name
    return f"{name.partition(':')[0].partition('=')[0]}…"


def hosts_of(name: str) -> list[str]:
    """Returns the hosts in the name of a database, to keep them out of a report; none of any other store."""
    if not is_database(name):
        return []
    from withings_auth.store.postgresql.address import parse_address

    try:
        hosts = parse_address(name).place.partition("/")[0]
    except ConfigurationError:
        return []
    # An IPv6 address is in brackets.
    names = [
        each[1:].partition("]")[0] if each.startswith("[") else each.partition(":")[0] for each in hosts.split(",")
    ]
    return [name for name in names if name not in LOOPBACK_HOSTS]


def expanded_name(name: str) -> str:
    """Returns the store's name with `~` expanded, so that it means the same everywhere; any other name as it is."""
    path = _directory(name)
    return name if path is None else f"file:{path}"


def _directory(name: str) -> Path | None:
    """Returns the directory in `file:DIRECTORY`, with `~` expanded; None if the name has none."""
    kind, _, directory = name.partition(":")
    if kind != "file" or not directory or "\0" in directory:
        return None
    from pathlib import Path  # here, because a valid token is returned without it

    try:
        return Path(directory).expanduser()
    except RuntimeError:  # a `~` that belongs to nobody
        return None
