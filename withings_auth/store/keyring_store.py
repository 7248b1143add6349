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

from withings_auth.errors import StoreError, StoreNotDurable, StoreUnavailable
from withings_auth.store.backends import Backend, ask, failure, find_backend, remedies, tells, unlock_hint
from withings_auth.store.base import Notes
from withings_auth.store.files import PRIVATE_FILE, make_private_directory, replace_file, unusable
from withings_auth.store.lock import FileLock, FileNotes
from withings_auth.threads import NoThread, StillRunning, Worker

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

T = TypeVar("T")

SERVICE_PREFIX = "withings-auth/"
USERNAME = "withings-auth"
PATIENCE_SECONDS = 10.0
PATIENCE_ON_A_TERMINAL_SECONDS = 60.0
MOST_COPIES = 10


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
        stamp, before = self._stamp_path(name), self.stamp(name)
        text = self._ask("read", lambda backend: self._read(backend, name))
        with suppress(OSError):  # the index repairs itself; a directory that cannot be written is no reason to fail
            if text is None and before == self.stamp(name):  # else somebody saved one in the meantime
                stamp.unlink(missing_ok=True)
            elif text is not None and not stamp.exists():
                make_private_directory(stamp.parent)
                stamp.touch(PRIVATE_FILE)
        return text

    def save(self, name: str, text: str) -> None:
        """Saves the record, reads it back and changes the stamp."""
        self._ask("save", lambda backend: self._write(backend, name, text), secret=text)

    def clear(self, name: str) -> bool:
        """Removes the record, and what a crash left of an earlier one."""

        def remove(backend: Backend) -> bool:
            # The spare first: a crash in between must not bring an old record back.
            removed = [_delete(backend.keyring, service) for service in reversed(_services(backend, name))]
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
        worker = _start_worker()
        transaction = self._transaction
        outer = transaction.worker, transaction.stuck, transaction.process
        try:
            lock = FileLock(path, timeout)
            transaction.worker, transaction.stuck, transaction.process = worker, False, os.getpid()
            try:
                yield FileNotes(path.with_suffix(".attempt"))
            finally:
                if transaction.stuck:
                    worker.later(lock.release)
                else:
                    lock.release()
        finally:
            worker.close()
            transaction.worker, transaction.stuck, transaction.process = outer

    def stamp(self, name: str) -> Hashable:
        """Returns the identity and the modification time of the name's file in the index."""
        try:
            # A Path takes as long again as the look itself, and this is all that a token from memory costs.
            status = os.stat(f"{self._state}/{name}.stamp")  # noqa: PTH116
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def _ask(self, doing: str, call: Callable[[Backend], T], *, secret: str = "") -> T:
        """Has a keyring call made in a worker's thread. Raises `StoreError`, whatever the backend raises."""
        transaction = self._transaction
        if transaction.process != os.getpid():  # forked: the worker, stuck or not, stayed with the parent
            transaction.worker, transaction.stuck = None, False
        if transaction.stuck:
            raise self._silent(doing)
        held = transaction.worker
        worker = held or _start_worker()
        try:
            return worker.do(lambda: self._call(call), seconds=self._patience_seconds, announce=self._announce)
        except StillRunning:
            transaction.stuck = held is not None
            raise self._silent(doing) from None
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  the keyring's edge: D-Bus, Windows and plug-ins raise what they like
            cause = None if tells(error, secret) else error
            raise failure(self.description, doing, error, cause) from cause
        finally:
            if held is None:
                worker.close()

    def _call(self, call: Callable[[Backend], T]) -> T:
        self._backend = self._backend or self._choose()
        return ask(self._backend, call)

    def _silent(self, doing: str) -> StoreUnavailable:
        return StoreUnavailable(
            f"{self.description} did not {doing} a record within {self._patience_seconds:.0f} seconds",
            hint=f"{unlock_hint()} If no window asks for it, restart the keyring.",
        )

    def _read(self, backend: Backend, name: str) -> str | None:
        services = _services(backend, name)
        # The record again: between the two looks a save may have put it in its place and removed the spare.
        for service in [*services, *services[:-1]]:
            text = backend.keyring.get_password(service, USERNAME)
            if text is not None:
                return text
        return None

    def _write(self, backend: Backend, name: str, text: str) -> None:
        _refuse_too_large(backend, text)
        target, *spares = _services(backend, name)
        before = backend.keyring.get_password(target, USERNAME)
        # A spare is written only beside a record: without one, the spare that a crash left is the only copy.
        if spares and before is not None:
            for service in spares:
                backend.keyring.set_password(service, USERNAME, text)
        backend.keyring.set_password(target, USERNAME, text)
        if backend.keyring.get_password(target, USERNAME) != text:
            # Half of the new record is worse than the old one, and than none: it would hide a spare.
            if before is None:
                _delete(backend.keyring, target)
            else:
                backend.keyring.set_password(target, USERNAME, before)
            raise StoreNotDurable(
                f"{backend.description} accepted a record and does not hold it",
                hint="this keyring cannot be relied on; name another one in PYTHON_KEYRING_BACKEND",
            )
        for service in spares:
            _delete(backend.keyring, service)
        self._touch(name)

    def _stamp_path(self, name: str) -> Path:
        return self._state / f"{name}.stamp"

    def _touch(self, name: str) -> None:
        path = self._stamp_path(name)
        try:
            make_private_directory(path.parent)
            earlier = path.stat().st_mtime_ns if path.exists() else 0
            replace_file(path, "", modified_ns=max(time.time_ns(), earlier + 1))
        except OSError as error:
            raise unusable(path, error) from error


class _Transaction(threading.local):
    """What the thread that holds a lock keeps: its worker, whether a call is stuck in it, and the process of both."""

    worker: Worker | None = None
    stuck: bool = False
    process: int | None = None


def _start_worker() -> Worker:
    try:
        return Worker("withings-auth keyring")
    except NoThread as error:
        raise StoreUnavailable(
            "the keyring cannot be asked any more: this program is ending", hint="ask before its main thread ends"
        ) from error


def _refuse_too_large(backend: Backend, text: str) -> None:
    size, most = len(text.encode("utf-16-le")), backend.largest_record_bytes
    if most is not None and size > most:
        raise StoreNotDurable(
            f"{backend.description} holds records of {most} bytes at most, and this one has {size}",
            hint="what was saved before is still there; choose files that only you can read:"
            " WITHINGS_AUTH_STORE=file:DIRECTORY",
        )


def _services(backend: Backend, name: str) -> list[str]:
    service = f"{SERVICE_PREFIX}{name}"
    return [service, f"{service}.next"] if backend.replaces_by_deleting else [service]


def _delete(keyring: KeyringBackend, service: str) -> bool:
    """Removes every record of the service: a backend removes one at a time, and another program may have added one."""
    for removed in range(MOST_COPIES):
        if keyring.get_password(service, USERNAME) is None:
            return removed > 0
        keyring.delete_password(service, USERNAME)
    raise StoreUnavailable("the keyring still holds a record that it was told to remove", hint=remedies())
