"""The command `withings-auth`, which is also `python -m withings_auth`."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn


def run() -> NoReturn:
    """Runs the command line and ends the process with its exit code."""
    # Until the command can tell that it was interrupted, Ctrl-C ends the process without a word, imports included.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from withings_auth.cli import main

    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
