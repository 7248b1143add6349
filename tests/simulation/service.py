"""The simulated Withings: the sandbox's rules and answers without a socket, on true time.

A request arrives before its time limit or never. One that is carried out long after that could end a pair that was
issued meanwhile, and no client can prevent that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from urllib.parse import urlencode

from tests.simulation.schedule import ANOTHER_USER, AnswerFault
from withings_auth.model import App, Grant
from withings_auth.provider.forms import refresh_form
from withings_auth.provider.replies import Answer, AnswerLost, NotSent, Outcome, retry_after_seconds
from withings_auth.sandbox.http import HttpRequest
from withings_auth.sandbox.refusals import RefusedError
from withings_auth.sandbox.state import PEOPLE, SCOPES, TOKEN_LIFE_SECONDS, Clock, State
from withings_auth.sandbox.switches import Switches
from withings_auth.sandbox.withings import Withings

ORIGIN = "http://127.0.0.1:8765"
TOKEN_URL = f"{ORIGIN}/v2/oauth2"
APP = App(client_id="a" * 64, client_secret="b" * 64)
_HEADERS = {"host": "127.0.0.1:8765", "content-type": "application/x-www-form-urlencoded"}
TIME_LIMIT_SECONDS = 20.0


class Service:
    """Withings, and the truth about the tokens that it has issued."""

    def __init__(self, now: Callable[[], float], switches: Switches) -> None:
        numbers = count(1)
        state = State(
            client_id=APP.client_id,
            client_secret=APP.client_secret,
            redirect_uris=(APP.redirect_uri,),
            clock=Clock(now),
            switches=switches,
            random_hex=lambda size: f"{next(numbers):0{2 * size}d}",
        )
        self.withings = Withings(state)
        self._now = now
        self.successors: dict[str, dict[str, str]] = {}
        """For each refresh token: the refresh tokens that replaced it, each with its access token."""
        self.traded_at: dict[str, float] = {}
        """For each refresh token: when it was first traded."""
        self.access_dies_at: dict[str, float] = {}
        self.ended_by_user: set[str] = set()
        self.ended_elsewhere: set[str] = set()
        """Refresh tokens that a program without a lock has traded, and ended by using the new access token."""

    def log_in(self) -> tuple[str, str]:
        """The user grants access; returns the access token and the refresh token."""
        if self.withings.state.switches.second_consent != "kills_nothing":
            self.revoke()
        pair = self.withings.ledger.issue(PEOPLE[0].userid, tuple(SCOPES))
        self.access_dies_at[pair.access_token] = pair.access_dies_at
        return pair.access_token, pair.refresh_token

    def revoke(self) -> None:
        """The user ends all access."""
        self.ended_by_user.update(self.withings.ledger.live_refresh_tokens())
        self.withings.ledger.revoke_person()

    def renew_elsewhere(self, grant: Grant) -> tuple[str, str] | None:
        """Renews, and ends the old pair by using the new one; returns the new access token and refresh token.

        None if the refresh token is dead, or another program has traded it: then that one's answer would be worthless.
        """
        if grant.refresh_token in self.traded_at or not self.is_alive(grant.refresh_token):
            return None
        _, _, renewed = self.trade(refresh_form(grant, APP.client_secret), None)
        if not renewed:
            return None
        ((refresh_token, access_token),) = self.successors[grant.refresh_token].items()
        self.ended_elsewhere.add(grant.refresh_token)
        assert self.takes(access_token)
        return access_token, refresh_token

    def is_alive(self, refresh_token: str) -> bool:
        """Whether a refresh with it would succeed now."""
        return refresh_token in self.withings.ledger.live_refresh_tokens()

    def takes(self, access_token: str) -> bool:
        """Uses the access token for a call; returns whether it was accepted."""
        try:
            self.withings.ledger.use(access_token)
        except RefusedError:
            return False
        return True

    def trade(self, form: Mapping[str, str], fault: AnswerFault | None) -> tuple[Outcome, float, bool]:
        """Answers a refresh: what the client sees, after how many seconds, and whether tokens were issued."""
        if fault is not None:
            if fault.kind == "not_sent":
                return NotSent(why="Connection refused"), 0.0, False
            if fault.kind != ANOTHER_USER:
                self.withings.faults.order(fault.kind, **fault.details)
        refreshes = self.withings.state.counters.refreshes
        before = self.withings.ledger.live_refresh_tokens()
        request = HttpRequest(
            method="POST", path="/v2/oauth2", origin=ORIGIN, body=urlencode(form).encode(), headers=_HEADERS
        )
        reply = self.withings.answer(request)
        renewed = self.withings.state.counters.refreshes > refreshes
        if renewed:
            self._note_successor(form["refresh_token"], before)
        if reply.delay_seconds > TIME_LIMIT_SECONDS:
            return AnswerLost(why="no answer in time"), TIME_LIMIT_SECONDS, renewed
        if reply.delivery != "whole":
            return AnswerLost(why="the connection was closed"), 0.0, renewed
        body = reply.body
        if fault is not None and fault.kind == ANOTHER_USER:
            body = body.replace(str(PEOPLE[0].userid).encode(), str(PEOPLE[1].userid).encode())
        answer = Answer(http_status=reply.http_status, body=body, retry_after=retry_after_seconds(reply.headers))
        return answer, reply.delay_seconds, renewed

    def _note_successor(self, refresh_token: str, before: tuple[str, ...]) -> None:
        known = self.successors.setdefault(refresh_token, {})
        self.traded_at.setdefault(refresh_token, self._now())
        ledger = self.withings.ledger
        issued = [one for one in ledger.live_refresh_tokens() if one not in before]
        if issued:
            access_token = ledger.live_access_tokens()[-1]
            known[issued[0]] = access_token
            self.access_dies_at[access_token] = self._now() + TOKEN_LIFE_SECONDS
