"""The sandbox's own time: the real one, plus what was asked to have passed."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Unix seconds that run like the real ones and can be moved forward, never back."""

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        self._now = now if now is not None else time.time
        self._offset_seconds = 0.0

    def now(self) -> float:
        """The present moment of the sandbox, in Unix seconds."""
        return self._now() + self._offset_seconds

    @property
    def offset_seconds(self) -> float:
        """How far the sandbox is ahead of the real time."""
        return self._offset_seconds

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        if not math.isfinite(seconds) or seconds < 0:
            raise ValueError(f"time can be advanced by a number of seconds, not by {seconds!r}")
        self._offset_seconds += seconds
