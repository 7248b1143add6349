"""The sandbox's own time: the real time, plus every advance."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Unix seconds that pass as they really do, and can be moved forward but never back."""

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        self._now = now if now is not None else time.time
        self.offset_seconds = 0.0

    def now(self) -> float:
        """Returns the sandbox's time in Unix seconds."""
        return self._now() + self.offset_seconds

    def advance(self, seconds: float) -> None:
        """Moves the clock forward."""
        if not math.isfinite(seconds) or seconds < 0:
            raise ValueError(f"the clock can only be advanced by seconds, not by {seconds!r}")
        self.offset_seconds += seconds
