"""Trying again for a limited time, and only after failures that are temporary."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from withings_auth.errors import WithingsAuthError

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0


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
            left, minimum = give_up_at - steady(), error.retry_after or 0
            if not error.temporary or left <= 0 or minimum > left:
                raise
            message = str(error)
        # The error is gone from here on: while its traceback is torn down, a Ctrl-C can be swallowed.
        if not told:
            tell(message)
        told = True
        sleep(min(max(pause, minimum), left))
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
