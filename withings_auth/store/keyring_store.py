"""Secrets in the keyring of the operating system: one service per record, each call with a time limit.

A keyring can ask for a password, hang, raise foreign exceptions, or accept a record and forget it. So each call runs
in a thread with a time limit, every exception becomes one of ours, and a save counts only after it was read back. A
keyring cannot list its records: an empty file per name in the state directory is the index, and its modification time
is the stamp. A name stays in the index, because what is missing here may be in the keyring of another desktop that
shares the home directory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from withings_auth.errors import StoreError, StoreNotDurable, StoreUnavailable
from withings_auth.store.backends import Backend, ask, failure, find_backend, remedies, tells, unlock_hint
from withings_auth.store.base import HeldName
from withings_auth.store.files import PRIVATE_FILE, make_private_directory, replace_file, unusable
from withings_auth.store.lock import FileNotes, file_lock
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

    `state` is the directory for locks, notes and stamps. `patience_seconds` limits every call to the keyring;
    `announce` is called once when a wait becomes noticeable, so that the user looks for the keyring's window.
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
        self._keyring = _Keyring(choose, patience_seconds, announce)

    @property
    def description(self) -> str:
        return self._keyring.description

    def load(self, name: str) -> str | None:
        """Returns the record, even one that a crash left half replaced."""
        with closing(_Calls(self._keyring)) as calls:
            text = calls.make("read", lambda backend: _read(backend, name))
        if text is not None and self.stamp(name) is None:
            with suppress(OSError):  # the index repairs itself, so a read-only directory is no reason to fail
                stamp = self._stamp_path(name)
                make_private_directory(stamp.parent)
                stamp.touch(PRIVATE_FILE, exist_ok=False)
        return text

    def names(self) -> list[str]:
        """Returns the names in the index that this keyring has a record for."""
        known = sorted(f"{path.parent.name}/{path.stem}" for path in self._state.glob("*/*.stamp"))
        return [name for name in known if self.load(name) is not None]

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldName]:
        """Holds the name; a save that exceeds its time limit keeps the lock until it returns."""
        path = self._state / f"{name}.lock"
        with closing(_Calls(self._keyring)) as calls, file_lock(path, timeout, finish=calls.finish) as notes:
            yield _HeldRecord(name, calls, self._stamp_path(name), notes)

    def stamp(self, name: str) -> Hashable:
        """Returns the identity and the modification time of the name's file in the index."""
        try:
            # A Path would double the cost, and this is all that a token from memory costs.
            status = os.stat(f"{self._state}/{name}.stamp")  # noqa: PTH116
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def _stamp_path(self, name: str) -> Path:
        return self._state / f"{name}.stamp"


@dataclass(frozen=True, slots=True)
class _HeldRecord:
    """A record under its lock."""

    name: str
    calls: _Calls
    stamp: Path
    notes: FileNotes

    def save(self, text: str) -> None:
        def write(backend: Backend) -> None:
            _write(backend, self.name, text)
            _touch(self.stamp)

        self.calls.make("save", write, secret=text)

    def clear(self) -> bool:
        """Removes the record, and whatever a crash left of an earlier one."""

        def remove(backend: Backend) -> bool:
            # The spare first: a crash in between must not bring an old record back.
            removed = [_delete(backend.keyring, service) for service in reversed(_services(backend, self.name))]
            _change(self.stamp)
            return any(removed)

        return self.calls.make("remove", remove)


@dataclass(slots=True)
class _Keyring:
    """The keyring, chosen when it is first asked, and how long a call to it may take."""

    choose: Callable[[], Backend]
    patience_seconds: float
    announce: Callable[[], None]
    backend: Backend | None = None

    @property
    def description(self) -> str:
        return self.backend.description if self.backend else "the keyring"

    def call(self, function: Callable[[Backend], T]) -> T:
        """Makes the call, however long it takes."""
        self.backend = self.backend or self.choose()
        return ask(self.backend, function)


