"""The session bus as a cron job sees it: whether it is found without a variable, and whether its keyring answers.

The check runs this module as a child process with a bare environment, like cron's. No window can open there, so a
locked keyring counts as one that a job cannot use.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from withings_auth.config.places import state_directory
from withings_auth.doctor.results import Result, ok, skipped, warning
from withings_auth.doctor.storage import PROBE, keyring_behind
from withings_auth.errors import StoreError, WithingsAuthError
from withings_auth.store import CHOOSE_FILES, KEYRING, open_named_store
from withings_auth.store.base import SecretStore
from withings_auth.store.file_store import FileStore
from withings_auth.store.keys import KEY_FILE_VARIABLE
from withings_auth.validation import printable

CHILD_SECONDS = 15.0  # longer than the keyring's own ten
_FOR_JOBS = "jobs need a session that stays (loginctl enable-linger) and an unlocked keyring, or"


def check_session_bus(store: SecretStore, *, works: bool) -> Result:
    """Asks the keyring from a process with an environment like a cron job's.

    `works` says whether the keyring can be used from this process.
    """
    keyring = keyring_behind(store)
    if keyring is None:
        if isinstance(store, FileStore):
            return skipped("files need no session bus")
        also = f"; a cron job needs {KEY_FILE_VARIABLE}, too" if hasattr(store, "keys") else ""
        return skipped(f"no keyring is used{also}")
    remedy = f"{_FOR_JOBS} files: {CHOOSE_FILES}" if keyring is store else f"{_FOR_JOBS} a file ({KEY_FILE_VARIABLE})"
    if sys.platform != "linux":
        return skipped("only Linux has one")
    from withings_auth.store.session_bus import USER_RUNTIME_DIRECTORIES, session_bus_address

    address = session_bus_address({})
    if address is None:
        expected = USER_RUNTIME_DIRECTORIES / str(os.getuid()) / "bus"
        return warning(f"a cron job would find no session bus at {expected}", remedy)
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-m", "withings_auth.doctor.cron"],
            env={"HOME": str(Path.home()), "PATH": os.defpath, "DBUS_SESSION_BUS_ADDRESS": address},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=CHILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return warning(f"a cron job would wait longer than {CHILD_SECONDS:.0f} seconds for the keyring", remedy)
    printed = printable(child.stdout.decode("utf-8", "replace").strip())
    if child.returncode == StoreError.exit_code and printed:
        return warning(f"a cron job could not use the keyring: {printed}", remedy)
    if child.returncode != 0 or not printed:
        return warning("cannot tell: a process with a cron job's environment failed")
    if works and printed != keyring.description:
        return warning(f"a cron job would use another keyring: {printed}", "name it in keyringrc.cfg; jobs read it too")
    return ok("a cron job finds it, with the same keyring")


def main() -> int:  # pragma: no cover  its environment is as bare as cron's, and leaves coverage out too
    """Prints the description of the keyring, or why it cannot be used. Returns the exit code."""
    try:
        store = open_named_store(KEYRING, state_directory())
        store.load(f"{PROBE}/as-cron")  # there is no such record, and only an open keyring can say so
    except WithingsAuthError as error:
        print(error)
        return error.exit_code
    print(store.description)
    return 0


if __name__ == "__main__":  # pragma: no cover
    sys.exit(main())
