"""The repeat guard: Withings refuses the same request within ten seconds (status 601), before it acts on it.

Waiting that out once keeps two commands in a row from failing for no good reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from withings_auth.errors import ProviderError, ProviderUnavailable, WithingsAuthError
from withings_auth.provider.statuses import TOO_MANY_REQUESTS

T = TypeVar("T")

REPEAT_GUARD_SECONDS = 11.0  # one more than Withings', because requests take time to arrive
LONGEST_GUARD_WAIT_SECONDS = 12.0


def seconds_to_wait(error: WithingsAuthError) -> float:
    """Returns how long trying again is useless: as long as Withings says, or else while its guard lasts."""
    if error.retry_after is not None:
        return error.retry_after
    return REPEAT_GUARD_SECONDS if isinstance(error, ProviderError) and error.status == TOO_MANY_REQUESTS else 0.0


def ask_past_guard(ask: Callable[[], T], *, wait: Callable[[float], None] = time.sleep) -> T:
    """Returns what `ask` returns; asks once more if Withings says that it was too soon. Raises what `ask` raises.

    A wait longer than the guard's is for the caller to decide.
    """
    try:
        return ask()
    except ProviderUnavailable as refused:
        seconds = seconds_to_wait(refused)
        if refused.status != TOO_MANY_REQUESTS or seconds > LONGEST_GUARD_WAIT_SECONDS:
            raise
    wait(seconds)
    return ask()
