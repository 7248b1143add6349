"""Calls to the keyring: in one thread, over one connection, each with a time limit if a thread can be started.

A keyring can ask for a password, hang, lose its connection or raise foreign exceptions.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from withings_auth.errors import OutOfResources, StoreError, StoreUnavailable
from withings_auth.threads import StillRunning, Worker

if TYPE_CHECKING:
    from withings_auth.store.backends import Backend
    from withings_auth.store.secret_service import SecretServiceConnection

T = TypeVar("T")

MISSING_SECONDS = 0.1


class Keyring:
    """The keyring, chosen when it is first asked, and how long a call to it may take.

    `announce` tells the user, once, that the keyring is locked and is being waited for.
    """

    def __init__(self, choose: Callable[[], Backend], patience_seconds: float, announce: Callable[[], None]) -> None:
        self._choose = choose
        self.patience_seconds = patience_seconds
        self.announce = announce
        self.announced = False
        self.backend: Backend | None = None

    @property
    def description(self) -> str:
        return self.backend.description if self.backend else "the keyring"

    def find(self) -> Backend:
        """Returns the chosen backend. Raises `StoreUnavailable`."""
        self.backend = self.backend or self._choose()
        return self.backend


class KeyringCalls:
    """Makes calls to the keyring, one after another, and none after one that has not returned."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._connection: SecretServiceConnection | None = None
        self._start()

    def _start(self) -> None:
        self._process, self._stuck, self._worker = os.getpid(), False, _start_worker()
        self._landing = self._locked = False
        self._disconnect()

    def make(self, doing: str, function: Callable[[Backend], T], *, changes: bool = True, secret: str = "") -> T:
        """Returns what the function returns, which may be called twice. Raises `StoreError`, whatever it raises."""
        from withings_auth.store.backends import failure, tells  # here, because a lock alone needs no keyring

        if self._process != os.getpid():  # forked: the worker, stuck or not, stayed with the parent
            self._start()
        if self._stuck:
            raise self._silent(doing)
        try:
            return self._worker.do(
                lambda: self._call(function), seconds=self._keyring.patience_seconds, meanwhile=self._announce
            )
        except StillRunning:
            self._stuck, self._landing = True, changes
            raise self._silent(doing) from None
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  the keyring's edge: D-Bus, Windows and plug-ins raise what they like
            cause = None if tells(error, secret) else error
            raise failure(self._keyring.description, doing, error, cause) from cause

    def finish(self, release: Callable[[], None]) -> None:
        """Releases the lock at once, or when a change that has not returned yet does; never waits."""
        if self._landing:
            self._worker.later(release)
        else:
            release()

    def close(self) -> None:
        """Lets the thread end, and the connection with it."""
        self._worker.later(self._disconnect)
        self._worker.close()

    def _call(self, function: Callable[[Backend], T]) -> T:
        """Makes the call, and repeats it over a new connection if the one of earlier calls may have gone.

        Repeats it too if the keyring lost its collection, or the item that it had just found. GNOME's did, once in a
        thousand calls while other programs were saving, until connections began with `find_default_collection`.
        """
        from keyring.errors import InitError, KeyringLocked  # loaded by now

        backend = self._keyring.find()
        connected_before = self._connection is not None
        try:
            return function(self._connect(backend))
        except (StoreError, KeyringLocked):
            raise
        except Exception as error:
            # By its name, because secretstorage is not installed on every system.
            missing = isinstance(error, InitError) or type(error).__name__ == "ItemNotFoundException"
            if not missing and not connected_before:
                raise
        self._disconnect()
        time.sleep(MISSING_SECONDS)
        return function(self._connect(backend))

    def _connect(self, backend: Backend) -> Backend:
        if backend.connect is None:
            return backend
        if self._connection is None:
            self._connection = backend.connect(self._tell_locked)
        return replace(backend, keyring=self._connection.keyring)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _tell_locked(self, locked: bool) -> None:
        self._locked = locked

    def _announce(self) -> None:
        if self._locked and not self._keyring.announced:
            self._keyring.announced = True
            self._keyring.announce()

    def _silent(self, doing: str) -> StoreUnavailable:
        from withings_auth.store.backends import silence_hint  # loaded by now

        return StoreUnavailable(
            f"{self._keyring.description} did not {doing} a record within {self._keyring.patience_seconds:.0f} seconds",
            hint=silence_hint(locked=self._locked),
        )


class _ThisThread:
    """Takes the place of a `Worker` if no thread can be started: makes each call at once, without a time limit.

    So a logout still removes what it must.
    """

    def do(self, function: Callable[[], T], *, seconds: float, meanwhile: Callable[[], None]) -> T:  # noqa: ARG002  a Worker's
        return function()

    def later(self, function: Callable[[], None]) -> None:
        function()

    def close(self) -> None:
        """Does nothing: all calls have been made."""


def _start_worker() -> Worker | _ThisThread:
    try:
        return Worker("withings-auth keyring")
    except OutOfResources:
        return _ThisThread()
