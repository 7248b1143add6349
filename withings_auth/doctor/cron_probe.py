"""Run by the doctor with an environment as bare as cron's: asks the keyring for a record, and says which one answered.

No window must open for that, nor could one: a keyring that is locked then counts as one that a job cannot use.
"""

from __future__ import annotations

import sys

from withings_auth.config.settings import state_directory
from withings_auth.doctor.probe import KIND
from withings_auth.errors import WithingsAuthError
from withings_auth.store import KEYRING, open_named_store


def main() -> int:
    """Prints one line: the keyring's description, or why it could not be used. Returns the exit code."""
    try:
        store = open_named_store(KEYRING, state_directory())
        store.load(f"{KIND}/as-cron")  # there is no such record; only a keyring that is open can say so
    except WithingsAuthError as error:
        print(error)
        return error.exit_code
    print(store.description)
    return 0


if __name__ == "__main__":
    sys.exit(main())
