"""The session bus as a cron job would see it: whether it is found without a variable, and its keyring answers there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from withings_auth.doctor.findings import Found, ok, skipped, warning
from withings_auth.errors import StoreError
from withings_auth.store.base import SecretStore
from withings_auth.store.file_store import FileStore
from withings_auth.validation import printable

CHILD_SECONDS = 15.0  # longer than the keyring's own ten
_REMEDY = (
    "jobs need a session that stays (loginctl enable-linger) and an unlocked keyring, or files: "
    "WITHINGS_AUTH_STORE=file:~/.withings-auth"
)


def session_bus(store: SecretStore, *, works: bool) -> Found:
    """Asks the keyring from a process that has an environment as bare as a cron job's.

    `works` is whether the keyring can be used from here.
    """
    if isinstance(store, FileStore):
        return skipped("files need no session bus")
    if sys.platform != "linux":
        return skipped("there is one on Linux only")
    from withings_auth.store.session_bus import USER_RUNTIME_DIRECTORIES, session_bus_address

    address = session_bus_address({})
    if address is None:
        return warning(f"a cron job would find none at {USER_RUNTIME_DIRECTORIES / str(os.getuid()) / 'bus'}", _REMEDY)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "withings_auth.doctor.cron_probe"],
            env={"HOME": str(Path.home()), "PATH": os.defpath, "DBUS_SESSION_BUS_ADDRESS": address},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=CHILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return warning(f"a cron job would wait longer than {CHILD_SECONDS:.0f} seconds for the keyring", _REMEDY)
    said = printable(done.stdout.decode("utf-8", "replace").strip())
    return _judged(done.returncode, said, store.description if works else said)


def _judged(exit_code: int, said: str, ours: str) -> Found:
    if exit_code == StoreError.exit_code and said:
        return warning(f"a cron job could not use the keyring: {said}", _REMEDY)
    if exit_code != 0 or not said:
        return warning("cannot tell: a process as a cron job starts it did not come so far")
    if said != ours:
        return warning(f"a cron job would use another keyring: {said}", "name it in keyringrc.cfg, which jobs read too")
    return ok("a cron job finds it, and the same keyring there")
