"""The command `withings-auth`, which is also `python -m withings_auth`."""

# Not `signal`, which imports `enum`: an interruption meanwhile would print a traceback.
from _signal import SIG_DFL, SIGINT, signal  # type: ignore[import-not-found]  # typeshed leaves it out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def run() -> "NoReturn":
    """Runs the command line and ends the process with its exit code."""
    # Until the command can tell that it was interrupted, Ctrl-C ends the process without a word, imports included.
    signal(SIGINT, SIG_DFL)
    import sys
    import threading

    from withings_auth.cli import main

    code = main(sys.argv[1:])
    threads = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    for thread in threads:
        if not thread.daemon:  # it saves a renewal
            thread.join()
    if any(thread.is_alive() for thread in threads):
        _end_at_once(code)
    sys.exit(code)


def _end_at_once(code: int) -> "NoReturn":
    """Ends the process as it is.

    An orderly end takes OpenSSL apart, and crashes if a thread that nobody waits for any more is loading certificates.
    """
    import os
    import sys
    from contextlib import suppress

    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # closed, or nobody reads it any more
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
