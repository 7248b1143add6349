"""Keyrings in memory that fail as real ones do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

from withings_auth.store.backends import Backend
from withings_auth.store.keyring_store import KeyringStore


class MemoryKeyring(KeyringBackend):
    """Keeps what it is given; `asked` is every call that changed or would have changed something."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring has no type for it
        self.held: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []

    def happens(self, secret: str = "") -> None:
        """Comes before every call."""

    def get_password(self, service: str, username: str) -> str | None:
        assert username == "withings-auth"
        self.happens()
        return self.held.get(service)

    def set_password(self, service: str, username: str, password: str) -> None:
        assert username == "withings-auth"
        self.happens(password)
        self.asked.append(("set", service))
        self.held[service] = password

    def delete_password(self, service: str, username: str) -> None:
        assert username == "withings-auth"
        self.happens()
        self.asked.append(("delete", service))
        if self.held.pop(service, None) is None:
            raise PasswordDeleteError(service)


class ForgettingKeyring(MemoryKeyring):
    """Accepts everything and keeps nothing, as keyring's null backend does."""

    def set_password(self, service: str, username: str, password: str) -> None:
        pass


class CuttingKeyring(MemoryKeyring):
    """Keeps only the beginning of a text."""

    def set_password(self, service: str, username: str, password: str) -> None:
        super().set_password(service, username, password[:20])


class StubbornKeyring(MemoryKeyring):
    """Reports that it has removed a record, but keeps it."""

    def delete_password(self, service: str, username: str) -> None:
        pass


class FailingKeyring(MemoryKeyring):
    """Raises an error on every call."""

    def __init__(self, make: Callable[[str], Exception]) -> None:
        super().__init__()
        self.make = make

    def happens(self, secret: str = "") -> None:
        raise self.make(secret)


class SlowKeyring(MemoryKeyring):
    """While `hangs` is set, a call waits for `go` and then goes on, so that a save lands late."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs = False
        self.go = threading.Event()

    def happens(self, secret: str = "") -> None:  # noqa: ARG002  for subclasses
        if self.hangs:
            self.go.wait(60)


class PowerCut(Exception):
    """The machine went off at this point."""


class ReplacingKeyring(MemoryKeyring):
    """Replaces by delete, then add, as the macOS backend does; the machine goes off after `steps` steps."""

    def __init__(self, held: dict[str, str], steps: int | None = None) -> None:
        super().__init__()
        self.held = held
        self.steps = steps

    def _step(self) -> None:
        if self.steps is not None:
            if self.steps == 0:
                raise PowerCut
            self.steps -= 1

    def set_password(self, service: str, username: str, password: str) -> None:
        if service in self.held:
            self._step()
            del self.held[service]
        self._step()
        super().set_password(service, username, password)

    def delete_password(self, service: str, username: str) -> None:
        self._step()
        super().delete_password(service, username)


@dataclass
class Keyrings:
    """Opens stores over one keyring and one state directory."""

    state: Path
    keyring: KeyringBackend = field(default_factory=MemoryKeyring)
    replaces_by_deleting: bool = False
    patience_seconds: float = 5
    announce: Callable[[], None] = lambda: None

    def __call__(self) -> KeyringStore:
        chosen = Backend(
            keyring=self.keyring, description="the test's keyring", replaces_by_deleting=self.replaces_by_deleting
        )
        return KeyringStore(
            self.state, patience_seconds=self.patience_seconds, announce=self.announce, choose=lambda: chosen
        )
