"""Which key seals a store: its first one, another one, and what each machine has.

A rekeying can be killed at any step and run again. The new key is kept here before the store names it; from then on
every save takes it, and each record is sealed anew under its own lock. Machines that have both keys notice nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from withings_auth.errors import (
    ConfigurationError,
    LockBusy,
    StoreCorrupt,
    StoreError,
    StoreUnavailable,
    WithingsAuthError,
)
from withings_auth.logs import Logger
from withings_auth.store.base import is_read_only, load_all
from withings_auth.store.keys import Key, make_key, parse_key
from withings_auth.store.records import LOCK_PATIENCE_SECONDS
from withings_auth.store.sealed_store import SealedStore
from withings_auth.store.sealing import key_id as key_id_of
from withings_auth.store.sealing import seal

logger = Logger(__name__)

_ONE_AT_A_TIME = "key/sealing"  # the name whose lock lets one program choose the key; nothing is saved there
UNSEALED = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The key that seals, and whether it was made for that."""

    key_id: str
    made: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """Which key seals, which ones are `here` (oldest first) and `where`, and how many records each one seals.

    `in_use` counts records that are not sealed as `UNSEALED`.
    """

    sealing: str | None
    here: tuple[str, ...]
    where: str
    in_use: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rekeyed:
    """What a rekeying has done: the names that it sealed anew, and why it `left` others as they are."""

    key_id: str
    earlier: str
    resealed: list[str]
    left: dict[str, WithingsAuthError]


def prepare_key(store: SealedStore) -> Prepared:
    """Makes sure that the store names a key that seals and that it is here; makes one if there is none anywhere.

    Raises `StoreCorrupt` if the store names a key that is not here, `StoreError` and `LockBusy`.
    """
    if store.inner.sealing_key() is not None and is_read_only(store):  # who can take no lock, and needs none
        return Prepared(key_id=store.sealing_key().id, made=False)
    with store.inner.lock(_ONE_AT_A_TIME, LOCK_PATIENCE_SECONDS):
        store.look_for_keys()
        if store.inner.sealing_key() is not None:
            return Prepared(key_id=store.sealing_key().id, made=False)
        here = store.keys.load()
        key = here[-1] if here else add_new_key(store)
        store.inner.set_sealing_key(key.id)
    return Prepared(key_id=key.id, made=not here)


def look_at_keys(store: SealedStore) -> KeyState:
    """Returns which keys there are, and which are needed. Raises `StoreError`."""
    return KeyState(
        sealing=store.inner.sealing_key(),
        here=tuple(key.id for key in store.keys.load()),
        where=store.keys.description,
        in_use=dict(Counter(_keys_in_use(store).values())),
    )


def add_new_key(store: SealedStore) -> Key:
    """Makes a key and keeps it here; it seals nothing yet. Raises `StoreError` and `LockBusy`."""
    key = make_key()
    store.keys.add(key)
    return key


def bring_key(store: SealedStore, text: str) -> Key:
    """Keeps a key of another machine here; which one seals stays as it is.

    Raises `ConfigurationError`, which does not show the text, `StoreError` and `LockBusy`.
    """
    key = parse_key(text)
    store.keys.add(key)
    store.look_for_keys()
    return key


def show_key(store: SealedStore, key_id: str | None = None) -> Key:
    """Returns the key to bring to another machine: this one, or the newest here. Raises `StoreError`.

    Raises `ConfigurationError` if there is none.
    """
    here = store.keys.load()
    found = [key for key in here if key_id in {None, key.id}]
    if not found:
        wanted = "no key" if key_id is None else f"no key {key_id}"
        raise ConfigurationError(
            f"there is {wanted} in {store.keys.description}",
            hint="to see which keys there are: withings-auth store key",
        )
    return found[-1]


