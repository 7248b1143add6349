"""Secrets in a PostgreSQL database, for several machines that share logins.

Who holds a name has a session of the server's of its own, with an advisory lock. All that the holder saves is sent on
that session and takes effect only while the lock is there: if the connection is lost, so is the lock, and nothing more
is saved.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from psycopg import sql

from withings_auth.errors import LockBusy, StoreError, StoreUnavailable
from withings_auth.logs import Logger
from withings_auth.store.base import STAMP_AGE_SECONDS, HeldName
from withings_auth.store.looks import Look
from withings_auth.store.postgresql import queries
from withings_auth.store.postgresql.address import Address
from withings_auth.store.postgresql.connection import Connection, Row, close
from withings_auth.store.postgresql.failures import lost
from withings_auth.store.postgresql.held_record import HeldRecord
from withings_auth.store.postgresql.pool import Pool
from withings_auth.threads import start_daemon

logger = Logger(__name__)

PROBE_SECONDS = 5.0  # how often a database that is away is tried
WRITE_ELSEWHERE = (
    "log in, and renew, as a database user who may write: withings-auth store init --print shows an administrator how"
)
LOOK_AGAIN_SECONDS = 0.05  # at a lock that is taken: a server writes each wait that it ends into its log
Parameters = Sequence[object] | Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What was read of a name; `at`, in seconds of the steady clock, is when the server was asked."""

    note: str | None
    version: int | None
    at: float

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.at < STAMP_AGE_SECONDS


