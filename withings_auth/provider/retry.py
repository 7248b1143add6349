"""Withings refuses the same request twice within ten seconds (status 601), before it acts: that is waited out once.

So two commands in a row do not fail where nothing is wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from withings_auth.errors import ProviderUnavailable
from withings_auth.provider.statuses import TOO_MANY_REQUESTS

T = TypeVar("T")

GUARD_SECONDS = 11.0  # where Withings does not say how long
LONGEST_WAIT_SECONDS = 12.0


def past_the_guard(ask: Callable[[], T], *, wait: Callable[[float], None] = time.sleep) -> T:
    """Returns what `ask` returns, asked once more where Withings says that it was too soon. Raises what `ask` raises.

    A wait that is longer than the guard is for the caller to decide.
    """
    try:
        return ask()
    except ProviderUnavailable as refused:
        seconds = GUARD_SECONDS if refused.retry_after is None else refused.retry_after
        if refused.status != TOO_MANY_REQUESTS or seconds > LONGEST_WAIT_SECONDS:
            raise
    wait(seconds)
    return ask()
