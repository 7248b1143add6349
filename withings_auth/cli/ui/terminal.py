"""What the command line prints, and where.

1. stdout gets the answer and nothing else.
2. Everything else goes to stderr: `withings-auth: error: …` with a `hint:` line under it.
3. Text from outside is escaped before it gets here, and foreign exceptions are never printed.
4. The library names parameters (`replace=True`); `tell` prints their flags (`--replace`) instead. Commands in a message
   name the profile that the user named, so that they can be pasted.
5. A countdown is shown on terminals only, rewritten in place, and removed before anything else is printed.
6. There are no colours if NO_COLOR is set (no-color.org).
7. An answer that cannot be written completely is a failure without a traceback; a closed pipe also without an error.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Literal, TextIO

from withings_auth.errors import WithingsAuthError, name_profile

PROGRAM = "withings-auth"
USED_UP = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}  # of an OSError: nothing is left to work with
FORMAT_VERSION = 1  # of every --json answer; increased when a field changes its meaning or is removed
Colour = Literal["red", "green", "yellow", "bold", "dim"]
_COLOUR_CODES: dict[Colour, str] = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}
_KEPT_FREE = 3  # columns: for the cursor, and for the ^C that a terminal may add

# The flag of each parameter that a message or hint of the library may name.
_SAME_NAMES = "browser client_id demo listen min_valid profile redirect_uri replace store switch_user timeout"
FLAGS = {name: f"--{name.replace('_', '-')}" for name in _SAME_NAMES.split()} | {
    "open_browser": "--no-browser",
    "paste_only": "--paste",
    "scopes": "--scope",
}
_PARAMETER = rf"""(?<![\w?&])({"|".join(FLAGS)})=(?:"([^"\s]+)"|True\b|False\b|([0-9]+)\b)"""
# Such a command for this machine, without a store.
_ABOUT_A_STORE = r"(?<!HOST )\bwithings-auth[ ]store (?:init|key|rekey)\b(?![^;|,]*--store)"

_showing = threading.Lock()
_profile = ""  # the one that commands in messages name
_store = ""  # the same, for those commands that prepare a store; quoted for a shell
_shown = ""  # the line that `show` has on the terminal now


class OutputFailed(Exception):
    """stdout was closed, or its disk is full."""


class ReaderGone(OutputFailed):
    """The reader of stdout has closed the pipe, as `head` does once it has seen enough."""


def answer(text: str) -> None:
    """Writes the command's answer and a newline to stdout and flushes it. Raises `OutputFailed`."""
    out: TextIO | None = sys.stdout
    if out is None:
        raise OutputFailed("it is closed")
    # stderr itself escapes what its encoding lacks; stdout would raise, as in a pipe on Windows.
    encoding = out.encoding or "utf-8"
    encodable = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        out.write(f"{encodable}\n")
        out.flush()
    except OSError as error:
        # At exit the interpreter must not try to write the rest of the buffer again, and report that.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        failure = ReaderGone if isinstance(error, BrokenPipeError) else OutputFailed
        raise failure(error.strerror or "it is closed") from error


def answer_json(content: Mapping[str, object]) -> None:
    """Writes the answer as one JSON object, in ASCII, with its `format_version`. Raises `OutputFailed`."""
    import json  # here, because printing a bare token does not need it

    answer(json.dumps({"format_version": FORMAT_VERSION, **content}, indent=2))


def tell(line: str) -> None:
    """Tells the user something on stderr, in terms of flags; fails silently if stderr is closed."""
    err: TextIO | None = sys.stderr
    if err is not None:  # print would take stdout instead
        show("")
        with suppress(OSError):
            print(as_flags(line), file=err, flush=True)


def wait_and_tell(seconds: float) -> None:
    """Sleeps as long as Withings asks to wait, and tells the user."""
    tell(f"Withings asks to wait {seconds:.0f} s; waiting.")
    time.sleep(seconds)


def show(line: str) -> None:
    """Shows a line, or as much as fits, until the next one replaces it; an empty one removes it."""
    global _shown  # noqa: PLW0603  a process has one terminal, and `tell` must clear the line
    with _showing:
        columns = _columns_to_write_in() if line or _shown else 0
        if columns:
            fitting = _fitting(line, columns - _KEPT_FREE)
            blank = f"\r{' ' * min(len(_shown) + _KEPT_FREE - 1, columns - 1)}\r" if _shown else ""
            _shown = fitting  # first, because Ctrl-C may come while it is written
            with suppress(OSError):
                sys.stderr.write(blank + fitting)
                sys.stderr.flush()


def report(error: WithingsAuthError) -> int:
    """Prints what went wrong and what to do about it. Returns the exit code."""
    return complain(str(error), error.hint, error.exit_code)


def complain(message: str, hint: str, exit_code: int) -> int:
    """Prints an error with its hint. Returns the exit code."""
    tell(f"{PROGRAM}: {coloured('error:', 'red', sys.stderr)} {message}")
    if hint:
        tell(hint_line(hint, sys.stderr))
    return exit_code


def hint_line(hint: str, stream: TextIO | None) -> str:
    return f"{coloured('hint:', 'bold', stream)} {hint}"


def as_flags(text: str) -> str:
    """Returns the text as a user can paste it: `replace=True` becomes `--replace`, and commands name the profile."""
    shown = re.sub(_PARAMETER, lambda found: " ".join(filter(None, (FLAGS[found[1]], found[2], found[3]))), text)
    if _store:
        shown = re.sub(_ABOUT_A_STORE, lambda found: f"{found[0]} --store {_store}", shown)
    return name_profile(shown, _profile) if _profile else shown


def name_in_commands(profile: str, store: str = "") -> None:
    """Has every command in a message name this profile and, if it prepares a store, this one; none if it is empty."""
    global _profile, _store
    _profile, _store = profile, store


def coloured(text: str, colour: Colour, stream: TextIO | None) -> str:
    """Returns the text, in colour if the stream shows colours."""
    return f"\x1b[{_COLOUR_CODES[colour]}m{text}\x1b[0m" if _shows_colour(stream) else text


def wants_colour(environ: Mapping[str, str], platform: str) -> bool:
    """Whether a terminal gets colours in this environment, on this `sys.platform`."""
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    # An old Windows console would print the sequences; Windows Terminal sets WT_SESSION.
    return platform != "win32" or bool(environ.get("WT_SESSION"))


def _shows_colour(stream: TextIO | None) -> bool:
    try:
        return wants_colour(os.environ, sys.platform) and stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def is_terminal() -> bool:
    """Whether there is a user to read messages and answer questions."""
    try:
        return sys.stdin.isatty() and sys.stderr.isatty()
    except (AttributeError, ValueError):  # they are missing or closed
        return False


def is_in_foreground(descriptor: int) -> bool:
    """Whether this program may use the terminal now; a shell's background job may not."""
    try:
        return sys.platform == "win32" or os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:  # not our controlling terminal (after setsid or su -c), so there are no jobs
        return True


def _columns_to_write_in() -> int:
    """Returns the width of the terminal on stderr; 0 if there is none on which a line can be rewritten."""
    err: TextIO | None = sys.stderr
    try:
        if err is None or not err.isatty() or os.environ.get("TERM") == "dumb" or not is_in_foreground(err.fileno()):
            return 0
        return os.get_terminal_size(err.fileno()).columns or 80  # 0 if nobody has set a size
    except (OSError, ValueError):
        return 0


def _fitting(line: str, columns: int) -> str:
    """Returns the line, or as many of its first sentences as fit, which may be none."""
    while line and len(line) > columns:
        line = line[: line.rstrip(".").rfind(". ") + 1]
    return line
