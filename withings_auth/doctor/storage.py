"""The store: which one it is, whether it keeps a record, who else could read it, whether its locks hold.

The store is tried out on a record with a random name, so that no two probes meet. Afterwards the record is removed, and
so is its lock file, since nobody else waits for it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from withings_auth.doctor.results import Result, failed, ok, skipped, warning
from withings_auth.errors import LockBusy, StoreError
from withings_auth.store.base import HeldName, SecretStore, lock_can_be_lost
from withings_auth.store.file_store import FileStore
from withings_auth.store.file_system import MOUNTS, file_system, is_shared_type
from withings_auth.store.keys import KeyRecord
from withings_auth.validation import printable

PROBE = "probe"
PROBE_LOCK_SECONDS = 5.0  # nobody else holds it: only a file system without locks makes this wait
SLOW_SECONDS = 2.0
_RECORD = '{"probe": "of withings-auth doctor; it can be removed"}'


def keyring_behind(store: SecretStore) -> SecretStore | None:
    """Returns the keyring that has the store's records, or the keys that seal them; None if it needs no keyring."""
    if isinstance(store, FileStore):
        return None
    if not lock_can_be_lost(store):
        return store
    keys = getattr(store, "keys", None)  # without the class, whose import needs a library that not everybody has
    return keys.store if isinstance(keys, KeyRecord) else None


def check_backend(store: SecretStore) -> Result:
    """Says where secrets are kept, and why no other keyring is used."""
    if isinstance(store, FileStore):
        return ok(f"{store.description}, as configured; no keyring is used")
    from withings_auth.store import backends  # here, because it imports keyring, which files do not need

    chosen = backends.find_backend()
    if not chosen.named:
        reasons = "; ".join(backends.reasons_against_others(chosen))
        return ok(f"{chosen.description}; not used: {reasons}" if reasons else chosen.description)
    words = f"{chosen.description}, named by PYTHON_KEYRING_BACKEND or keyringrc.cfg"
    if chosen.protects:
        return ok(words)
    return warning(
        f"{words}; it is not known whether it protects what it keeps", "do not name a keyring unless you want this one"
    )


def check_round_trip(store: SecretStore, state: Path, *, clock: Callable[[], float] = time.monotonic) -> Result:
    """Saves, reads and removes a record, and says how long that took; an interrupted record is removed too."""
    started = clock()
    with _probe(store, lock_directory(store, state)) as (name, held):
        try:
            held.save(_RECORD)
            kept = store.load(name) == _RECORD
            gone = held.clear() and store.load(name) is None
        except BaseException:
            with suppress(StoreError):
                held.clear()
            raise
    milliseconds = (clock() - started) * 1000
    if not kept or not gone:
        return failed(
            f"{store.description} did not {'remove' if kept else 'keep'} a record, but reported success",
            "use another store",
        )
    words = f"saved, read and removed a record in {milliseconds:.0f} ms"
    if milliseconds > SLOW_SECONDS * 1000:
        return warning(f"{words}, which is slow", "every new process that asks for a token waits for part of that")
    return ok(words)


def check_permissions(store: SecretStore) -> Result:
    """Says whether only their owner can use the files, as the store itself judges each of them."""
    if not isinstance(store, FileStore):
        return skipped("only files have permissions; the keyring protects itself")
    names = store.names()
    errors: list[StoreError] = []
    for name in names:
        try:
            store.load(name)
        except StoreError as error:
            errors.append(error)
    if errors:
        return failed("; ".join(map(str, errors)), "; ".join(dict.fromkeys(error.hint for error in errors)))
    if not store.directory.exists():
        return ok(f"{store.description} do not exist yet; the first login creates them for you alone")
    return ok(f"{store.description} are for you alone ({len(names)} record{'' if len(names) == 1 else 's'})")


def check_locks(store: SecretStore, state: Path, *, mounts: Path = MOUNTS) -> Result:
    """Takes a lock beside the store's own locks, and checks that nobody else can take it too."""
    directory = lock_directory(store, state)
    shown = store.description if directory is None else printable(str(directory))
    with _probe(store, directory) as (name, _):
        try:
            with store.lock(name, 0):
                return failed(
                    f"a lock in {shown} lets two programs in at once",
                    "use a directory on a file system with file locks",
                )
        except LockBusy:
            pass
        if directory is None:
            return ok(f"a lock in {shown} keeps others out, on other machines, too")
        kind = file_system(directory, mounts)
    if is_shared_type(kind):
        return warning(
            f"a lock in {shown} works here, but others may share its file system ({kind})",
            "log in on each machine, with a store on a disk of its own; if you know that its locks hold on all machines"
            " and that it caches no attributes, nothing is wrong (README.md, “What is stored where”)",
        )
    return ok(f"a lock in {shown} keeps others out" + (f" ({kind})" if kind else ""))


def lock_directory(store: SecretStore, state: Path) -> Path | None:
    """Returns the directory of the store's locks; for a keyring it is the `state` directory. A database has none."""
    if lock_can_be_lost(store):
        return None
    return store.directory if isinstance(store, FileStore) else state


@contextmanager
def _probe(store: SecretStore, directory: Path | None) -> Iterator[tuple[str, HeldName]]:
    """Yields the name of a record, and holds it; removes every file and directory that this made.

    A caller that saves the record removes it. Raises `StoreUnavailable` and `LockBusy`.
    """
    if directory is None:  # what a database keeps for a name stays there, so there is only one
        with store.lock(f"{PROBE}/doctor", PROBE_LOCK_SECONDS) as held:
            yield f"{PROBE}/doctor", held
        return
    number = os.urandom(8).hex()
    probes = directory / PROBE
    made = [probes, *(parent for parent in (directory, *directory.parents) if not parent.exists())]
    try:
        with store.lock(f"{PROBE}/{number}", PROBE_LOCK_SECONDS) as held:
            yield f"{PROBE}/{number}", held
    finally:
        with suppress(OSError):
            for leftover in probes.glob(f"*{number}.*"):
                leftover.unlink(missing_ok=True)
            for path in made:
                path.rmdir()  # which fails, as it should, if it holds anything else
