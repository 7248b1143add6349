"""Seals every record before it leaves this machine: whoever has the database, or a copy, has no login.

The store says which key seals, so that machines with keys of their own cannot lock each other out; the keys are on the
machines. Notes contain no secret and are not sealed.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Protocol

from withings_auth.errors import StoreCorrupt, StoreError, StoreUnavailable
from withings_auth.store.base import (
    HeldName,
    Notes,
    SecretStore,
    clock_offset,
    find_traces,
    is_read_only,
    latest_note,
    load_all,
    load_with_stamp,
    lock_can_be_lost,
    seems_writable,
    together,
)
from withings_auth.store.keys import Key, KeyPlace
from withings_auth.store.looks import Look, look_at
from withings_auth.store.sealing import key_id, open_sealed, seal

LOOK_AGAIN_SECONDS = 1.0  # for a key that is missing: a list can need it for hundreds of records


class SealableStore(SecretStore, Protocol):
    """A store that says which key seals its records."""

    def sealing_key(self) -> str | None:
        """Returns the key's id; None before the first one was set. Raises `StoreError`."""

    def set_sealing_key(self, key_id: str) -> None:
        """Makes this key the one that seals, durably. Raises `StoreError`."""


class SealedStore:
    """A `SecretStore` whose records are sealed in another one, `inner`, with this machine's `keys`."""

    def __init__(self, inner: SealableStore, keys: KeyPlace) -> None:
        self._inner = inner
        self._keys = keys
        self._known: dict[str, Key] = {}
        self._missed_at: dict[str, float] = {}

    @property
    def inner(self) -> SealableStore:
        """The store with the sealed records."""
        return self._inner

    @property
    def keys(self) -> KeyPlace:
        """Where this machine keeps its keys."""
        return self._keys

    @property
    def description(self) -> str:
        return f"{self._inner.description} (sealed)"

    def load(self, name: str) -> str | None:
        """Returns the record, opened. Raises `StoreCorrupt` if it is not sealed, or not with a key that is here."""
        return self.load_with_stamp(name)[0]

    def load_with_stamp(self, name: str) -> tuple[str | None, Hashable]:
        """Returns the record, opened, and its stamp. Raises as `load` does."""
        self._require_a_key()
        sealed, stamp = load_with_stamp(self._inner, name)
        return None if sealed is None else self.open(name, sealed), stamp

    def load_all(self, names: list[str]) -> dict[str, str | StoreError]:
        """Returns the records, opened, or why one cannot be. Raises `StoreError`."""
        self._require_a_key()
        return {name: self._try_to_open(name, found) for name, found in load_all(self._inner, names).items()}

    def look_at(self, names: list[str] | None) -> dict[str, Look] | None:
        """Returns what one look at the other store finds, opened; None if it has no such look. Raises `StoreError`."""
        self._require_a_key()
        looks = look_at(self._inner, names)
        if looks is None:
            return None
        return {name: replace(look, text=self._try_to_open(name, look.text)) for name, look in looks.items()}

    def is_read_only(self) -> bool:
        """Whether the other store is."""
        return is_read_only(self._inner)

    def _try_to_open(self, name: str, found: str | StoreError) -> str | StoreError:
        try:
            return found if isinstance(found, StoreError) else self.open(name, found)
        except StoreError as error:
            return error

    def open(self, name: str, sealed: str) -> str:
        """Returns the text of a record as `inner` has it. Raises `StoreError`."""
        return open_sealed(self.find_key(key_id(name, sealed)), name, sealed)

    def names(self) -> list[str]:
        return self._inner.names()

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldName]:
        """Holds the name in the other store; a record can be removed without a key."""
        with self._inner.lock(name, timeout) as held:
            yield _HeldSealed(self, name, held)

    def stamp(self, name: str) -> Hashable:
        return self._inner.stamp(name)

    def latest_note(self, name: str) -> str | None:
        """Returns what the lock's holder, or a former one, has noted."""
        return latest_note(self._inner, name)

    def clock_offset(self) -> float:
        """Returns how far the clock of the other store is ahead."""
        return clock_offset(self._inner)

    def lock_can_be_lost(self) -> bool:
        """Whether a lock of the other store's can."""
        return lock_can_be_lost(self._inner)

    def together(self) -> AbstractContextManager[object]:
        """Lets the calls in the block share what the other store can share."""
        return together(self._inner)

    def seems_writable(self) -> bool:
        """Whether the other store seems to be."""
        return seems_writable(self._inner)

    def traces(self) -> list[str]:
        """Returns the names with traces in the other store."""
        return find_traces(self._inner)

    def sealing_key(self) -> Key:
        """Returns the key that the store says must seal. Raises `StoreCorrupt` if it is not here, and `StoreError`."""
        sealing = self._inner.sealing_key()
        if sealing is None:
            raise StoreUnavailable(
                f"{self._inner.description} has no key yet that seals its records",
                hint="let this machine make one: withings-auth store init",
            )
        return self.find_key(sealing)

    def find_key(self, wanted: str) -> Key:
        """Returns this machine's key with this id. Raises `StoreCorrupt` if it has none, and `StoreUnavailable`."""
        if (
            wanted not in self._known
            and time.monotonic() - self._missed_at.get(wanted, float("-inf")) > LOOK_AGAIN_SECONDS
        ):
            self.look_for_keys()
            self._missed_at[wanted] = time.monotonic()
        known = self._known
        if wanted in known:
            return known[wanted]
        raise StoreCorrupt(
            f"the key {wanted} is needed, but {self._keys.description} has {_listed(known)}",
            hint="bring it from a machine that has it:"
            f" ssh HOST withings-auth store key --show {wanted} | withings-auth store key --add;"
            " or if none has it any more, make another one and log in again: withings-auth store key --new",
            newer=True,
        )

    def look_for_keys(self) -> None:
        """Looks which keys this machine has now. Raises `StoreError`."""
        self._known = {key.id: key for key in self._keys.load()}

    def _require_a_key(self) -> None:
        """Raises `StoreError` if this machine has no key at all: what it cannot open, it cannot know."""
        if not self._known:
            self.look_for_keys()
        if not self._known:
            self.sealing_key()


def _listed(known: Mapping[str, Key]) -> str:
    return f"only {', '.join(known)}" if known else "none"


@dataclass(frozen=True, slots=True)
class _HeldSealed:
    """A sealed record under its lock."""

    store: SealedStore
    name: str
    held: HeldName

    @property
    def notes(self) -> Notes:
        return _NotesOfSealed(self.store, self.held.notes)

    def save(self, text: str) -> None:
        """Saves the text, sealed with the key that the store says."""
        key = self.store.sealing_key()
        self.held.save(seal(key, self.name, text))
        latest = key
        with suppress(StoreError):  # it is saved, whatever becomes of this look
            latest = self.store.sealing_key()
        if latest != key:  # a rekeying that began meanwhile may not have seen a record that is new
            self.held.save(seal(latest, self.name, text))

    def clear(self) -> bool:
        return self.held.clear()


@dataclass(frozen=True, slots=True)
class _NotesOfSealed:
    """Notes beside a sealed record: not sealed, since they contain no secret."""

    store: SealedStore
    notes: Notes

    def recall(self) -> str | None:
        return self.notes.recall()

    def note(self, text: str | None) -> None:
        """Notes it if a save would do: what is noted is an attempt to get new tokens, which must be saved."""
        if text is not None:
            self.store.sealing_key()
        self.notes.note(text)