class PostgresStore:
    """A `SecretStore` in a schema of a database."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._pool = Pool(address)
        self._held: dict[tuple[int, int], list[Connection]] = {}  # by process and thread
        self._seen: dict[str, _Seen] = {}
        self._offset = 0.0

    @property
    def description(self) -> str:
        return f"the PostgreSQL database {self._address.place}"

    def load(self, name: str) -> str | None:
        return self.read(name)[0]

    def load_with_stamp(self, name: str) -> tuple[str | None, Hashable]:
        """Returns the text and its stamp, read at once."""
        text, _, version = self.read(name)
        return text, version

    def read(self, name: str) -> tuple[str | None, str | None, Hashable]:
        """Returns the text, the note and the stamp, by one query."""
        with self._connected() as connection:
            asked_at = time.monotonic()
            ((text, note, version, _),) = self._query(connection, queries.LOAD, (name,))
        self._remember(name, _Seen(note=note, version=version, at=asked_at))
        return text, note, version

    def load_all(self, names: list[str]) -> dict[str, str | StoreError]:
        """Returns the texts of those names that have one, by one query."""
        return {name: look.text for name, look in self.look_at(names).items()}

    def look_at(self, names: list[str] | None) -> dict[str, Look]:
        """Returns what is under those of the names that have a text, or under all names, by one query."""
        with self._connected() as connection:
            asked_at = time.monotonic()
            rows = self._query(connection, queries.LOOK, {"names": names})
        looks = {}
        for name, text, note, version, locks, _ in rows:
            self._remember(name, _Seen(note=note, version=version, at=asked_at))
            looks[name] = Look(text=text, note=note, is_held=queries.lock_key(self._address.schema, name) in locks)
        return looks

    def names(self) -> list[str]:
        return [row[0] for row in self._ask(queries.NAMES)]

    def traces(self) -> list[str]:
        """Returns the names with a note but no record."""
        return [row[0] for row in self._ask(queries.TRACES)]

    def stamp(self, name: str) -> Hashable:
        """Returns the version that was read within the last second, None if it is older: asks nobody.

        While the database is away, returns the last version that was read, and tries in the background.
        """
        seen = self._seen.get(name)
        if seen is None:
            return None
        if (tried_at := self._pool.tried_at) is not None:
            if time.monotonic() - tried_at > PROBE_SECONDS:
                self._pool.tried_at = time.monotonic()
                with suppress(StoreError):
                    start_daemon(lambda: self._probe(name), "withings-auth database")
            return seen.version
        return seen.version if seen.is_fresh else None

    def latest_note(self, name: str) -> str | None:
        """Returns the note as it was within the last second."""
        seen = self._seen.get(name)
        if seen is not None and seen.is_fresh:
            return seen.note
        return self.read(name)[1]

    def clock_offset(self) -> float:
        """How far the server's clock is ahead of this machine's, in seconds, when it was last asked."""
        return self._offset

    def lock_can_be_lost(self) -> bool:
        return True

    def server(self) -> tuple[str, str | None, bool]:
        """Returns the server's version, that of TLS if the connection has it, and whether it stays on one machine."""
        ((version, tls, is_local, _),) = self._ask(queries.SERVER)
        return str(version), None if tls is None else str(tls), bool(is_local)

    def is_read_only(self) -> bool:
        """Whether this user was a reader when the server was last asked."""
        return self._pool.is_reader

    def sealing_key(self) -> str | None:
        """Returns the id of the key that seals what is saved; None if none does."""
        ((key_id,),) = self._ask("SELECT key_id FROM {store}")
        return None if key_id is None else str(key_id)

    def set_sealing_key(self, key_id: str) -> None:
        """From now on this key seals what is saved. Raises `StoreError`."""
        self._ask("UPDATE {store} SET key_id = %s RETURNING 1", (key_id,))

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldName]:
        """Holds the name in a session of its own."""
        key = queries.lock_key(self._address.schema, name)
        connection = self._acquire(key, timeout)
        logger.debug("locked: %s", name)
        place = os.getpid(), threading.get_ident()
        self._held.setdefault(place, []).append(connection)
        try:
            yield HeldRecord(self, connection, name, key)
        finally:
            if place[0] == os.getpid():  # a forked child has not inherited it
                self._held[place].remove(connection)
                if not self._held[place]:
                    del self._held[place]
                self._release(connection, key)

    def _acquire(self, key: int, timeout: float) -> Connection:
        until = time.monotonic() + timeout
        connection = self._pool.take()
        if connection.is_reader:
            self._pool.put_back(connection)
            raise StoreUnavailable(f"{self.description} lets this user only read", hint=WRITE_ELSEWHERE)
        try:
            while not self._try(connection, key):
                left = until - time.monotonic()
                if left <= 0:
                    break
                time.sleep(min(left, LOOK_AGAIN_SECONDS))
            else:
                return connection
        except BaseException:
            close(connection)
            raise
        self._pool.put_back(connection)
        raise LockBusy(
            f"another program has held the lock for {timeout:.0f} seconds",
            hint="try again; if this persists, look for sessions of withings-auth in the database's pg_stat_activity",
        )

    def _try(self, connection: Connection, key: int) -> bool:
        """Returns whether this session has the lock now."""
        ((locked, _),) = self._query(connection, queries.LOCK, (key,))
        return bool(locked)

    def _release(self, connection: Connection, key: int) -> None:
        """Gives the lock back, if need be by ending the session; never fails."""
        try:
            self._query(connection, queries.UNLOCK, (key,))
        except (StoreError, OSError):
            close(connection)
        except BaseException:
            close(connection)
            raise
        else:
            self._pool.put_back(connection)

    def change(self, connection: Connection, statement: str, name: str, key: int, text: str | None) -> bool:
        """Changes the name's row if this session holds the lock; returns whether there was anything to change."""
        query = queries.MINE.replace("{change}", statement)
        ((is_held, changed),) = self._query(connection, query, {"key": key, "name": name, "text": text})
        if not is_held:
            raise lost(self._address, "the lock is no longer held")
        self._seen.pop(name, None)
        return bool(changed)

    def _ask(self, statement: str, parameters: Parameters = ()) -> list[Row]:
        """Returns the rows of one query."""
        with self._connected() as connection:
            return self._query(connection, statement, parameters)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """Yields the connection of a name that this thread holds, or else one that nobody uses."""
        held = self._held.get((os.getpid(), threading.get_ident()))
        if held:
            yield held[-1]
            return
        connection = self._pool.take()
        try:
            yield connection
        except BaseException:
            close(connection)
            raise
        self._pool.put_back(connection)

    def _query(self, connection: Connection, statement: str, parameters: Parameters) -> list[Row]:
        schema = self._address.schema
        query = sql.SQL(statement).format(
            record=sql.Identifier(schema, "readable" if connection.is_reader else "record"),
            store=sql.Identifier(schema, "store"),
            now=sql.SQL(queries.NOW),
        )
        asked_at = time.time()
        with self._pool.watched(connection):
            rows = connection.execute(query, parameters).fetchall()
        if rows and "{now}" in statement:  # which is the last column
            self._set_clock(rows[0][-1], asked_at)
        return rows

    def _set_clock(self, now: float, asked_at: float) -> None:
        """Corrects the offset as far as the answer proves it wrong: nobody knows how long which way took."""
        self._offset = min(max(self._offset, now - time.time()), now - asked_at)

    def _remember(self, name: str, seen: _Seen) -> None:
        """Keeps what was read, unless something newer was read while the answer was on its way."""
        if (before := self._seen.get(name)) is None or before.at <= seen.at:
            self._seen[name] = seen

    def _probe(self, name: str) -> None:
        with suppress(StoreError):
            self.load(name)
