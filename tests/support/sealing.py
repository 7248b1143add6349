"""Stores that say which key seals, and sealed ones over them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tests.support.stores import Wrapped, save_record
from withings_auth.errors import StoreUnavailable
from withings_auth.store.file_store import FileStore
from withings_auth.store.files import make_private_directory, replace_file
from withings_auth.store.keys import KeyFile, KeyRecord
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.rekeying import prepare_key
from withings_auth.store.sealed_store import SealableStore, SealedStore

NAMES = ["app/an-app", "token/a", "token/b"]


class SealableMemory(MemoryStore):
    """Keeps the id of the key beside the dictionary."""

    sealing: str | None = None

    def sealing_key(self) -> str | None:
        return self.sealing

    def set_sealing_key(self, key_id: str) -> None:
        self.sealing = key_id


class SealableFiles(FileStore):
    """Keeps the id of the key beside the records."""

    def sealing_key(self) -> str | None:
        try:
            return (self.directory / "sealing-key").read_text()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnavailable(f"no key can be read: {error}") from error

    def set_sealing_key(self, key_id: str) -> None:
        make_private_directory(self.directory)
        replace_file(self.directory / "sealing-key", key_id)


class WrappedSealable(Wrapped):
    """Passes everything on to another one that says which key seals."""

    inner: SealableStore

    def __init__(self, inner: SealableStore) -> None:
        super().__init__(inner)

    def sealing_key(self) -> str | None:
        return self.inner.sealing_key()

    def set_sealing_key(self, key_id: str) -> None:
        self.inner.set_sealing_key(key_id)


class Machine(SealedStore):
    """A sealed store as one machine has it, whose keys are in a memory of its own."""

    def __init__(self, inner: SealableStore) -> None:
        super().__init__(inner, KeyRecord(MemoryStore(), "key/here"))

    def follow(self, other: SealedStore) -> None:
        """Brings every key of the other machine to this one."""
        for key in other.keys.load():
            self.keys.add(key)
        self.look_for_keys()


def sealed_memory() -> Machine:
    """Returns a sealed store that is ready."""
    store = Machine(SealableMemory())
    prepare_key(store)
    return store


def sealed_files(place: Path) -> SealedStore:
    """Returns the sealed store in the place's `store`, with the keys in its `keys`; ready if the place can be used."""
    store = SealedStore(SealableFiles(place / "store"), KeyFile(place / "keys"))
    with suppress(StoreUnavailable):
        prepare_key(store)
    return store


def fill(store: Machine) -> Machine:
    """Saves a text under each of `NAMES`."""
    for name in NAMES:
        save_record(store, name, f"of {name}")
    return store


def is_whole(store: SealedStore) -> bool:
    """Whether the store has each of these texts, and can open it."""
    return all(store.load(name) == f"of {name}" for name in NAMES)


def sealing(store: SealedStore) -> str:
    """Returns the id of the key that seals."""
    return store.sealing_key().id
