"""Questions to a person at the terminal: on stderr, asked again with the reason while the answer is wrong.

All but `ask_for_secret` are called where `is_terminal` says that somebody can answer.
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
"""Says why a text cannot be what was asked for; None where it can."""


def ask(question: str, *, check: Check, default: str | None = None) -> str:
    """Returns what a person types, the default for an empty line. Raises `ConfigurationError` where nothing will do."""
    shown = "" if default is None else f" [{printable(default)}]"
    return _right(lambda: _typed(f"{question}{shown}: ").strip() or default or "", check)


def ask_hidden(question: str, *, check: Check, default: str | None = None) -> str:
    """Returns what a person types unseen, the default for an empty line. Raises what `ask` raises."""
    return _right(lambda: _typed(f"{question}: ", hidden=True).strip() or default or "", check)


def ask_for_secret(note: str = "it is not shown", *, default: str | None = None) -> str:
    """Returns the client secret that a person types, or the default. Raises `ConfigurationError` without a terminal."""
    if not is_terminal():
        raise ConfigurationError(
            "the client secret is not set, and there is no terminal to ask for it",
            hint="set WITHINGS_CLIENT_SECRET in the environment, or save it once: withings-auth configure",
        )
    return ask_hidden(f"Client secret ({note})", check=check_client_secret, default=default)


def check_client_secret(text: str) -> str | None:
    """Says why the text cannot be a client secret."""
    if is_client_secret(text):
        return None
    return "a client secret has visible characters only, and no blank" if text else "a client secret is needed"


def confirm(question: str) -> bool:
    """Returns whether a person said yes; no is the default, and what the end of the input means."""
    try:
        return _typed(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
    except ConfigurationError:
        return False


def _right(answer: Callable[[], str], check: Check) -> str:
    for _ in range(MOST_TRIES):
        text = answer()
        why = check(text)
        if why is None:
            return text
        tell(f"That will not do: {why}.")
    raise ConfigurationError(f"{MOST_TRIES} answers would not do", hint="nothing was changed; try again")


def _typed(prompt: str, *, hidden: bool = False) -> str:
    try:
        if hidden:
            return getpass.getpass(prompt, stream=sys.stderr)
        with suppress(OSError):
            sys.stderr.write(prompt)
            sys.stderr.flush()
        line = sys.stdin.readline()
    except UnicodeDecodeError:
        return "\ufffd"  # which no answer may hold
    except EOFError:
        line = ""
    except KeyboardInterrupt:
        tell("")  # what is told next begins a line
        raise
    if not line:
        tell("")
        raise ConfigurationError("the input has ended before everything was answered", hint="nothing was changed")
    return line
