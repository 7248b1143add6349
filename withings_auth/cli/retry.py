"""Trying again, for as long as somebody has said: only what trying again can help, and never without an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from withings_auth.errors import WithingsAuthError

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0


def patiently(
    ask: Callable[[], T],
    *,
    limit_seconds: float,
    tell: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
    steady: Callable[[], float] = time.monotonic,
) -> T:
    """Returns what `ask` returns, asking again after each temporary failure until the limit is over.

    The pauses grow, and are never shorter than the failure says; the last try is made at the limit. `tell` hears what
    the first failure says. Raises the last one, and at once one that is not temporary, or whose own time lies beyond.
    """
    give_up_at = steady() + limit_seconds
    pause = FIRST_PAUSE_SECONDS
    told = False
    while True:
        try:
            return ask()
        except WithingsAuthError as error:
            left, said = give_up_at - steady(), error.retry_after or 0
            if not error.temporary or left <= 0 or said > left:
                raise
            failure = str(error)
        # The error is gone from here on: where its traceback is taken down, a Ctrl-C can be swallowed.
        if not told:
            tell(failure)
        told = True
        sleep(min(max(pause, said), left))
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
