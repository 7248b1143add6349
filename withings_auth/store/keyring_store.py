"""Secrets in the keyring of the operating system: one service per record, each call with a time limit.

A keyring can ask a person for a password, wait for ever, fail in foreign ways or accept and forget. So each call
runs in a thread of its own that nobody waits for longer than said, every exception becomes one of ours, and a save
counts once it was read back. A keyring cannot list what it holds: a file per name in the state directory, empty,
is the index, and its modification time is the stamp.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from keyring.errors import KeyringLocked, NoKeyringError

from withings_auth.errors import StoreError, StoreNotDurable, StoreUnavailable
from withings_auth.outside import printable
from withings_auth.store.backends import Backend, find_backend, remedies
from withings_auth.store.base import Notes
from withings_auth.store.lock import FileLock, FileNotes, make_private_directory, replace_file
from withings_auth.threads import Hand

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

T = TypeVar("T")

SERVICE_PREFIX = "withings-auth/"
USERNAME = "withings-auth"
PATIENCE_SECONDS = 10.0
PATIENCE_ON_A_TERMINAL_SECONDS = 60.0


class KeyringStore:
    """A `SecretStore` in the keyring.

    `state` is the directory for locks, notes and stamps. `patience_seconds` bounds every wait for the keyring;
    `announce` is called once when a wait has become noticeable, so that a person at a terminal looks for the
    keyring's window.
    """

    def __init__(
        self,
        state: Path,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        announce: Callable[[], None] = lambda: None,
        choose: Callable[[], Backend] = find_backend,
    ) -> None:
        self._state = state
        self._patience_seconds = patience_seconds
        self._announce = announce
        self._choose = choose
        self._backend: Backend | None = None
        self._transaction = _Transaction()

    @property
    def description(self) -> str:
        """What a person calls this keyring."""
        return self._backend.description if self._backend else "the keyring"

    def load(self, name: str) -> str | None:
        """Returns the record, also one that a crash left half replaced."""
        text = self._ask("read", lambda backend: self._read(backend, name))
        with suppress(OSError):  # the index repairs itself; a directory that cannot be written is no reason to fail
            if text is None:
                self._stamp_path(name).unlink(missing_ok=True)
            elif not self._stamp_path(name).exists():
                self._touch(name)
        return text

    def save(self, name: str, text: str) -> None:
        """Saves the record, reads it back and changes the stamp."""
        self._ask("save", lambda backend: self._write(backend, name, text))

    def clear(self, name: str) -> bool:
        """Removes the record, and what a crash left of an earlier one."""

        def remove(backend: Backend) -> bool:
            # The spare first: a crash in between must not bring an old record back.
            removed = [self._delete(backend.keyring, service) for service in reversed(_services(backend, name))]
            return any(removed)

        removed = self._ask("remove", remove)
        with suppress(OSError):
            self._stamp_path(name).unlink(missing_ok=True)
        return removed

    def names(self) -> list[str]:
        """Returns the names that the index knows and the keyring confirms."""
        known = sorted(f"{path.parent.name}/{path.stem}" for path in self._state.glob("*/*.stamp"))
        return [name for name in known if self.load(name) is not None]

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[Notes]:
        """Holds the name; a save that outlasted its time limit keeps the lock until it has returned."""
        path = self._state / f"{name}.lock"
        lock = FileLock(path, timeout)
        hand = Hand("withings-auth keyring")
        outer, self._transaction.hand = self._transaction.hand, hand
        outer_stuck, self._transaction.stuck = self._transaction.stuck, False
        try:
            yield FileNotes(path.with_suffix(".attempt"))
        finally:
            if self._transaction.stuck:
                hand.later(lock.release)
            else:
                lock.release()
            hand.close()
            self._transaction.hand, self._transaction.stuck = outer, outer_stuck

    def stamp(self, name: str) -> Hashable:
        """Returns the identity and the modification time of the name's file in the index."""
        try:
            status = os.stat(self._stamp_path(name))  # noqa: PTH116  half the time of Path.stat
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def _ask(self, doing: str, call: Callable[[Backend], T]) -> T:
        """Has a keyring call made in a hand's thread. Raises `StoreUnavailable`, whatever the backend raises."""
        if self._transaction.stuck:
            raise self._silent(doing)
        hand = self._transaction.hand or Hand("withings-auth keyring")
        try:
            return hand.do(lambda: self._call(call), seconds=self._patience_seconds, announce=self._announce)
        except TimeoutError:
            self._transaction.stuck = self._transaction.hand is hand
            raise self._silent(doing) from None
        except StoreError:
            raise
        except KeyringLocked as error:
            raise StoreUnavailable(
                f"{self.description} is locked and cannot be unlocked from here", hint=_unlock_hint()
            ) from error
        except NoKeyringError as error:
            raise StoreUnavailable(
                "no usable keyring: the one that was named refuses all work", hint=remedies()
            ) from error
        except Exception as error:  # the keyring's edge: D-Bus, Windows and plug-ins raise errors of their own
            raise StoreUnavailable(
                f"{self.description} failed to {doing} a record: {printable(str(error) or type(error).__name__)}",
                hint=remedies(),
            ) from error
        finally:
            if hand is not self._transaction.hand:
                hand.close()

    def _call(self, call: Callable[[Backend], T]) -> T:
        self._backend = self._backend or self._choose()
        return call(self._backend)

    def _silent(self, doing: str) -> StoreUnavailable:
        return StoreUnavailable(
            f"{self.description} did not {doing} a record within {self._patience_seconds:.0f} seconds",
            hint=f"{_unlock_hint()} If no window asks for it, restart the keyring.",
        )

    def _read(self, backend: Backend, name: str) -> str | None:
        for service in _services(backend, name):
            text = backend.keyring.get_password(service, USERNAME)
            if text is not None:
                return text
        return None

    def _write(self, backend: Backend, name: str, text: str) -> None:
        target, *spares = _services(backend, name)
        for service in (*spares, target):
            backend.keyring.set_password(service, USERNAME, text)
        if backend.keyring.get_password(target, USERNAME) != text:
            raise StoreNotDurable(
                f"{backend.description} accepted a record and does not hold it",
                hint="this keyring cannot be relied on; name another one in PYTHON_KEYRING_BACKEND",
            )
        for service in spares:
            self._delete(backend.keyring, service)
        self._touch(name)

    @staticmethod
    def _delete(keyring: KeyringBackend, service: str) -> bool:
        if keyring.get_password(service, USERNAME) is None:
            return False
        keyring.delete_password(service, USERNAME)
        return True

    def _stamp_path(self, name: str) -> Path:
        return self._state / f"{name}.stamp"

    def _touch(self, name: str) -> None:
        path = self._stamp_path(name)
        make_private_directory(path.parent)
        earlier = path.stat().st_mtime_ns if path.exists() else 0
        replace_file(path, "", modified_ns=max(time.time_ns(), earlier + 1))


class _Transaction(threading.local):
    """What the thread that holds a lock keeps: its hand, and whether a call is stuck in it."""

    hand: Hand | None = None
    stuck: bool = False


def _services(backend: Backend, name: str) -> list[str]:
    service = f"{SERVICE_PREFIX}{name}"
    return [service, f"{service}.next"] if backend.replaces_by_deleting else [service]


def _unlock_hint() -> str:
    return "unlock your keyring (log in to the desktop, or answer the window that asks for its password) and try again."
