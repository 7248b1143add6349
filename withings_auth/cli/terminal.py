"""What the command line may print, and where.

1. stdout carries the answer and only the answer.
2. Everything else is on stderr: `withings-auth: error: …` with a `hint:` line under it.
3. Text from outside arrives here escaped already; nothing here prints an exception of somebody else.
4. An answer that could not be written whole is a failure, without a traceback.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

from withings_auth.errors import WithingsAuthError

PROGRAM = "withings-auth"


class OutputFailed(Exception):
    """stdout was closed, or its disk is full."""


def answer(text: str) -> None:
    """Writes the command's answer and a newline to stdout, all the way out. Raises `OutputFailed`."""
    out: TextIO | None = sys.stdout
    if out is None:
        raise OutputFailed("it is closed")
    try:
        out.write(f"{text}\n")
        out.flush()
    except OSError as error:
        # What is left in the buffer must not be tried, and reported by the interpreter, once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        raise OutputFailed(error.strerror or "it is closed") from error


def tell(line: str) -> None:
    """Tells a person something, on stderr; that nobody may be listening is no reason to fail."""
    err: TextIO | None = sys.stderr
    if err is not None:  # print would take stdout instead
        with suppress(OSError):
            print(line, file=err, flush=True)


def report(error: WithingsAuthError) -> int:
    """Tells what went wrong and what to do about it. Returns the exit code."""
    return complain(str(error), error.hint, error.exit_code)


def complain(message: str, hint: str, exit_code: int) -> int:
    """Tells an error that is no exception of ours. Returns the exit code."""
    tell(f"{PROGRAM}: error: {message}")
    if hint:
        tell(f"hint: {hint}")
    return exit_code


def is_terminal() -> bool:
    """Whether a person is there to read and to answer."""
    try:
        return sys.stdin.isatty() and sys.stderr.isatty()
    except (AttributeError, ValueError):  # started without them, or closed
        return False
