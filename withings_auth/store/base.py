"""What every store for secrets must do.

A store keeps short texts under names (`token/<profile>`, `app/<client_id>`), for all programs of one user on one
machine. You can write your own; the rest of the package relies on the behaviour below, which
`withings_auth.testing` tests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from withings_auth.errors import ConfigurationError, StoreError

STAMP_AGE_SECONDS = 1.0  # how old a stamp may be if the store must ask another machine for it


class Notes(Protocol):
    """A note beside a lock, for its holder. It contains no secret and outlasts the holder."""

    def recall(self) -> str | None:
        """Returns the latest note, or None."""

    def note(self, text: str | None) -> None:
        """Replaces the note; None removes it. Raises `StoreUnavailable`."""


class HeldName(Protocol):
    """A locked name: what its holder can do until the lock is released."""

    @property
    def notes(self) -> Notes:
        """The notes beside the lock."""

    def save(self, text: str) -> None:
        """Saves the text, durably: once this returns, it was read back and was equal.

        Raises `StoreUnavailable` or `StoreNotDurable`.
        """

    def clear(self) -> bool:
        """Removes every copy of what the name holds; returns whether there was one. Raises `StoreError`."""


class SecretStore(Protocol):
    """A place for secrets."""

    @property
    def description(self) -> str:
        """What users call this place, worded to follow “saved in”."""

    def load(self, name: str) -> str | None:
        """Returns the text saved under the name; None only if there is certainly none.

        Raises `StoreUnavailable` if the store cannot tell.
        """

    def names(self) -> list[str]:
        """Returns the names under which something is saved, sorted."""

    def lock(self, name: str, timeout: float) -> AbstractContextManager[HeldName]:
        """Holds the name for one holder among all threads and processes.

        Raises `LockBusy` after `timeout` seconds, `StoreUnavailable` if it cannot be locked.
        """

    def stamp(self, name: str) -> Hashable:
        """Returns a value that changes with every save and clear by any process. Costs one `stat`.

        None says that the store cannot tell: a token held in memory is then read again. An event loop may call this, so
        it never waits for another machine. A store that must ask one returns what its latest answer said, for
        `STAMP_AGE_SECONDS` at most, and None after that; while the other machine is known to be away, it goes on
        returning the last stamp. A text that was just loaded has a stamp.
        """


def checked_store(store: SecretStore) -> SecretStore:
    """Returns the store; raises `ConfigurationError` for the name of one, such as `file:DIRECTORY`."""
    if isinstance(store, str):
        raise ConfigurationError("store must be a store, not its name", hint='open it: store=open_store("file:…")')
    return store


def together(store: SecretStore) -> AbstractContextManager[object]:
    """Lets the calls that this thread makes in the block share what each of them would need, as a keyring can."""
    share = getattr(store, "together", nullcontext)  # no promise of a store: most have nothing to share
    context: AbstractContextManager[object] = share()
    return context


def seems_writable(store: SecretStore) -> bool:
    """Whether the last look at the store has shown that a save will do, so that trying one is not urgent."""
    look: Callable[[], bool] = getattr(store, "seems_writable", lambda: False)  # no promise of a store
    return look()


def latest_note(store: SecretStore, name: str) -> str | None:
    """Returns the latest note beside the name's lock without waiting for it; None if there is none."""
    look: Callable[[str], str | None] = getattr(store, "latest_note", lambda _: None)  # no promise of a store
    return look(name)


def find_traces(store: SecretStore) -> list[str]:
    """Returns the names under which killed programs may have left notes or half a record. Raises `StoreError`."""
    find: Callable[[], list[str]] = getattr(store, "traces", list)  # no promise of a store: a kill may leave none
    return find()


def clock_offset(store: SecretStore) -> float:
    """Returns the seconds to add to this machine's clock to get the store's; 0.0 if the store has none of its own.

    All times in records and notes are the store's: machines whose clocks differ would renew in turn otherwise. The
    latest answer of the store's machine told it, and nobody is asked for it: 0.0 before the first answer.
    """
    look: Callable[[], float] | None = getattr(store, "clock_offset", None)  # no promise: most are on this machine
    return 0.0 if look is None else look()


def store_time(store: SecretStore) -> float:
    """Returns the time in Unix seconds by the store's clock."""
    return time.time() + clock_offset(store)


def lock_can_be_lost(store: SecretStore) -> bool:
    """Whether a holder can lose its lock and live on; another one may then hold it while a request is on its way."""
    look: Callable[[], bool] = getattr(store, "lock_can_be_lost", bool)  # no promise: a kernel's lock cannot
    return look()


def load_with_stamp(store: SecretStore, name: str) -> tuple[str | None, Hashable]:
    """Returns the text saved under the name, and a stamp that it, or an earlier text, has. Raises as `load` does."""
    load: Callable[[str], tuple[str | None, Hashable]] | None = getattr(store, "load_with_stamp", None)
    if load is not None:  # no promise of a store: one that must ask another machine gets both at once
        return load(name)
    stamp = store.stamp(name)
    return store.load(name), stamp


def load_all(store: SecretStore, names: Iterable[str]) -> dict[str, str | StoreError]:
    """Returns the text saved under each of the names, or why it cannot be read; none for a name without a text.

    Raises `StoreError` if the store can be asked only for all of them at once, and cannot be reached.
    """
    load: Callable[[list[str]], dict[str, str | StoreError | None]] | None = getattr(store, "load_all", None)
    loaded = {name: _try_to_load(store, name) for name in names} if load is None else load(list(names))
    return {name: text for name, text in loaded.items() if text is not None}


def is_read_only(store: SecretStore) -> bool:
    """Whether the last look at the store has shown that others must change it: then nothing can be renewed here."""
    look: Callable[[], bool] = getattr(store, "is_read_only", bool)  # no promise of a store
    return look()


def _try_to_load(store: SecretStore, name: str) -> str | StoreError | None:
    try:
        return store.load(name)
    except StoreError as error:
        return error
