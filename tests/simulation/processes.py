"""A simulated process: a greenlet that runs the real transaction and can be killed at each stop.

A killed process does nothing more: unwinding it has no effect, and the kernel releases its lock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from greenlet import greenlet  # type: ignore[import-untyped]  # it has no types

LOST = {"lost", "lost_before", "truncated", "slow"}
TOO_MANY = "too_many"


class KilledError(BaseException):
    """Unwinds a process that was killed."""


class AbandonedError(BaseException):
    """Nobody waits for the process any more; `source` raises the like."""


@dataclass(slots=True)
class Sent:
    """When a refresh token was sent, as precisely as the guard can know; and after how many jumps of the clock."""

    at: float
    arrived_at: float
    jumps: int


@dataclass(slots=True, kw_only=True)
class TokenRequest:
    """What a process has done, and what has happened to it, since it asked for a token.

    Refresh tokens: `sends` is the one sent last, `requests` times; the new tokens for `heard` have arrived; those for
    `unheard` were issued and may be lost; `ended` is refused for good, as Withings has answered; `read` is the one that
    was stored when it looked last. Access tokens: `saved` was stored, and so was `unnoted`, in place of a rejected one,
    which is not noted yet. `looked_at` is when it last looked at the clock, and `clock` how often that had been set by
    then, and what it said. A program without the lock has `overtaken` it; when the last answer came, the login in
    question was already `replaced`. `load_lost` and `save_lost`: the store's server was lost in its last load, or in a
    save; `read_under_lock` is the refresh token that it read under the lock.
    """

    min_valid: float
    rejected: str | None
    jumps_before: int
    began: float
    waited_seconds: float = 0.0
    sends: str | None = None
    requests: int = 0
    looked_at: float = 0.0
    clock: tuple[int, float] = 0, 0.0
    noted_at: float | None = None
    sent: Sent | None = None
    trouble: list[str] = field(default_factory=list)
    nobody_logged_in: bool = False
    refused: bool = False
    heard: str | None = None
    unheard: str | None = None
    told_to_wait: bool = False
    waits: bool = False
    not_before: float = 0.0
    overtaken: bool = False
    replaced: bool = False
    ended: str | None = None
    read: str | None = None
    saved: str | None = None
    unnoted: str | None = None
    load_lost: bool = False
    read_under_lock: str | None = None
    save_lost: bool = False

    @property
    def excused(self) -> bool:
        """Whether more has failed than one lost answer and one 601, from which a renewal recovers by itself."""
        lost, waits = sum(what in LOST for what in self.trouble), self.trouble.count(TOO_MANY)
        return lost > 1 or waits > 1 or lost + waits < len(self.trouble)


@dataclass(slots=True, kw_only=True, eq=False)
class Process:
    """One of the three. `held` is the token in its memory; a process that was killed starts again without one."""

    name: str
    held: str | None = None
    ask: TokenRequest | None = None
    running: greenlet = None
    wakes_at: float = 0.0
    waits_for_lock: bool = False
    in_flight: bool = False
    in_flight_since: float = 0.0
    abandoned: bool = False
    dead: bool = False

    def start(self, work: Callable[[], None]) -> None:
        """Prepares the work; the first switch to `running` runs it to its first stop."""
        self.dead = self.abandoned = self.in_flight = self.waits_for_lock = False
        self.wakes_at = 0.0
        self.running = greenlet(work)

    def kill(self) -> None:
        """Ends what is running at once."""
        self.dead = True
        if not self.running.dead:
            self.running.throw(KilledError)
        self.running = self.held = self.ask = None
        self.in_flight = False
