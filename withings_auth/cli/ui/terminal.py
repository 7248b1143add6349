"""What the command line may print, and where.

1. stdout carries the answer and only the answer.
2. Everything else is on stderr: `withings-auth: error: …` with a `hint:` line under it.
3. Text from outside arrives here escaped already; nothing here prints an exception of somebody else.
4. The library names parameters (`replace=True`); whatever is told names the flags for them (`--replace`).
5. A line that counts is on a terminal only, is rewritten in place, and is gone before anything else is told.
6. An answer that could not be written whole is a failure, without a traceback; a reader that left is told nothing.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import TextIO

from withings_auth.cli.ui.colour import coloured
from withings_auth.errors import WithingsAuthError

PROGRAM = "withings-auth"
FORMAT_VERSION = 1  # of every --json answer; it grows when a field changes its meaning or goes away
_KEPT_FREE = 3  # columns: for the cursor, and for the ^C that a terminal may put behind the line

# The flag for each parameter that a message or hint of the library may name.
FLAGS = {
    "browser": "--browser",
    "client_id": "--client-id",
    "demo": "--demo",
    "listen": "--listen",
    "min_valid": "--min-valid",
    "open_browser": "--no-browser",
    "paste_only": "--paste",
    "profile": "--profile",
    "redirect_uri": "--redirect-uri",
    "replace": "--replace",
    "scopes": "--scope",
    "switch_user": "--switch-user",
    "timeout": "--timeout",
}
_PARAMETER = re.compile(rf"""(?<![\w?&])({"|".join(FLAGS)})=(?:"([^"\s]+)"|True\b|False\b|([0-9]+)\b)""")

_counting = threading.Lock()
_shown = ""  # the line that counts, as it stands on the terminal now


class OutputFailed(Exception):
    """stdout was closed, or its disk is full."""


class ReaderGone(OutputFailed):
    """Whoever read stdout has left, as `head` does once it has seen enough."""


def answer(text: str) -> None:
    """Writes the command's answer and a newline to stdout, all the way out. Raises `OutputFailed`."""
    out: TextIO | None = sys.stdout
    if out is None:
        raise OutputFailed("it is closed")
    try:
        out.write(f"{_encodable(text, out)}\n")
        out.flush()
    except OSError as error:
        # What is left in the buffer must not be tried, and reported by the interpreter, once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        failure = ReaderGone if isinstance(error, BrokenPipeError) else OutputFailed
        raise failure(error.strerror or "it is closed") from error


def _encodable(text: str, out: TextIO) -> str:
    # stderr escapes by itself what its encoding has no letter for; stdout would raise, as on Windows in a pipe.
    encoding = out.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def answer_json(content: Mapping[str, object]) -> None:
    """Writes the answer as one JSON object, in ASCII, with the version of its form. Raises `OutputFailed`."""
    import json  # here, because a bare token is printed without it

    answer(json.dumps({"format_version": FORMAT_VERSION, **content}, indent=2))


def tell(line: str) -> None:
    """Tells the user something on stderr, in terms of flags; fails silently if stderr is closed."""
    err: TextIO | None = sys.stderr
    if err is not None:  # print would take stdout instead
        show("")
        with suppress(OSError):
            print(as_flags(line), file=err, flush=True)


def show(line: str) -> None:
    """Shows a line that the next one replaces, as much of it as fits; an empty one leaves nothing."""
    global _shown  # noqa: PLW0603  a process has one terminal, and whoever tells something must clear the line
    with _counting:
        columns = _columns_to_write_in() if line or _shown else 0
        if columns:
            fitting = _fitting(line, columns - _KEPT_FREE)
            blank = f"\r{' ' * min(len(_shown) + _KEPT_FREE - 1, columns - 1)}\r" if _shown else ""
            with suppress(OSError):
                sys.stderr.write(blank + fitting)
                sys.stderr.flush()
            _shown = fitting


def report(error: WithingsAuthError) -> int:
    """Tells what went wrong and what to do about it. Returns the exit code."""
    return complain(str(error), error.hint, error.exit_code)


def complain(message: str, hint: str, exit_code: int) -> int:
    """Tells an error that is no exception of ours. Returns the exit code."""
    tell(f"{PROGRAM}: {coloured('error:', 'red', sys.stderr)} {message}")
    if hint:
        tell(f"{coloured('hint:', 'bold', sys.stderr)} {hint}")
    return exit_code


def as_flags(text: str) -> str:
    """Returns the text with the library's parameters as flags: `profile="mum"` becomes `--profile mum`."""
    return _PARAMETER.sub(lambda found: " ".join(filter(None, (FLAGS[found[1]], found[2], found[3]))), text)


def is_terminal() -> bool:
    """Whether a person is there to read and to answer."""
    try:
        return sys.stdin.isatty() and sys.stderr.isatty()
    except (AttributeError, ValueError):  # started without them, or closed
        return False


def is_in_foreground(descriptor: int) -> bool:
    """Whether the terminal is this program's at the moment: a shell's background job must not touch it."""
    try:
        return sys.platform == "win32" or os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:  # not the terminal that controls us (after setsid, or su -c), and so without jobs
        return True


def _columns_to_write_in() -> int:
    """Returns how wide the terminal on stderr is; 0 where there is none that a line can be rewritten on."""
    err: TextIO | None = sys.stderr
    try:
        if err is None or not err.isatty() or os.environ.get("TERM") == "dumb" or not is_in_foreground(err.fileno()):
            return 0
        return os.get_terminal_size(err.fileno()).columns or 80  # 0 is what a terminal says that was never told
    except (OSError, ValueError):
        return 0


def _fitting(line: str, columns: int) -> str:
    """Returns the line, or as many of its first sentences as fit, or nothing."""
    while line and len(line) > columns:
        line = line[: line.rstrip(".").rfind(". ") + 1]
    return line
