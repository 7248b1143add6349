"""A record that is saved to see whether it can be: of a name of its own, and gone when the look is over.

The name is random, so that no two probes meet, and its lock file may go too, since nobody else waits for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from withings_auth.store.base import HeldName, SecretStore
from withings_auth.store.file_store import FileStore

KIND = "probe"
LOCK_PATIENCE_SECONDS = 5.0  # nobody else holds it: only a file system that cannot lock lets one wait


@contextmanager
def probe(store: SecretStore, place: Path) -> Iterator[tuple[str, HeldName]]:
    """Yields a record's name that nobody else uses, and holds it; afterwards no file or directory of it is left.

    `place` is where the store's locks lie. Removing the record itself is for who saves it. Raises `StoreUnavailable`
    and `LockBusy`.
    """
    number = os.urandom(8).hex()
    directory = place / KIND
    made = [directory, *(parent for parent in (place, *place.parents) if not parent.exists())]
    try:
        with store.lock(f"{KIND}/{number}", LOCK_PATIENCE_SECONDS) as held:
            yield f"{KIND}/{number}", held
    finally:
        with suppress(OSError):
            for left in directory.glob(f"*{number}.*"):
                left.unlink(missing_ok=True)
            for path in made:
                path.rmdir()  # fails, as it should, where something else is in it


def place_of(store: SecretStore, state: Path) -> Path:
    """Returns where the locks of the store lie; `state` is where those for the keyring do."""
    return store.directory if isinstance(store, FileStore) else state
