"""The connections of one store: a few that are idle, and what the latest ones have shown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from withings_auth.errors import LockLost, WithingsAuthError
from withings_auth.store.postgresql.address import Address
from withings_auth.store.postgresql.connection import Connection, close, connect
from withings_auth.store.postgresql.failures import explained

MOST_IDLE = 8  # as many threads as renew at once do without new connections


class Pool:
    """Connections that nobody uses now.

    `tried_at` is when a database that is away was last tried in the background, by the steady clock, and None while it
    is not away; `is_reader` says whether it lets this user only read.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self.idle: dict[int, list[Connection]] = {}  # by process
        self.tried_at: float | None = None
        self.is_reader = False

    def take(self) -> Connection:
        """Returns a connection that nobody uses. Raises as `connect` does."""
        idle = self.idle.setdefault(os.getpid(), [])
        while idle:
            connection = idle.pop()
            if connection.is_sound:
                return connection
            close(connection)
        with self._noticed():
            connection = connect(self._address)
        self.is_reader = connection.is_reader
        return connection

    def put_back(self, connection: Connection) -> None:
        """Keeps the connection for the next one who takes one, or closes it."""
        idle = self.idle.setdefault(os.getpid(), [])
        if connection.may_rest and len(idle) < MOST_IDLE:
            idle.append(connection)
        else:
            close(connection)

    @contextmanager
    def watched(self, connection: Connection) -> Iterator[None]:
        """Explains failures; a connection that does not answer in time is closed."""
        with self._noticed():
            try:
                with explained(self._address):
                    yield
            except LockLost:
                close(connection)
                raise

    @contextmanager
    def _noticed(self) -> Iterator[None]:
        """Notices that the database is away, or back."""
        try:
            yield
        except LockLost:
            if self.tried_at is None:  # the first try follows at once: perhaps only this connection is lost
                self.tried_at = float("-inf")
            raise
        except WithingsAuthError:  # it answers, although it refuses
            self.tried_at = None
            raise
        else:
            self.tried_at = None
