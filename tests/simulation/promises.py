"""What must hold in every play, checked as it goes on; `BrokenError` says which promise was not kept.

Nothing here asks the transaction's own code whether all is well, except for the notes, which are read as a person
would read them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.simulation.processes import Ask, Sent
from withings_auth.errors import (
    LoginRequired,
    ProviderError,
    ProviderUnavailable,
    StoreNotDurable,
    WithingsAuthError,
)
from withings_auth.model import Grant
from withings_auth.tokens.journal import Journal
from withings_auth.wording import local_time

if TYPE_CHECKING:
    from tests.simulation.play import Play

GUARD_SECONDS = 10.0
GRACE_SECONDS = 8 * 3600.0
JUST_RENEWED_SECONDS = 60.0
LOCK_PATIENCE_SECONDS = 120.0
MOST_REQUESTS = 3  # lost, refused for now, asked again
LONGEST_WAIT_SECONDS = 2 * (3 * 11 + 12.0)  # twice, where a renewal brings tokens without life
_DEADLINE = re.compile(r"before (\d{4}-\d\d-\d\d \d\d:\d\d)")


class BrokenError(AssertionError):
    """A promise that was not kept."""


class Promises:
    """Watches one play."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self.stored: Grant | None = None
        self._durable: set[str] = set()
        self._sent: dict[str, Sent] = {}
        self._unheard: dict[str, tuple[float, int]] = {}
        self._again: set[str] = set()
        self._ended: set[str] = set()

    def login_saved(self, grant: Grant | None) -> None:
        """A login or a logout has changed what is stored, as it may."""
        self.stored = grant
        if grant is not None:
            self._durable.add(grant.access_token)

    def tries_the_lock(self, ask: Ask | None) -> None:
        """Nobody goes on waiting for a lock when two minutes are over."""
        if ask is not None and self._play.steady - ask.began > LOCK_PATIENCE_SECONDS:
            raise BrokenError("one who asks for a token waits for the lock without end")

    def request(self, ask: Ask, refresh_token: str) -> None:
        """A refresh is about to reach Withings: it is the only one, due, wanted, and with the stored token."""
        play, stored = self._play, self.stored
        if sum(process.in_flight for process in play.processes) > 1:
            raise BrokenError("two refreshes are in flight")
        if ask.requests > MOST_REQUESTS:
            raise BrokenError("one who asks for a token sends the same refresh token again and again")
        if stored is None or stored.refresh_token != refresh_token:
            raise BrokenError("a refresh token is sent that is not the stored one")
        age = play.wall - stored.obtained_at
        well = not ask.trouble and not play.jumps  # a clock that was set back can make a token young again
        if 0 <= age < JUST_RENEWED_SECONDS and stored.access_token == ask.rejected and well:
            raise BrokenError("a token is renewed that is not a minute old")
        if self._is_good(stored, ask) and well:
            raise BrokenError("a token is renewed that would have done")
        self._hear_of_the_last(ask)
        earlier = self._sent.get(refresh_token)
        if earlier is not None and play.true - earlier.at < GUARD_SECONDS and earlier.jumps == play.jumps:
            raise BrokenError(f"a refresh token is sent again after {play.true - earlier.at:g} seconds")
        at = play.true if ask.noted_at is None else ask.noted_at
        ask.sent = self._sent[refresh_token] = Sent(at, play.true, ask.jumps_before)
        ask.noted_at = None
        if not play.service.is_alive(refresh_token):
            ask.refused = True
            self._login_ended(refresh_token)

    def noted(self, ask: Ask) -> None:
        """Something was noted: when a request leaves, and later what is known of the one before."""
        self._hear_of_the_last(ask)
        ask.noted_at = ask.looked_at

    def _hear_of_the_last(self, ask: Ask) -> None:
        """Who was killed on the way can only have noted when the request left; who lives on knows that it arrived."""
        if ask.sent is not None:
            ask.sent.at, ask.sent = ask.sent.arrived_at, None

    def _login_ended(self, refresh_token: str) -> None:
        """Withings ends a login where a person did, or eight hours after a renewal of which nobody heard."""
        play = self._play
        known = refresh_token in self._ended
        self._ended.add(refresh_token)
        if refresh_token in play.service.ended_by_person:
            play.tally["logins that a person ended"] += not known
            return
        traded_at = play.service.traded_at.get(refresh_token)
        if traded_at is None or play.true < traded_at + GRACE_SECONDS:
            raise BrokenError("the stored login is dead, and no rule of Withings forced that")
        self.deadline_stands()
        play.tally["logins lost by Withings' rules"] += not known

    def renewed(self, ask: Ask, refresh_token: str) -> None:
        """Withings has renewed, and nobody has heard of it yet."""
        if refresh_token in self._unheard:
            self._again.add(refresh_token)
        self._unheard.setdefault(refresh_token, (self._play.true, ask.jumps_before))

    def answered(self, ask: Ask, refresh_token: str) -> None:
        """Withings has done what it does; if the process hears of no success, it owes its user the deadline."""
        ask.unheard = refresh_token if refresh_token in self._unheard else None

    def deadline_stands(self) -> None:
        """Until when an unheard renewal can be repeated stands beside the lock, where `status` finds it."""
        stored = self.stored
        if stored is None or stored.refresh_token not in self._unheard:
            return
        deadline = Journal(self._play.machine_notes, stored).deadline
        if deadline is None:
            raise BrokenError("Withings has renewed, nobody heard of it, and no deadline is noted")
        traded_at, jumps = self._unheard[stored.refresh_token]
        if jumps == self._play.jumps and deadline > traded_at + GRACE_SECONDS + self._play.offset:
            raise BrokenError(f"the deadline that is noted comes {deadline - traded_at - GRACE_SECONDS:g} s too late")

    def saved(self, ask: Ask, grant: Grant) -> None:
        """A renewal replaces a login by its successor only, and counts its life from before the request."""
        stored, service = self.stored, self._play.service
        if stored is None:
            raise BrokenError("a renewal brings a login back that a person has removed")
        successors = service.successors.get(stored.refresh_token, {})
        if grant.access_token != successors.get(grant.refresh_token):
            raise BrokenError("what is stored is replaced by something else than its successor")
        if (grant.userid, grant.client_id, grant.token_url) != (stored.userid, stored.client_id, stored.token_url):
            raise BrokenError("a renewal changes whose login it is")
        # A pair that comes a second time may be dead by now; it is granted no life then.
        dies_at = max(service.access_dies_at[grant.access_token], self._play.true) + self._play.offset
        if ask.jumps_before == self._play.jumps and grant.expires_at > dies_at + 1:
            raise BrokenError(f"the token is taken to live {grant.expires_at - dies_at:g} seconds too long")
        self._play.tally["renewals saved"] += 1
        self._play.tally["unheard renewals made good"] += stored.refresh_token in self._again
        self._play.tally["renewals after a 601"] += ask.told_to_wait
        self.stored = grant
        self._durable.add(grant.access_token)
        ask.saved = grant.access_token

    def handed_out(self, ask: Ask, grant: Grant) -> None:
        """A token that is handed out is durable, not the refused one, and has the life that was asked for."""
        if grant.access_token not in self._durable:
            raise BrokenError("a token is handed out that is not stored")
        if grant.access_token == ask.rejected:
            raise BrokenError("the token is handed out that was reported as refused")
        if not grant.obtained_at <= self._play.wall < grant.expires_at:
            raise BrokenError("a token is handed out that has no life")
        if not self._is_good(grant, ask) and not ask.excused:
            raise BrokenError("a token is handed out that does not live as long as was asked")
        self._play.tally["stored tokens that had to do"] += bool(ask.requests) and grant.access_token != ask.saved
        self._bounded(ask)

    def failed(self, ask: Ask, error: WithingsAuthError) -> None:
        """An error has a reason; it ends the login only where Withings has, and tells the deadline if there is one."""
        self._bounded(ask)
        if isinstance(error, LoginRequired):
            if not (ask.nobody_logged_in or ask.refused):
                raise BrokenError("somebody is told to log in though the login lives")
            return
        if not ask.excused and not self._is_futile(ask, error):
            raise BrokenError(f"nothing went wrong that cannot be mended, and yet: {type(error).__name__}: {error}")
        self.deadline_stands()
        stored = self.stored
        telling = isinstance(error, ProviderError | StoreNotDurable)
        if telling and stored is not None and stored.refresh_token == ask.unheard:
            self._deadline_told(f"{error} {error.hint}", *self._unheard[stored.refresh_token])

    def _deadline_told(self, message: str, traded_at: float, jumps: int) -> None:
        found = _DEADLINE.search(message)
        if found is None:
            raise BrokenError(f"Withings has renewed, nobody heard of it, and no deadline is told: {message}")
        self._play.tally["deadlines told"] += 1
        latest = local_time(traded_at + GRACE_SECONDS + self._play.offset)
        if jumps == self._play.jumps and found[1] > latest:
            raise BrokenError(f"the deadline that is told, {found[1]}, comes after {latest}")

    def _is_good(self, grant: Grant, ask: Ask) -> bool:
        left, age = grant.expires_at - self._play.wall, self._play.wall - grant.obtained_at
        lives = age >= 0 and left > 0 and (left >= ask.min_valid or age < JUST_RENEWED_SECONDS)
        return lives and grant.access_token != ask.rejected

    def _is_futile(self, ask: Ask, error: WithingsAuthError) -> bool:
        stored = self.stored
        return (
            isinstance(error, ProviderUnavailable)
            and stored is not None
            and stored.access_token == ask.rejected
            and 0 <= self._play.wall - stored.obtained_at < JUST_RENEWED_SECONDS
        )

    def _bounded(self, ask: Ask) -> None:
        if ask.waited_seconds > LONGEST_WAIT_SECONDS:
            raise BrokenError(f"one who asks for a token waits for {ask.waited_seconds:g} seconds")
