"""How often a client may ask: not the same within ten seconds, and 120 times a minute.

Both refusals come before anything happens: no code is spent, no token rotated, no nonce used up.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from .refusals import SAME_ARGUMENTS, TOO_MANY_REQUESTS, RefusedError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from .clock import Clock

SAME_ARGUMENTS_SECONDS = 10
REQUESTS_PER_MINUTE = 120


class Limits:
    """The two limits, by the sandbox's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_asked: dict[Hashable, float] = {}
        self._asked: defaultdict[str, deque[float]] = defaultdict(deque)

    def refuse_same_arguments(self, arguments: Hashable) -> None:
        """Raises 601 if the same was asked less than ten seconds ago, and was not refused with 601 itself."""
        now = self._clock.now()
        recent = {one: at for one, at in self._last_asked.items() if now - at < SAME_ARGUMENTS_SECONDS}
        if arguments in recent:
            seconds_left = SAME_ARGUMENTS_SECONDS - (now - recent[arguments])
            raise RefusedError(SAME_ARGUMENTS, wait_seconds=math.ceil(seconds_left))
        self._last_asked = {**recent, arguments: now}

    def refuse_too_many(self, client_id: str) -> None:
        """Raises 601 at an app's 121st request within a minute."""
        now = self._clock.now()
        asked = self._asked[client_id]
        while asked and now - asked[0] >= 60:
            asked.popleft()
        if len(asked) >= REQUESTS_PER_MINUTE:
            raise RefusedError(TOO_MANY_REQUESTS, wait_seconds=math.ceil(60 - (now - asked[0])))
        asked.append(now)
