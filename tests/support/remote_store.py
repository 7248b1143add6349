"""A store on a server, as each program sees it: the server ends sessions, goes away, and has a clock of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from withings_auth.errors import LockBusy, LockLost
from withings_auth.store.base import HeldName


@dataclass(slots=True)
class Server:
    """What the server has; `owners` are the sessions that hold a lock."""

    records: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    versions: Counter[str] = field(default_factory=Counter)
    owners: dict[str, object] = field(default_factory=dict)
    away: bool = False

    def end_sessions(self) -> None:
        """Frees every lock, although its holder lives on."""
        self.owners.clear()


class RemoteStore:
    """The `SecretStore` of a program whose clock is so many seconds behind the server's."""

    description = "the server of the tests"

    def __init__(self, server: Server, *, behind_seconds: float = 0.0) -> None:
        self.server = server
        self.stamps_are_fresh = True
        self.before: Callable[[str], None] = lambda _: None  # is told of each save and note before the server is
        self.after: Callable[[str], None] = lambda _: None
        self._behind_seconds = behind_seconds
        self._offset = 0.0
        self._seen: dict[str, int] = {}

    def ask(self) -> None:
        """Hears from the server. Raises `LockLost` if it is away."""
        if self.server.away:
            raise LockLost("the server is away", hint="ask again")
        self._offset = self._behind_seconds

    def load_with_stamp(self, name: str) -> tuple[str | None, Hashable]:
        self.ask()
        self._seen[name] = self.server.versions[name]
        return self.server.records.get(name), self._seen[name]

    def load(self, name: str) -> str | None:
        return self.load_with_stamp(name)[0]

    def names(self) -> list[str]:
        self.ask()
        return sorted(self.server.records)

    def stamp(self, name: str) -> Hashable:
        return self._seen.get(name) if self.stamps_are_fresh or self.server.away else None

    def latest_note(self, name: str) -> str | None:
        self.ask()
        return self.server.notes.get(name)

    def clock_offset(self) -> float:
        return self._offset

    def lock_can_be_lost(self) -> bool:
        return True

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldName]:
        self.ask()
        if name in self.server.owners:
            raise LockBusy(f"{name} is held for more than {timeout} seconds", hint="try again")
        session = self.server.owners[name] = _Session(self, name)
        try:
            yield session
        finally:
            if self.server.owners.get(name) is session:
                del self.server.owners[name]


class _Session:
    """A held name, and its notes, until the session ends."""

    def __init__(self, store: RemoteStore, name: str) -> None:
        self._store = store
        self._name = name

    @property
    def notes(self) -> _Session:
        return self

    def save(self, text: str) -> None:
        with self._changing("save") as server:
            server.records[self._name] = text
            server.versions[self._name] += 1

    def clear(self) -> bool:
        with self._changing("clear") as server:
            server.versions[self._name] += 1
            return server.records.pop(self._name, None) is not None

    def recall(self) -> str | None:
        self._store.ask()
        return self._store.server.notes.get(self._name)

    def note(self, text: str | None) -> None:
        with self._changing("note") as server:
            server.notes[self._name] = text or ""

    @contextmanager
    def _changing(self, what: str) -> Iterator[Server]:
        self._store.before(what)
        self._store.ask()
        if self._store.server.owners.get(self._name) is not self:
            raise LockLost("the lock is no longer held", hint="ask again")
        yield self._store.server
        self._store.after(what)