class _Calls:
    """Makes calls to the keyring in one thread, one after another, and none after one that has not returned."""

    def __init__(self, keyring: _Keyring) -> None:
        self._keyring = keyring
        self._start()

    def _start(self) -> None:
        self._process, self._stuck, self._worker = os.getpid(), False, _start_worker()

    def make(self, doing: str, function: Callable[[Backend], T], *, secret: str = "") -> T:
        """Returns what the function returns. Raises `StoreError`, whatever the backend raises."""
        if self._process != os.getpid():  # forked: the worker, stuck or not, stayed with the parent
            self._start()
        if self._stuck:
            raise self._silent(doing)
        try:
            return self._worker.do(
                lambda: self._keyring.call(function),
                seconds=self._keyring.patience_seconds,
                announce=self._keyring.announce,
            )
        except StillRunning:
            self._stuck = True
            raise self._silent(doing) from None
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  the keyring's edge: D-Bus, Windows and plug-ins raise what they like
            cause = None if tells(error, secret) else error
            raise failure(self._keyring.description, doing, error, cause) from cause

    def finish(self, release: Callable[[], None]) -> None:
        """Releases the lock at once, or when a call that has not returned yet does; never waits."""
        if self._stuck:
            self._worker.later(release)
        else:
            release()

    def close(self) -> None:
        """Lets the thread end."""
        self._worker.close()

    def _silent(self, doing: str) -> StoreUnavailable:
        return StoreUnavailable(
            f"{self._keyring.description} did not {doing} a record within {self._keyring.patience_seconds:.0f} seconds",
            hint=f"{unlock_hint()} If no window asks for it, restart the keyring.",
        )


def _start_worker() -> Worker:
    try:
        return Worker("withings-auth keyring")
    except NoThread as error:
        raise StoreUnavailable(
            "the keyring is no longer available: this program is exiting", hint="ask before the main thread ends"
        ) from error


def _write(backend: Backend, name: str, text: str) -> None:
    size, most = len(text.encode("utf-16-le")), backend.largest_record_bytes
    if most is not None and size > most:
        raise StoreNotDurable(
            f"{backend.description} holds at most {most} bytes per record, but this one has {size}",
            hint="the saved record is unchanged; to use files instead: WITHINGS_AUTH_STORE=file:DIRECTORY",
        )
    target, *spares = _services(backend, name)
    before = backend.keyring.get_password(target, USERNAME)
    # A spare is written only beside a record: without one, the spare that a crash left is the only copy.
    for service in spares if before is not None else []:
        backend.keyring.set_password(service, USERNAME, text)
    backend.keyring.set_password(target, USERNAME, text)
    if backend.keyring.get_password(target, USERNAME) != text:
        # Half of the new record is worse than the old one, and than none: it would hide a spare.
        if before is None:
            _delete(backend.keyring, target)
        else:
            backend.keyring.set_password(target, USERNAME, before)
        raise StoreNotDurable(
            f"{backend.description} accepted a record but did not keep it",
            hint="this keyring is unreliable; name another one in PYTHON_KEYRING_BACKEND",
        )
    for service in spares:
        _delete(backend.keyring, service)


def _read(backend: Backend, name: str) -> str | None:
    services = _services(backend, name)
    # The record again: since the first look a save may have put it in its place and removed the spare.
    for service in [*services, *services[:-1]]:
        text = backend.keyring.get_password(service, USERNAME)
        if text is not None:
            return text
    return None


def _touch(stamp: Path) -> None:
    try:
        make_private_directory(stamp.parent)
        replace_file(stamp, "")
    except OSError as error:
        raise unusable(stamp, error) from error


def _change(stamp: Path) -> None:
    """Changes the stamp of a name that is in the index; its name stays there unless the disk is full."""
    with suppress(OSError):
        if stamp.exists():
            try:
                replace_file(stamp, "")
            except OSError:  # other programs must notice the change, whatever becomes of the name
                stamp.unlink()


def _services(backend: Backend, name: str) -> list[str]:
    service = f"{SERVICE_PREFIX}{name}"
    return [service, f"{service}.next"] if backend.replaces_by_deleting else [service]


def _delete(keyring: KeyringBackend, service: str) -> bool:
    """Removes every record of the service: a backend removes one at a time, and another program may have added one."""
    for removed in range(MOST_COPIES):
        if keyring.get_password(service, USERNAME) is None:
            return removed > 0
        keyring.delete_password(service, USERNAME)
    raise StoreUnavailable("the keyring still holds a record after removing it", hint=remedies())
