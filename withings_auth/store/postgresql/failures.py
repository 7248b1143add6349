"""What a failure of the database amounts to: its server is away, or an administrator has to mend something."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from withings_auth.errors import ConfigurationError, LockLost, StoreError, StoreUnavailable
from withings_auth.store.postgresql.address import Address
from withings_auth.validation import printable

AGAIN = "ask again; if this persists, check the network and the database server"
INIT = "make what it needs: withings-auth store init"

# A refused connection has no SQLSTATE. These words of the server's are about a moment, all its other refusals are not.
_MOMENTS = (
    *("starting up", "shutting down", "recovery mode", "not yet accepting", "terminating connection"),
    *("too many", "connection slots"),
    *("SSL SYSCALL", "SSL connection has been closed", "unexpected eof"),
)
_REFUSALS = (
    "FATAL:",
    "password",
    "SSL",
    "certificate",
    "digest",
    "GSSAPI",
    "authentication",
    "invalid ",
    "definition of service",
)
_LOST = ("08", "57")  # the connection; an administrator, a shutdown or a time limit
_FULL = "53"

_HINTS = {
    "3F000": INIT,
    "42P01": INIT,
    "42703": INIT,
    "42501": "let an administrator grant this database user what withings-auth store init --print shows",
    "25006": "name the primary server: this one is a standby, or read-only",
}


@contextmanager
def explained(address: Address, *, connecting: bool = False) -> Iterator[None]:
    """Makes a failure of the database one of ours, without its cause, which may quote what was sent."""
    explanation: StoreError | ConfigurationError
    try:
        yield
    except psycopg.Error as error:
        explanation = explain_connecting(error, address) if connecting else explain(error, address)
    except OSError as error:  # this process may open no more files
        explanation = lost(address, error.strerror or type(error).__name__)
    except UnicodeError:  # a host that no resolver can be asked for
        if not connecting:
            raise
        explanation = _no_uri(address)
    else:
        return
    raise explanation


def explain(error: psycopg.Error, address: Address) -> StoreError:
    """Returns `LockLost` if the connection is lost, `StoreUnavailable` if the server refuses to do what it was told."""
    state = error.sqlstate
    if state is None:
        return lost(address, _first_line(error))
    words = printable(error.diag.message_primary or type(error).__name__)
    if state.startswith(_LOST):
        return lost(address, words)
    if state in _HINTS:
        return StoreUnavailable(f"the database {address.place} refuses: {words}", hint=_HINTS[state])
    hint = "make room on the server" if state.startswith(_FULL) else "look at the server's log"
    return StoreUnavailable(f"the database {address.place} failed: {words}", hint=hint)


def explain_connecting(error: psycopg.Error, address: Address) -> StoreError | ConfigurationError:
    """Returns `LockLost` if the server is away, `StoreUnavailable` if it lets nobody in who comes like this."""
    if isinstance(error, psycopg.ProgrammingError):  # its words may quote the whole URI
        return _no_uri(address)
    words = _first_line(error)
    if not any(sign in words for sign in _REFUSALS) or any(sign in words for sign in _MOMENTS):
        return lost(address, words)
    return StoreUnavailable(
        f"the database {address.place} refuses: {words.removeprefix('FATAL:').strip()}",
        hint="check user, database and sslmode; a password belongs in ~/.pgpass, or in the file that PGPASSFILE names",
    )


def _no_uri(address: Address) -> ConfigurationError:
    return ConfigurationError(
        f"the name of the store, for {address.place}, is not a connection URI that PostgreSQL can read",
        hint="a database is named like postgresql://db.example.org/withings?sslmode=verify-full",
    )


def _first_line(error: psycopg.Error) -> str:
    words = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return printable(words.rpartition("failed: ")[2].removeprefix("connection is bad: "))


def lost(address: Address, words: str) -> LockLost:
    words = words.removeprefix("FATAL:").strip()
    return LockLost(f"the database {address.place} is out of reach: {words}", hint=AGAIN)


def too_many(error: StoreError) -> bool:
    """Whether the server had no connection left, which soon changes."""
    return isinstance(error, LockLost) and any(words in str(error) for words in ("too many", "connection slots"))


def newer_schema(address: Address) -> StoreUnavailable:
    return StoreUnavailable(
        f"the database {address.place} was set up by a newer version of withings-auth",
        hint="upgrade withings-auth on this machine",
    )


def sealed_by_others(address: Address) -> StoreUnavailable:
    return StoreUnavailable(
        f"what is in the database {address.place} is sealed, but the store's name says sealed=off",
        hint="leave out sealed=off; which key it takes: withings-auth store key",
    )
