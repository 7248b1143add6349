"""The store: which one, whether it takes, gives and removes a record, who else could read it, whether locks hold."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from withings_auth.doctor.findings import Found, failed, ok, skipped, warning
from withings_auth.doctor.probe import probe
from withings_auth.errors import LockBusy, StoreError
from withings_auth.store.base import SecretStore
from withings_auth.store.file_store import FileStore
from withings_auth.validation import printable

SLOW_SECONDS = 2.0
_PROBE = '{"probe": "of withings-auth doctor; it can be removed"}'
_OF_THE_NETWORK = re.compile(r"nfs|nfs4|cifs|smb\w*|afs|ceph|glusterfs|lustre|fuse\.(sshfs|glusterfs|rclone)")


def backend(store: SecretStore) -> Found:
    """Says where secrets rest, and why no other keyring is used."""
    if isinstance(store, FileStore):
        return ok(f"{store.description}, as was set; no keyring is asked")
    from withings_auth.store import backends  # here, because it brings keyring, which files do not need

    chosen = backends.find_backend()
    if chosen.named:
        words = f"{chosen.description}, named by PYTHON_KEYRING_BACKEND or keyringrc.cfg"
        return (
            ok(words)
            if chosen.protects
            else warning(
                f"{words}; whether it protects what it keeps is not known",
                "name no keyring, unless this is what you want",
            )
        )
    against = "; ".join(backends.reasons_against_others(chosen))
    return ok(f"{chosen.description}; not used: {against}" if against else chosen.description)


def writable(store: SecretStore, place: Path, *, clock: Callable[[], float] = time.monotonic) -> Found:
    """Saves a record of its own, reads it and removes it, also when interrupted; says how long that took."""
    started = clock()
    with probe(store, place) as (name, held):
        try:
            held.save(_PROBE)
            kept = store.load(name) == _PROBE
            gone = held.clear() and store.load(name) is None
        except BaseException:
            with suppress(StoreError):
                held.clear()
            raise
    milliseconds = (clock() - started) * 1000
    if not kept or not gone:
        what = "remove" if kept else "keep"
        return failed(f"{store.description} did not {what} a record, and said that it did", "use another store")
    words = f"a record was saved, read and removed in {milliseconds:.0f} ms"
    if milliseconds > SLOW_SECONDS * 1000:
        return warning(f"{words}, which is slow", "every new process that asks for a token waits for a part of that")
    return ok(words)


def permissions(store: SecretStore) -> Found:
    """Says whether the files are for their owner alone, as the store itself judges each of them."""
    if not isinstance(store, FileStore):
        return skipped("the keyring sees to that; only files have them")
    names = store.names()
    troubles: list[StoreError] = []
    for name in names:
        try:
            store.load(name)
        except StoreError as error:
            troubles.append(error)
    if troubles:
        return failed("; ".join(map(str, troubles)), "; ".join(dict.fromkeys(error.hint for error in troubles)))
    if not store.directory.exists():
        return ok(f"{store.description} are made by the first login, for you alone")
    return ok(f"{store.description} are for you alone ({len(names)} record{'' if len(names) == 1 else 's'})")


def locks(store: SecretStore, place: Path, *, mounts: Path = Path("/proc/mounts")) -> Found:
    """Takes a lock of its own where the store has its locks, and sees that it keeps a second comer out."""
    shown = printable(str(place))
    with probe(store, place) as (name, _):
        try:
            with store.lock(name, 0):
                return failed(
                    f"a lock in {shown} lets two programs in at once",
                    "the directory must be on a file system that knows file locks",
                )
        except LockBusy:
            pass
        kind = file_system(place, mounts)
    if _OF_THE_NETWORK.fullmatch(kind):
        return warning(
            f"a lock in {shown} holds here, but that is on the network ({kind})",
            "a lock may not be seen by other machines: let each machine log in for itself, with a store of its own",
        )
    return ok(f"a lock in {shown} keeps others out" + (f" ({kind})" if kind else ""))


def file_system(path: Path, mounts: Path) -> str:
    """Returns the type of the file system that the path lies on; empty where the system does not tell."""
    if sys.platform != "linux":
        return ""
    found = Path("/"), ""
    with suppress(OSError):
        resolved = path.resolve()
        for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
            fields = line.split()  # proc_pid_mounts(5); what is mounted later covers what was there
            if len(fields) < 3:
                continue
            point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[1]))
            if resolved.is_relative_to(point) and len(point.parts) >= len(found[0].parts):
                found = point, fields[2]
    return found[1]
