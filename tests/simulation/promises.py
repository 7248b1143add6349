"""What must hold in every simulation, checked as it runs; `BrokenPromiseError` says which promise was broken.

Nothing here relies on the code of the transaction, except that it reads the notes with `Journal`, as `status` does.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tests.simulation.processes import Sent, TokenRequest
from tests.simulation.schedule import ANOTHER_USER
from withings_auth.errors import (
    LockBusy,
    LockLost,
    LoginRequired,
    ProviderError,
    ProviderUnavailable,
    StoreNotDurable,
    WithingsAuthError,
)
from withings_auth.model import Grant
from withings_auth.provider.replies import Answer, Outcome
from withings_auth.tokens.journal import Journal
from withings_auth.wording import local_time

if TYPE_CHECKING:
    from tests.simulation.engine import Simulation

GUARD_SECONDS = 10.0
GRACE_SECONDS = 8 * 3600.0
JUST_RENEWED_SECONDS = 60.0
LOCK_PATIENCE_SECONDS = 120.0
MOST_REQUESTS = 3  # one lost, one that must wait, and the repetition
LONGEST_WAIT_SECONDS = 2 * (3 * 11 + 12.0)  # twice, if a renewal returns tokens that have expired
_DEADLINE = re.compile(r"before (\d{4}-\d\d-\d\d \d\d:\d\d)")


class BrokenPromiseError(AssertionError):
    """A promise was broken."""


class Promises:
    """Watches one simulation."""

    longest_wait_seconds = LONGEST_WAIT_SECONDS

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.stored: Grant | None = None
        self._durable: set[str] = set()
        self._sent: dict[str, Sent] = {}
        self._unheard: dict[str, tuple[float, int]] = {}
        self._again: set[str] = set()
        self._ended: set[str] = set()
        self._first_noted: dict[str, tuple[int, float]] = {}
        self._refusals_noted: set[str] = set()
        self._after_rejection: set[str] = set()

    def login_saved(self, grant: Grant | None) -> None:
        """A login or a logout has changed what is stored, which is allowed."""
        self.stored = grant
        if grant is not None:
            self._durable.add(grant.access_token)

    def tries_the_lock(self, ask: TokenRequest | None) -> None:
        """Nobody waits for a lock after two minutes, or for one that it no longer needs."""
        if ask is None:
            return
        if self._simulation.steady - ask.began > LOCK_PATIENCE_SECONDS:
            raise BrokenPromiseError("a process waits for the lock without end")
        undisturbed = set(ask.trouble) <= {"busy"} and not self._simulation.jumps
        if ask.waits and undisturbed and self.stored is not None and self._is_good(self.stored, ask):
            raise BrokenPromiseError("a process waits for the lock although the token that it needs is saved")
        ask.waits = True

    def request(self, ask: TokenRequest, refresh_token: str) -> None:
        """A refresh is about to reach Withings: it must be the only one, necessary, due, and with the stored token."""
        simulation, stored = self._simulation, self.stored
        if self.in_flight(ask) > 1:
            raise BrokenPromiseError("two refreshes are in flight")
        if ask.requests > MOST_REQUESTS:
            raise BrokenPromiseError("a process sends the same refresh token again and again")
        if (stored is None or stored.refresh_token != refresh_token) and not ask.overtaken:
            raise BrokenPromiseError("a refresh token is sent that is not the stored one")
        if stored is not None and not ask.overtaken:
            self._is_necessary(ask, stored)
        if refresh_token in self._refusals_noted:
            raise BrokenPromiseError("a refresh token is sent that was definitely refused before")
        if simulation.now < ask.not_before:
            raise BrokenPromiseError("a request is sent before the wait is over that a 601 asked for")
        self._note_arrival(ask)
        earlier = self._sent.get(refresh_token)
        if earlier is not None and simulation.now - earlier.at < GUARD_SECONDS and earlier.jumps == simulation.jumps:
            raise BrokenPromiseError(f"a refresh token is sent again after {simulation.now - earlier.at:g} seconds")
        at = simulation.now if ask.noted_at is None else ask.noted_at
        ask.sent = self._sent[refresh_token] = Sent(at, simulation.now, ask.jumps_before)
        ask.noted_at = None
        if not simulation.service.is_alive(refresh_token):
            ask.refused = True
            self._login_ended(refresh_token)

    def in_flight(self, _: TokenRequest) -> int:
        """How many requests are under way."""
        return sum(process.in_flight for process in self._simulation.processes)

    def _is_necessary(self, ask: TokenRequest, stored: Grant) -> None:
        simulation = self._simulation
        age = simulation.wall - stored.obtained_at
        undisturbed = not ask.trouble and not simulation.jumps  # a clock that was set back can make a token young again
        if 0 <= age < JUST_RENEWED_SECONDS and self._replaces_a_rejected_one(stored, ask) and undisturbed:
            raise BrokenPromiseError("a token that replaced a rejected one is renewed within a minute")
        if self._is_good(stored, ask) and undisturbed:
            raise BrokenPromiseError("a token is renewed that was good enough")

    def heard(self, ask: TokenRequest | None, outcome: Outcome) -> None:
        """An answer has arrived: one that asks for a wait, or one that refuses a login that is no longer stored."""
        assert ask is not None
        if isinstance(outcome, Answer) and b'"wait_seconds"' in outcome.body:
            ask.not_before = self._simulation.now + json.loads(outcome.body)["body"]["wait_seconds"]
        stored = self.stored
        ask.replaced = stored is not None and stored.refresh_token != ask.sends

    def noted(self, ask: TokenRequest, text: str | None) -> None:
        """Notes were written: when a request leaves, and later what is known about the previous one."""
        self._note_arrival(ask)
        ask.noted_at = ask.looked_at
        notes = json.loads(text or "{}")
        if notes.get("unknown_since") is None:
            self._first_noted = {}
        else:
            self._first_noted = {notes["digest"]: self._first_noted.get(notes["digest"], ask.clock)}
        if ask.ended is not None:
            self._refusals_noted.add(ask.ended)
        if ask.unnoted is not None:
            self._after_rejection.add(ask.unnoted)
            ask.unnoted = None

    def _note_arrival(self, ask: TokenRequest) -> None:
        """A process that was killed can only have noted when its request left; one that lives knows when it arrived."""
        if ask.sent is not None:
            ask.sent.at, ask.sent = ask.sent.arrived_at, None

    def _login_ended(self, refresh_token: str) -> None:
        """Withings ends a login only if the user did, or eight hours after a renewal whose answer nobody got."""
        simulation = self._simulation
        known = refresh_token in self._ended
        self._ended.add(refresh_token)
        if refresh_token in simulation.service.ended_elsewhere:
            return
        if refresh_token in simulation.service.ended_by_user:
            simulation.counts["logins that the user ended"] += not known
            return
        traded_at = simulation.service.traded_at.get(refresh_token)
        if traded_at is None or simulation.now < traded_at + GRACE_SECONDS:
            raise BrokenPromiseError("the stored login is dead, although no rule of Withings requires that")
        self.deadline_is_noted()
        simulation.counts["logins lost by Withings' rules"] += not known

    def renewed(self, ask: TokenRequest, refresh_token: str) -> None:
        """Withings has renewed, and nobody has the answer yet."""
        if refresh_token in self._unheard:
            self._again.add(refresh_token)
        self._unheard.setdefault(refresh_token, (self._simulation.now, ask.jumps_before))

    def answered(self, ask: TokenRequest, refresh_token: str) -> None:
        """Withings has acted; if the process does not hear that it succeeded, it must tell the user the deadline."""
        ask.unheard = refresh_token if refresh_token in self._unheard else None

    def deadline_is_noted(self) -> None:
        """The notes say until when an unheard renewal can be repeated, so that `status` can tell."""
        stored = self.stored
        if stored is None or stored.refresh_token not in self._unheard:
            return
        deadline = Journal(self._simulation.machine_notes, stored).deadline
        if deadline is None:
            raise BrokenPromiseError("Withings has renewed, nobody got the answer, and no deadline is noted")
        for jumps, noted_at in self._first_noted.values():
            if jumps == self._simulation.jumps and deadline < noted_at + GRACE_SECONDS - 1:
                raise BrokenPromiseError(f"the noted deadline is {noted_at + GRACE_SECONDS - deadline:g} s too early")
        traded_at, jumps = self._unheard[stored.refresh_token]
        if jumps == self._simulation.jumps and deadline > traded_at + GRACE_SECONDS + self._simulation.offset:
            raise BrokenPromiseError(f"the noted deadline is {deadline - traded_at - GRACE_SECONDS:g} s too late")

    def saved(self, ask: TokenRequest, grant: Grant) -> None:
        """A renewal replaces a login only with its successor, and counts its life from before the request."""
        stored, service = self.stored, self._simulation.service
        if stored is None:
            raise BrokenPromiseError("a renewal restores a login that the user has removed")
        successors = service.successors.get(stored.refresh_token, {})
        if grant.access_token != successors.get(grant.refresh_token):
            raise BrokenPromiseError("a login is replaced with something else than its successor")
        if (grant.userid, grant.client_id, grant.token_url) != (stored.userid, stored.client_id, stored.token_url):
            raise BrokenPromiseError("a renewal changes whose login it is")
        # A pair that is returned a second time may have expired by now.
        dies_at = max(service.access_dies_at[grant.access_token], self._simulation.now) + self._simulation.offset
        if ask.jumps_before == self._simulation.jumps and grant.expires_at > dies_at + 1:
            raise BrokenPromiseError(f"the token is expected to live {grant.expires_at - dies_at:g} seconds too long")
        self._simulation.counts["renewals saved"] += 1
        self._simulation.counts["unheard renewals repeated"] += stored.refresh_token in self._again
        self._simulation.counts["renewals after a 601"] += ask.told_to_wait
        ask.unnoted = grant.access_token if stored.access_token == ask.rejected else None
        self.stored = grant
        self._durable.add(grant.access_token)
        ask.saved = grant.access_token

    def returned(self, ask: TokenRequest, grant: Grant) -> None:
        """A token that is returned is stored, not the refused one, and lives as long as was asked."""
        if grant.access_token not in self._durable:
            raise BrokenPromiseError("a token is returned that is not stored")
        if grant.access_token == ask.rejected:
            raise BrokenPromiseError("the refused token is returned")
        if ask.unnoted is not None and not ask.trouble:
            raise BrokenPromiseError("nothing notes that a token replaced a rejected one")
        if not grant.obtained_at <= self._simulation.wall < grant.expires_at:
            raise BrokenPromiseError("an expired token is returned")
        if not self._is_good(grant, ask) and not ask.excused:
            raise BrokenPromiseError("a token is returned that does not live as long as was asked")
        self._simulation.counts["stored tokens returned after a failed renewal"] += (
            bool(ask.requests) and grant.access_token != ask.saved
        )
        self._waited_not_too_long(ask)

    def failed(self, ask: TokenRequest, error: WithingsAuthError) -> None:
        """An error has a reason, says that the login ended only if it did, and names the deadline if there is one."""
        self._waited_not_too_long(ask)
        stored = self.stored
        if isinstance(error, LoginRequired):
            if not (ask.nobody_logged_in or ask.refused or ask.read in self._ended):
                raise BrokenPromiseError("the user is told to log in although the login is alive")
            if ask.replaced and stored is not None and self._is_good(stored, ask) and self._works(stored):
                raise BrokenPromiseError("the user is told to log in although another program has saved a newer login")
            return
        can_go_on = stored is not None and self._tolerates(stored, ask) and self.knows_stored(ask, stored)
        if isinstance(error, ProviderUnavailable | LockBusy | LockLost) and can_go_on:
            raise BrokenPromiseError(f"it fails although the stored token still lives: {type(error).__name__}")
        if not ask.excused and not self._is_futile(ask, error):
            raise BrokenPromiseError(f"it fails although it could recover: {type(error).__name__}: {error}")
        self.deadline_is_noted()
        # After tokens of another user, nobody knows whose login has been renewed: the user logs in again.
        tells = isinstance(error, ProviderError | StoreNotDurable) or (isinstance(error, LockLost) and ask.save_lost)
        tells = tells and ANOTHER_USER not in ask.trouble
        if tells and stored is not None and stored.refresh_token == ask.unheard:
            self._deadline_told(f"{error} {error.hint}", *self._unheard[stored.refresh_token])

    def knows_stored(self, ask: TokenRequest, stored: Grant) -> bool:  # noqa: ARG002  a server can be lost
        """Whether the process can tell what is stored."""
        return True

    def _deadline_told(self, message: str, traded_at: float, jumps: int) -> None:
        found = _DEADLINE.search(message)
        if found is None:
            raise BrokenPromiseError(f"Withings has renewed, nobody got the answer, and no deadline is told: {message}")
        self._simulation.counts["deadlines told"] += 1
        latest = local_time(traded_at + GRACE_SECONDS + self._simulation.offset)
        if jumps == self._simulation.jumps and found[1] > latest:
            raise BrokenPromiseError(f"the deadline that is told, {found[1]}, is later than {latest}")

    def _is_good(self, grant: Grant, ask: TokenRequest) -> bool:
        left, age = grant.expires_at - self._simulation.wall, self._simulation.wall - grant.obtained_at
        lives = age >= 0 and left > 0 and (left >= ask.min_valid or age < JUST_RENEWED_SECONDS)
        return lives and grant.access_token != ask.rejected

    def _tolerates(self, grant: Grant, ask: TokenRequest) -> bool:
        lives = grant.obtained_at <= self._simulation.wall < grant.expires_at
        return lives and grant.access_token != ask.rejected

    def _works(self, grant: Grant) -> bool:
        return self._simulation.service.is_alive(grant.refresh_token)

    def _is_futile(self, ask: TokenRequest, error: WithingsAuthError) -> bool:
        stored = self.stored
        return (
            isinstance(error, ProviderUnavailable)
            and stored is not None
            and self._replaces_a_rejected_one(stored, ask)
            and 0 <= self._simulation.wall - stored.obtained_at < JUST_RENEWED_SECONDS
        )

    def _replaces_a_rejected_one(self, stored: Grant, ask: TokenRequest) -> bool:
        return stored.access_token == ask.rejected and stored.access_token in self._after_rejection

    def _waited_not_too_long(self, ask: TokenRequest) -> None:
        if ask.waited_seconds > self.longest_wait_seconds:
            raise BrokenPromiseError(f"a process waits for {ask.waited_seconds:g} seconds")
