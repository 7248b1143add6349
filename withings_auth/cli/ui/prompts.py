"""Questions to the user at the terminal, and the checks of the answers, which flags and files go through too.

A question is printed on stderr, and again, with the reason, if the answer is invalid. All but `ask_for_secret` must
only be asked if `is_terminal()`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress

from withings_auth.cli.ui.signals import waking_for_signals
from withings_auth.cli.ui.terminal import PROGRAM, is_terminal, tell
from withings_auth.errors import ConfigurationError
from withings_auth.model import ALL_SCOPES
from withings_auth.validation import is_client_id, is_client_secret, printable, scope_list

MOST_TRIES = 3
SHORTEST_PASTED_ID = 16  # characters: Withings' client ids have 64, and nobody says no with so many

Check = Callable[[str], str | None]
"""Returns why a text is no valid answer, or None if it is one."""


def ask(question: str, *, check: Check, default: str | None = None, quiet: bool = False, hidden: bool = False) -> str:
    """Returns what the user types, by default `default`; `quiet` does not show the default, `hidden` shows neither.

    Raises `ConfigurationError` if no answer is valid.
    """
    shown = "" if default is None or quiet or hidden else f" [{printable(default)}]"
    for _ in range(MOST_TRIES):
        text = _read_answer(f"{question}{shown}: ", hidden=hidden).strip() or default or ""
        why = check(text)
        if why is None:
            return text
        tell(f"Invalid answer: {why}.")
    raise ConfigurationError(f"{MOST_TRIES} invalid answers", hint="nothing was changed; try again")


def ask_for_secret(note: str = "", *, default: str | None = None) -> str:
    """Returns the client secret that the user types, or the default. Raises `ConfigurationError` without a terminal."""
    if not is_terminal():
        raise ConfigurationError(
            "the client secret is not set, and there is no terminal to ask for it",
            hint="set WITHINGS_CLIENT_SECRET in the environment, or save it once: withings-auth configure",
        )
    return ask(f"Client secret (it is not shown{note})", check=check_client_secret, default=default, hidden=True)


def check_client_id(text: str) -> str | None:
    """Returns why the text cannot be a client id, or None if it can."""
    if is_client_id(text):
        return None
    return "a client id has no other characters than letters, digits, - and _" if text else "a client id is required"


def check_client_secret(text: str) -> str | None:
    """Returns why the text cannot be a client secret, or None if it can."""
    if is_client_secret(text):
        return None
    return "a client secret has visible characters only, and no spaces" if text else "a client secret is required"


def check_scopes(text: str, *, known: Collection[str]) -> str | None:
    """Returns why the text is not a list of `known` or documented scopes, or None if it is."""
    try:
        names = scope_list(text)
    except ValueError as error:
        return str(error)
    return _describe_unknown(name for name in names if name not in known) if names else "at least one scope is needed"


def warn_of_unknown_scopes(names: Iterable[str]) -> None:
    """Warns of scopes that are not documented; they are requested all the same, since Withings may add some."""
    # A mistyped one ends in an error page at Withings, which does not lead back here.
    why = _describe_unknown(names)
    if why is not None:
        tell(f"{PROGRAM}: warning: {why}")


def _describe_unknown(names: Iterable[str]) -> str | None:
    unknown = [f"“{printable(name, limit=60)}”" for name in names if name not in ALL_SCOPES]
    return f"Withings has no scope {' or '.join(unknown)}; it has {', '.join(ALL_SCOPES)}" if unknown else None


def confirm(question: str) -> bool:
    """Returns whether the user said yes; an empty line and the end of the input mean no."""
    return confirm_or_take_client_id(question)[0]


def confirm_or_take_client_id(question: str) -> tuple[bool, str | None]:
    """Returns what `confirm` does, and a client id if that was pasted instead of an answer."""
    try:
        text = _read_answer(f"{question} [y/N] ").strip()
    except ConfigurationError:
        return False, None
    pasted = text if len(text) >= SHORTEST_PASTED_ID and is_client_id(text) else None
    return text.lower() in {"y", "yes"}, pasted


def _read_answer(prompt: str, *, hidden: bool = False) -> str:
    try:
        with waking_for_signals():
            if hidden:
                import getpass  # here, because most commands ask for no secret

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