def remove_key(store: SealedStore, key_id: str) -> bool:
    """Forgets a key here; returns whether it was here. Raises `StoreError` and `LockBusy`.

    Raises `ConfigurationError` if it seals, or a record still needs it.
    """
    with store.inner.lock(_ONE_AT_A_TIME, LOCK_PATIENCE_SECONDS):
        sealing = store.inner.sealing_key()
        if key_id == sealing:
            raise ConfigurationError(
                f"{key_id} is the key that seals", hint="make another one seal first: withings-auth store rekey"
            )
        needing = sorted(name for name, used in _keys_in_use(store).items() if used == key_id)
        if needing:
            raise ConfigurationError(
                f"the key {key_id} is still needed, by {', '.join(needing[:3])}{' and others' * (len(needing) > 3)}",
                hint=f"seal them with the other key first: withings-auth store rekey {sealing}",
            )
        removed = store.keys.remove(key_id)
    store.look_for_keys()
    return removed


def rekey(store: SealedStore, key_id: str | None = None, *, tell: Callable[[str], None] = lambda _: None) -> Rekeyed:
    """Makes another key the one that seals, then seals every record anew; `tell` gets the name of each.

    Without `key_id` it finishes a rekeying that could not be finished, or else makes a key. Raises `ConfigurationError`
    if this machine has other keys that could be meant, `StoreError` and `LockBusy`.
    """
    with store.inner.lock(_ONE_AT_A_TIME, LOCK_PATIENCE_SECONDS) as held:
        store.look_for_keys()
        earlier = store.inner.sealing_key() or store.sealing_key().id
        key = _choose_key(store, earlier, held.notes.recall()) if key_id is None else store.find_key(key_id)
        held.notes.note(key.id)
        store.keys.add(key)
        if key.id != earlier:
            store.inner.set_sealing_key(key.id)
            logger.debug("the key %s seals, instead of %s", key.id, earlier)
        resealed: list[str] = []
        left: dict[str, WithingsAuthError] = {}
        for name in store.inner.names():
            try:
                if _reseal(store, name, key):
                    resealed.append(name)
                    tell(name)
            except (LockBusy, StoreCorrupt) as error:
                left[name] = error
        if not left:
            held.notes.note(None)
    return Rekeyed(key_id=key.id, earlier=earlier, resealed=resealed, left=left)


def _choose_key(store: SealedStore, sealing: str, unfinished: str | None) -> Key:
    """Returns the key of the rekeying that is `unfinished`, or a new one, which nobody keeps yet."""
    store.find_key(sealing)  # who does not have it would cut off those who do
    others = [key for key in store.keys.load() if key.id != sealing or key.id == unfinished]
    for key in others:
        if key.id == unfinished:
            return key
    if others:
        raise ConfigurationError(
            f"{store.keys.description} has keys that do not seal: {', '.join(key.id for key in others)}",
            hint=f"make one of them seal: withings-auth store rekey {others[-1].id}; or forget the ones that are no"
            f" longer needed: withings-auth store key --remove {others[0].id}",
        )
    return make_key()


def _reseal(store: SealedStore, name: str, key: Key) -> bool:
    """Seals the record with this key; returns whether it was not yet. Raises `StoreError` and `LockBusy`."""
    with store.inner.lock(name, LOCK_PATIENCE_SECONDS) as held:
        if store.inner.sealing_key() != key.id:  # the lock that keeps others from it can be lost
            raise StoreUnavailable(
                "another program has chosen another key meanwhile",
                hint="let it finish, then look: withings-auth store key",
            )
        sealed = store.inner.load(name)
        if sealed is None or key_id_of(name, sealed) == key.id:
            return False
        held.save(seal(key, name, store.open(name, sealed)))
    return True


def _keys_in_use(store: SealedStore) -> dict[str, str]:
    """Returns the id of the key that each record was sealed with. Raises `StoreError`."""
    found = load_all(store.inner, store.inner.names())
    return {name: _key_id_of(name, sealed) for name, sealed in found.items()}


def _key_id_of(name: str, sealed: str | StoreError) -> str:
    if isinstance(sealed, StoreError):
        raise sealed
    try:
        return key_id_of(name, sealed)
    except StoreCorrupt:
        return UNSEALED
