"""What Withings' services answer when they refuse.

Refusals travel as HTTP 200 with an envelope. The numbers and texts are those that Withings documents or that users
have quoted; a 503 is a bad parameter, not an outage, and only its text tells the causes apart.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Hashable
from dataclasses import dataclass

from .state import Clock

SAME_ARGUMENTS_SECONDS = 10
REQUESTS_PER_MINUTE = 120


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status and its text."""

    status: int
    text: str


INVALID_CODE = Refusal(503, "Invalid Params: invalid code")
INVALID_REFRESH_TOKEN = Refusal(503, "Invalid Params: invalid refresh_token")
INVALID_CLIENT = Refusal(503, "Invalid Params: invalid client id/secret")
WRONG_REDIRECT_URI = Refusal(293, "Wrong redirect_uri - Please use same redirect_uri than for authorize")
SAME_ARGUMENTS = Refusal(601, "Same arguments in less than 10 seconds")
TOO_MANY_REQUESTS = Refusal(601, "Too Many Request")
WRONG_ACTION = Refusal(2554, "Wrong action or wrong webservice")
NOT_IMPLEMENTED = Refusal(2554, "Not implemented")
WRONG_SIGNATURE = Refusal(342, "The signature (using Oauth) is invalid")
WRONG_NONCE = Refusal(343, "Invalid Params: invalid nonce")
UNKNOWN_USERID = Refusal(353, "Unknown userid")
DEAD_ACCESS_TOKEN = Refusal(401, "XRequestID: Not provided invalid_token: The access token provided is invalid")

# As a user of a data service has reported it; the number is in no documented family.
MISSING_SCOPE = Refusal(
    403,
    "XRequestID: [Not provided] - Insufficient_scope: The request requires higher privileges than provided by the"
    " access token",
)
# Withings' list of statuses has 214 in the family "unauthorized". Which status of that family it sends to a free app at
# a service for partners is not documented; a client has to go by the family.
PARTNERS_ONLY = Refusal(214, "Unauthorized: this service is not open to your application")


def invalid_parameter(name: str) -> Refusal:
    """Returns the refusal of a parameter that is missing or malformed, worded like the other 503s."""
    return Refusal(503, f"Invalid Params: invalid {name}")


class RefusedError(Exception):
    """A service refuses a request."""

    def __init__(self, refusal: Refusal, *, wait_seconds: int | None = None) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal
        self.wait_seconds = wait_seconds


class Limits:
    """How often a client may ask: not the same within ten seconds, and 120 times a minute.

    Both refusals come before anything happens: no code is spent, no token rotated, no nonce used up.
    """

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
