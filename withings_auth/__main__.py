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

    if _print_stored_token(sys.argv[1:]):
        sys.exit(0)
    import gc
    import threading

    gc.set_threshold(20_000)  # there is no garbage in what is loaded, and looking for it takes 6 % of a start
    from withings_auth.cli import main

    code = main(sys.argv[1:])
    for thread in threading.enumerate():
        # It saves a renewal. One that an interruption kept from starting is not alive, and does nothing any more.
        if thread is not threading.main_thread() and not thread.daemon and thread.is_alive():
            thread.join()
    _flush()
    if threading.active_count() > 1:
        _end_at_once(code)
    sys.exit(code)


def _print_stored_token(arguments: "list[str]") -> bool:
    """Prints the stored token if the command line asks for no more than that, and it is valid; returns whether it did.

    Most runs of `withings-auth token` end here. The others begin anew, with everything that they may need.
    """
    import os
    import sys

    profile, flags = None, arguments[1:]
    if flags[:1] == ["--profile"] and len(flags) > 1:
        profile, flags = flags[1], flags[2:]
    if arguments[:1] != ["token"] or flags not in ([], ["--header"]) or not sys.stdout:
        return False
    from withings_auth.tokens.shortcut import stored_token

    token = stored_token(profile)
    if token is None:
        return False
    line = f"{'Authorization: Bearer ' if flags else ''}{token}\n".encode(sys.stdout.encoding)
    try:
        return os.write(sys.stdout.fileno(), line) == len(line)
    except OSError:  # nothing was written, and the command says why
        return False


def _flush() -> None:
    """Writes what is left in the streams, or gives it up: Python would replace the exit code by one of its own."""
    import os
    import sys

    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError):  # missing or closed
            continue
        except OSError:  # nobody reads it any more
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _end_at_once(code: int) -> "NoReturn":
    """Ends the process as it is.

    An orderly end takes OpenSSL apart, and crashes if a thread that nobody waits for any more is loading certificates.
    """
    import os

    os._exit(code)


if __name__ == "__main__":
    run()
