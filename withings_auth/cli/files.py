"""Reads what a user names: a plain file, or standard input if the name is `-`."""

from __future__ import annotations

import sys
from pathlib import Path

from withings_auth.cli.ui.signals import waking_for_signals
from withings_auth.cli.ui.terminal import PROGRAM
from withings_auth.errors import ConfigurationError
from withings_auth.store.files import LARGEST_FILE_BYTES, NotPlain, read_plain, refuse_larger
from withings_auth.validation import printable

STDIN = "-"


def read_named(name: str, reader: str, *, most_bytes: int = LARGEST_FILE_BYTES) -> bytes:
    """Returns the content of a file; `reader` is the command, or the flag, that the name was given to.

    Raises `ConfigurationError`, at once if it is a pipe: only standard input is waited for.
    """
    try:
        return _read_input(most_bytes) if name == STDIN else read_plain(Path(name), most_bytes=most_bytes)
    except OSError as error:
        hint = f"to read a pipe: {PROGRAM} {reader} -" if isinstance(error, NotPlain) else ""
        raise ConfigurationError(
            f"cannot read {shown(name)}: {error.strerror or type(error).__name__}",
            hint=hint or "check its name and its permissions",
        ) from None


def shown(name: str) -> str:
    """Returns what to call the file in a message."""
    return "standard input" if name == STDIN else printable(name)


def read_stdin(most_bytes: int) -> bytes:
    """Returns the beginning of standard input, which is empty if it was closed. Raises `OSError`."""
    with waking_for_signals():
        return sys.stdin.buffer.read(most_bytes) if sys.stdin is not None else b""


def _read_input(most_bytes: int) -> bytes:
    content = read_stdin(most_bytes + 1)
    refuse_larger(content, most_bytes)
    return content
