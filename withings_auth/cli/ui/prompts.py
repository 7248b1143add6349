"""Questions to the user at the terminal: on stderr, and again, with the reason, if the answer is invalid.

All but `ask_for_secret` must only be called if `is_terminal()`.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from contextlib import suppress

from withings_auth.cli.ui.terminal import is_terminal, tell
from withings_auth.errors import ConfigurationError
from withings_auth.validation import is_client_secret, printable

MOST_TRIES = 3

Check = Callable[[str], str | None]
"""Returns why a text is no valid answer, or None if it is one."""


def ask(question: str, *, check: Check, default: str | None = None) -> str:
    """Returns what the user types, by default `default`. Raises `ConfigurationError` if no answer is valid."""
    shown = "" if default is None else f" [{printable(default)}]"
    return _ask_until_valid(lambda: _read_answer(f"{question}{shown}: ").strip() or default or "", check)


def ask_hidden(question: str, *, check: Check, default: str | None = None) -> str:
    """Like `ask`, without echo."""
    return _ask_until_valid(lambda: _read_answer(f"{question}: ", hidden=True).strip() or default or "", check)


def ask_for_secret(note: str = "it is not shown", *, default: str | None = None) -> str:
    """Returns the client secret that the user types, or the default. Raises `ConfigurationError` without a terminal."""
    if not is_terminal():
        raise ConfigurationError(
            "the client secret is not set, and there is no terminal to ask for it",
            hint="set WITHINGS_CLIENT_SECRET in the environment, or save it once: withings-auth configure",
        )
    return ask_hidden(f"Client secret ({note})", check=check_client_secret, default=default)


def check_client_secret(text: str) -> str | None:
    """Returns why the text cannot be a client secret, or None if it can."""
    if is_client_secret(text):
        return None
    return "a client secret has visible characters only, and no spaces" if text else "a client secret is required"


def confirm(question: str) -> bool:
    """Returns whether the user said yes; an empty line and the end of the input mean no."""
    try:
        return _read_answer(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
    except ConfigurationError:
        return False


def _ask_until_valid(answer: Callable[[], str], check: Check) -> str:
    for _ in range(MOST_TRIES):
        text = answer()
        why = check(text)
        if why is None:
            return text
        tell(f"Invalid answer: {why}.")
    raise ConfigurationError(f"{MOST_TRIES} invalid answers", hint="nothing was changed; try again")


def _read_answer(prompt: str, *, hidden: bool = False) -> str:
    try:
        if hidden:
            return getpass.getpass(prompt, stream=sys.stderr)
        with suppress(OSError):
            sys.stderr.write(prompt)
            sys.stderr.flush()
        line = sys.stdin.readline()
    except UnicodeDecodeError:
        return "\ufffd"  # which is no valid answer
    except EOFError:
        line = ""
    except KeyboardInterrupt:
        tell("")  # so that the next message starts on a new line
        raise
    if not line:
        tell("")
        raise ConfigurationError("the input ended before every question was answered", hint="nothing was changed")
    return line
