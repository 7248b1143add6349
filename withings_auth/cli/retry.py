"""What a command tries again, when and for how long."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TypeVar

from withings_auth.cli.ui.terminal import PROGRAM, is_terminal, tell
from withings_auth.errors import ConfigurationError, WithingsAuthError

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0


def refuse_endless_wait(seconds: float, example: str) -> None:
    """Raises `ConfigurationError` unless --wait is a number of seconds; `example` is a command that is right."""
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ConfigurationError("--wait must be a number of seconds", hint=f"{PROGRAM} {example}")


def keep_trying(ask: Callable[[], T], limit_seconds: float) -> T:
    """Does what `retry` does, and announces it on a terminal."""

    def announce(failure: str) -> None:
        if is_terminal():
            tell(f"Trying again for {limit_seconds:g} seconds (Ctrl-C stops): {failure}")

    return retry(ask, limit_seconds=limit_seconds, tell=announce)


def retry(
    ask: Callable[[], T],
    *,
    limit_seconds: float,
    tell: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
    steady: Callable[[], float] = time.monotonic,
) -> T:
    """Returns what `ask` returns; after each temporary failure, asks again until the limit is reached.

    The pauses grow, and are at least as long as the failure says; the last try is made at the limit. `tell` gets the
    message of the first failure. Raises the last failure, and at once one that is not temporary or must wait longer.
    """
    give_up_at = steady() + limit_seconds
    pause = FIRST_PAUSE_SECONDS
    told = False
    while True:
        try:
            return ask()
        except WithingsAuthError as error:
            left, minimum = give_up_at - steady(), _shortest_pause(error)
            if not error.temporary or left <= 0 or minimum > left:
                raise
            message = str(error)
        # The error is gone from here on: while its traceback is torn down, a Ctrl-C can be swallowed.
        if not told:
            tell(message)
        told = True
        sleep(min(max(pause, minimum), left))
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _shortest_pause(error: WithingsAuthError) -> float:
    """Returns how long trying again is useless; Withings does not always name the time of its repeat guard."""
    from withings_auth.provider.repeat_guard import seconds_to_wait  # here, because a valid token does not need it

    return seconds_to_wait(error)
