"""What whoever holds a name can do with its row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from withings_auth.errors import StoreNotDurable, StoreUnavailable
from withings_auth.store.postgresql import queries
from withings_auth.store.postgresql.connection import Connection
from withings_auth.validation import printable

if TYPE_CHECKING:
    from withings_auth.store.postgresql.database_store import PostgresStore


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """The row of a name, under its lock, and its own notes."""

    store: PostgresStore
    connection: Connection
    name: str
    key: int

    @property
    def notes(self) -> HeldRecord:
        return self

    def save(self, text: str) -> None:
        """Replaces the text, committed before this returns. Raises `LockLost` if the lock is no longer held."""
        try:
            self.store.change(self.connection, queries.SAVE, self.name, self.key, text)
            found = self.store.load(self.name)
        except StoreUnavailable as error:
            raise StoreNotDurable(f"cannot save {printable(self.name)}: {error}", hint=error.hint) from None
        if found != text:
            raise StoreNotDurable(
                f"{self.store.description} does not hold what was just written to it",
                hint="another program, or a trigger of the database, may be writing there",
            )

    def clear(self) -> bool:
        return self.store.change(self.connection, queries.CLEAR, self.name, self.key, None)

    def recall(self) -> str | None:
        return self.store.read(self.name)[1]

    def note(self, text: str | None) -> None:
        self.store.change(self.connection, queries.NOTE, self.name, self.key, text)
