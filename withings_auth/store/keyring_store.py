"""Secrets in the keyring of the operating system: one service per record, each call with a time limit.

A keyring can ask for a password, hang, raise foreign exceptions, or accept a record and forget it. So each call runs in
a thread with a time limit (without one if no thread can be started), every exception becomes one of ours, and a save
counts only after it was read back. A keyring cannot list its records: an empty file per name in the state directory is
the index, and its modification time is the stamp. A name stays in the index, because what is missing here may be in the
keyring of another desktop that shares the home directory.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from withings_auth.errors import StoreNotDurable, StoreUnavailable
from withings_auth.store import CHOOSE_FILES
from withings_auth.store.base import HeldName
from withings_auth.store.fast_lane import DESCRIPTION, SAVED_IN, SERVICE_PREFIX, USERNAME, has_none, read_fast
from withings_auth.store.file_system import is_shared
from withings_auth.store.files import (
    NOTES,
    PRIVATE_FILE,
    NotSynced,
    find_traces,
    make_private_directory,
    read_note,
    replace_file,
    unusable,
)
from withings_auth.store.safety import LOCKS, refuse_unsafe_places

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

    from withings_auth.store.backends import Backend
    from withings_auth.store.keyring_calls import Keyring, KeyringCalls
    from withings_auth.store.lock import FileNotes

PATIENCE_SECONDS = 10.0
PATIENCE_ON_A_TERMINAL_SECONDS = 60.0
MOST_COPIES = 10
FOREIGN_STATE = "run the command as the user that it belongs to, or move it away: a new one is created for you"


class KeyringStore:
    """A `SecretStore` in the keyring.

    `state` is the directory for locks, notes and stamps. `patience_seconds` limits every call to the keyring;
    `announce` is called once when the wait for a locked keyring becomes noticeable, so that the user unlocks it.
    `choose` is for another keyring than the one of this machine.
    """

    def __init__(
        self,
        state: Path,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        announce: Callable[[], None] = lambda: None,
        choose: Callable[[], Backend] | None = None,
    ) -> None:
        self._state = state
        self._patience_seconds = patience_seconds
        self._announce = announce
        self._choose = choose
        self._read_fast = False
        self._of_this_thread = threading.local()

    @property
    def description(self) -> str:
        return DESCRIPTION if self._read_fast else self._keyring.description

    @cached_property
    def _keyring(self) -> Keyring:
        from withings_auth.store.keyring_calls import Keyring  # here, because most looks are fast ones

        return Keyring(self._choose or _find_backend, self._patience_seconds, self._announce)

    def load(self, name: str) -> str | None:
        """Returns the record, even one that a crash left half replaced."""
        self._refuse_unsafe_state(self._stamp_path(name).parent)
        if self._choose is None and self._calls_around()[0] is None:
            fast = read_fast(str(self._state), name)
            self._read_fast = fast is not None or has_none(str(self._state), name)
            if self._read_fast:
                return fast
        with self._calls() as calls:
            text = calls.make("read", lambda backend: _read(backend, name), changes=False)
        stamp = self._stamp_path(name)
        with suppress(OSError):  # the index repairs itself, so a read-only directory is no reason to fail
            if text is not None:
                make_private_directory(stamp.parent)
                stamp.touch(PRIVATE_FILE, exist_ok=False)  # or else its time would change with each load
        return text

    def names(self) -> list[str]:
        """Returns the names in the index that this keyring has a record for."""
        try:
            self._refuse_unsafe_state(*self._state.glob("*/"))
            known = sorted(f"{path.parent.name}/{path.stem}" for path in self._state.glob("*/*.stamp"))
        except OSError as error:
            raise unusable(self._state, error) from error
        with self.together():
            return [name for name in known if self.load(name) is not None]

    def seems_writable(self) -> bool:
        """Whether the last look was a fast one: then the keyring is open, and only a save would show more."""
        return self._read_fast

    def traces(self) -> list[str]:
        """Returns the names with notes beside their lock."""
        return find_traces(self._state)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Lets all calls that this thread makes in the block use one connection; none follows one that hangs."""
        with self._calls():
            yield

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldName]:
        """Holds the name; a save that exceeds its time limit keeps the lock until it returns."""
        from withings_auth.store.lock import file_lock  # here, because a valid token is returned without it

        path = self._state / f"{name}.lock"
        self._refuse_unsafe_state(path.parent)
        with self._calls(of_a_lock=True) as calls, file_lock(path, timeout, finish=calls.finish) as notes:
            yield _HeldRecord(name, calls, self._stamp_path(name), notes)

    @contextmanager
    def _calls(self, *, of_a_lock: bool = False) -> Iterator[KeyringCalls]:
        """Yields the calls of the block around this one, or new ones; a lock does not wait for what another one did."""
        from withings_auth.store.keyring_calls import KeyringCalls

        outer, outer_is_a_lock = self._calls_around()
        if outer is not None and not (of_a_lock and outer_is_a_lock):
            yield outer
            return
        with closing(KeyringCalls(self._keyring)) as calls:
            self._of_this_thread.calls = calls, of_a_lock
            try:
                yield calls
            finally:
                self._of_this_thread.calls = outer, outer_is_a_lock

    def _calls_around(self) -> tuple[KeyringCalls | None, bool]:
        """Returns the calls of the block around this one, if there is one, and whether it is a lock's."""
        calls: tuple[KeyringCalls | None, bool] = getattr(self._of_this_thread, "calls", (None, False))
        return calls

    def latest_note(self, name: str) -> str | None:
        """Returns what the lock's holder, or a former one, has noted."""
        return read_note(self._stamp_path(name).with_suffix(NOTES))

    def stamp(self, name: str) -> Hashable:
        """Returns the identity and the modification time of the name's file in the index.

        Returns None on a file system that others may share: it may answer from a copy that hides their saves.
        """
        if self._is_shared:
            return None
        try:
            # A Path would double the cost, and this is all that a token from memory costs.
            status = os.stat(f"{self._state}/{name}.stamp")  # noqa: PTH116
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    @cached_property
    def _is_shared(self) -> bool:
        return is_shared(self._state)

    def _refuse_unsafe_state(self, *directories: Path) -> None:
        """Raises `StoreUnavailable` if others could have made the locks, notes or stamps, or could hold a lock."""
        with suppress(OSError):  # what cannot even be looked at is reported when it is needed
            places = [place for place in (self._state, *directories) if place.is_dir()]
            refuse_unsafe_places(*places, rule=LOCKS, hint=FOREIGN_STATE)

    def _stamp_path(self, name: str) -> Path:
        return self._state / f"{name}.stamp"


