"""Connections to the database: none waits for ever, none outlives its process by a fork, and none is pooled apart."""

from __future__ import annotations

import os
import random
import sys
import time
import weakref
from collections.abc import Generator
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from withings_auth.errors import StoreError, StoreUnavailable
from withings_auth.store.postgresql.address import Address
from withings_auth.store.postgresql.failures import explained, newer_schema, sealed_by_others, too_many
from withings_auth.store.postgresql.tables import SCHEMA_VERSION

ANSWER_SECONDS = 10.0  # how long the server may take for one statement; a little longer than it allows itself
_CONNECT_SECONDS = 5
_LOOKS_AT_A_POOLER = 20  # a busy one may give us the same session by chance, now and then
_ROOM_SECONDS = 20.0  # how long a server may have no connection left

# A dead machine is noticed within about ten seconds, at both ends.
_CLIENT = {
    "connect_timeout": _CONNECT_SECONDS,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "client_encoding": "utf8",
    "fallback_application_name": "withings-auth",
}
# Settings that an older server does not know are left out. What is saved must survive a crash of the server.
_SESSION = """
SELECT set_config(name, value, false) FROM (VALUES
    ('search_path', 'pg_catalog'),
    ('default_transaction_isolation', 'read committed'),
    ('statement_timeout', '8s'),
    ('idle_session_timeout', '5min'),
    ('tcp_keepalives_idle', '4'),
    ('tcp_keepalives_interval', '2'),
    ('tcp_keepalives_count', '3'),
    ('tcp_user_timeout', '10000'),
    ('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'))
) AS wanted (name, value) WHERE current_setting(name, true) IS NOT NULL;
"""

_STATE = """
SELECT pg_backend_pid(), version, key_id, has_table_privilege('{schema}.record', 'SELECT'),
    (SELECT 2 * count(*) > current_setting('max_connections')::integer FROM pg_stat_activity WHERE datid IS NOT NULL)
FROM {schema}.store
"""

Row = tuple[Any, ...]

_open: weakref.WeakSet[Connection] = weakref.WeakSet()
_forks: list[None] = []  # one for each fork of this process
_keep_sessions: set[str] = set()  # the connection URIs whose poolers leave clients their sessions
_nowhere = os.open(os.devnull, os.O_RDWR)


class Connection(psycopg.Connection[Row]):
    """A connection that waits `ANSWER_SECONDS` for an answer at most."""

    may_rest = True  # unless the server had few connections left: then others need it more
    is_reader = False  # whether this user may only see what the view `readable` shows

    def wait(self, gen: Any, *arguments: Any, **settings: Any) -> Any:
        """Waits for what `gen` asks the server for. psycopg lets it look about ten times a second."""
        return super().wait(_limited(gen), *arguments, **settings)

    def __del__(self, _: object = None) -> None:
        """Does without psycopg's warning: a process may end with its connections."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing has arrived that nobody asked for, such as the end of the connection."""
        try:
            with DefaultSelector() as selector:
                return not self.closed and not (selector.register(self.fileno(), EVENT_READ) and selector.select(0))
        except OSError:  # nobody can tell
            return False


def _limited(steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Takes the steps of an exchange with the server. Raises `psycopg.OperationalError` if it takes too long."""
    until = time.monotonic() + ANSWER_SECONDS
    try:
        step = next(steps)
        while True:
            ready = yield step
            if not ready and time.monotonic() > until:
                raise psycopg.OperationalError(f"no answer within {ANSWER_SECONDS:.0f} seconds")
            step = steps.send(ready)
    except StopIteration as end:
        return end.value


def connect(address: Address) -> Connection:
    """Returns a connection to a schema that is there.

    Raises `LockLost`, `StoreUnavailable` and `ConfigurationError`.
    """
    connection = connect_unprepared(address)
    try:
        with explained(address):
            # The schema's name has been checked: it cannot end the statement.
            cursor = connection.execute(_SESSION + _STATE.format(schema=address.schema))
            cursor.nextset()
            row = cursor.fetchone()
        if row is None or row[1] > SCHEMA_VERSION:
            raise newer_schema(address)
        if row[2] is not None and not address.sealed:
            raise sealed_by_others(address)
        connection.is_reader, connection.may_rest = not row[3], not row[4]
        if row[0] != connection.info.backend_pid:
            _refuse_pooler(address, connection)
    except BaseException:
        close(connection)
        raise
    return connection


def connect_unprepared(address: Address) -> Connection:
    """Returns a connection to the database, whatever is in it. Raises as `connect` does."""
    until = time.monotonic() + _ROOM_SECONDS
    while True:
        try:
            return _connect(address)
        except StoreError as error:
            if not too_many(error) or time.monotonic() > until:
                raise
        time.sleep(random.uniform(0.05, 0.2))  # noqa: S311  so that a crowd does not come back all at once


def _connect(address: Address) -> Connection:
    while True:
        forks = len(_forks)
        with explained(address, connecting=True):
            given = conninfo_to_dict(address.conninfo)
            defaults: dict[str, Any] = {name: value for name, value in _CLIENT.items() if name not in given}
            connection = Connection.connect(address.conninfo, autocommit=True, prepare_threshold=None, **defaults)
        _open.add(connection)
        if forks == len(_forks):
            return connection
        close(connection)  # a child that was forked meanwhile has a copy that nobody could have found there


def close(connection: Connection) -> None:
    """Ends the session and with it its locks; never fails."""
    _open.discard(connection)
    with suppress(psycopg.Error, OSError):
        connection.close()


def _refuse_pooler(address: Address, connection: Connection) -> None:
    """Raises `StoreUnavailable` if a pooler between us and the server gives our session to others in between.

    Then our locks would be theirs. It shows when another connection, within a transaction, is in the same session as
    this one, or pushes it into another, or when a pooler allows no transactions at all.
    """
    if address.conninfo in _keep_sessions:
        return
    with _connect(address) as other, explained(address):
        if mode := _pooler_mode(connection, other):
            raise StoreUnavailable(
                f"a pooler in {mode} mode stands before the database {address.place}: it gives locks away",
                hint="connect to the server itself, or set the pooler's mode to session (pool_mode = session)",
            )
    _keep_sessions.add(address.conninfo)


def _pooler_mode(connection: Connection, other: Connection) -> str | None:
    for _ in range(_LOOKS_AT_A_POOLER):
        ours = _session(connection)
        try:
            other.execute("BEGIN")
        except psycopg.Error as error:  # which one depends on psycopg's version
            if "statement pooling" in str(error):
                return "statement"
            raise
        if _session(other) == ours or _session(connection) != ours:
            return "transaction"
        other.execute("COMMIT")
    return None


def _session(connection: Connection) -> int:
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return int(row[0]) if row else 0


def _cut_off() -> None:
    """Points the sockets that a child has inherited elsewhere.

    As copies they would keep the parent's session, and its locks, after its death; and to end them in an orderly way
    would end the parent's session before that.
    """
    for connection in [*_open]:
        with suppress(psycopg.Error, OSError):
            os.dup2(_nowhere, connection.pgconn.socket)
    _open.clear()


if sys.platform != "win32":
    os.register_at_fork(after_in_parent=lambda: _forks.append(None), after_in_child=_cut_off)