def _find_backend() -> Backend:
    from withings_auth.store.backends import find_backend  # here, because keyring takes long to load

    return find_backend()


class _HeldRecord:
    """A record under its lock."""

    def __init__(self, name: str, calls: KeyringCalls, stamp: Path, notes: FileNotes) -> None:
        self.notes = notes
        self._name = name
        self._calls = calls
        self._stamp = stamp

    def save(self, text: str) -> None:
        def write(backend: Backend) -> None:
            _write(backend, self._name, text)
            _touch(self._stamp, "" if backend.connect is None else SAVED_IN)

        self._calls.make("save", write, secret=text)

    def clear(self) -> bool:
        """Removes the record, and whatever a crash left of an earlier one."""

        def remove(backend: Backend) -> bool:
            # The spare first: a crash in between must not bring an old record back.
            removed = [_delete(backend.keyring, service) for service in reversed(_services(backend, self._name))]
            _change(self._stamp)
            return any(removed)

        return self._calls.make("remove", remove)


def _write(backend: Backend, name: str, text: str) -> None:
    size, most = len(text.encode("utf-16-le")), backend.largest_record_bytes
    if most is not None and size > most:
        raise StoreNotDurable(
            f"{backend.description} holds at most {most} bytes per record, but this one has {size}",
            hint=f"the saved record is unchanged; to use files instead: {CHOOSE_FILES}",
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


def _touch(stamp: Path, saved_in: str = "") -> None:
    """Changes the stamp, which says where the record was saved if it is one that `fast_lane` can read."""
    try:
        make_private_directory(stamp.parent)
        with suppress(NotSynced):  # a power cut can cost only the name, and the index repairs itself
            replace_file(stamp, saved_in)
    except OSError as error:
        raise unusable(stamp, error) from error


def _change(stamp: Path) -> None:
    """Changes the stamp of a name that is in the index; its name stays there unless the disk is full."""
    with suppress(OSError):
        if stamp.exists():
            try:
                _touch(stamp)
            except StoreUnavailable:  # other programs must notice the change, whatever becomes of the name
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
    if keyring.get_password(service, USERNAME) is None:
        return True
    from withings_auth.store.backends import remedies

    raise StoreUnavailable("the keyring still holds a record after removing it", hint=remedies())
