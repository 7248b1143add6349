"""What all services of the sandbox share: the registered app, people, time, randomness and a record of events."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .switches import Switches

AUTHORIZE_PATH = "/oauth2_user/authorize2"
TOKEN_LIFE_SECONDS = 3 * 3600

PREFIX = "sandbox-"
"""Every secret and client id begins with this, so that nobody mistakes one for Withings' own."""

SCOPES: Mapping[str, str] = {
    "user.info": "Your profile and your devices",
    "user.metrics": "Your weight and body values",
    "user.activity": "Your steps and workouts",
    "user.sleepevents": "Your sleep",
}
"""The four scopes of Withings' public API, as the consent page describes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with a Withings account, and scales at home."""

    userid: int
    name: str


PEOPLE = (Person(userid=38210457, name="Marie Laurent"), Person(userid=38210461, name="Jonas Laurent"))
"""Two people of one household, who share a Withings account."""

DEMO_PERSON = Person(userid=1000000, name="Demo user")
"""The only person that `mode=demo` offers."""


@dataclass(slots=True, kw_only=True)
class Counters:
    """How often each thing has happened since the sandbox was started."""

    authorize_visits: int = 0
    consents: int = 0
    denials: int = 0
    token_requests: int = 0
    exchanges: int = 0
    refreshes: int = 0
    revocations: int = 0
    nonces: int = 0
    data_requests: int = 0
    refusals: int = 0
    faults: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened. It holds no secret, so that it can be shown and logged."""

    at: float
    what: str
    userid: int | None = None
    status: int = 0
    detail: str = ""


class Clock:
    """Unix seconds that pass as they really do, and can be moved forward but never back."""

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        self._now = now if now is not None else time.time
        self.offset_seconds = 0.0

    def now(self) -> float:
        return self._now() + self.offset_seconds

    def advance(self, seconds: float) -> None:
        if not math.isfinite(seconds) or seconds < 0:
            raise ValueError(f"the clock can only be advanced by seconds, not by {seconds!r}")
        self.offset_seconds += seconds


@dataclass(slots=True, kw_only=True)
class State:
    """The state that the services share."""

    redirect_uris: tuple[str, ...]
    client_id: str = field(default_factory=lambda: PREFIX + secrets.token_hex(32))
    client_secret: str = field(default_factory=lambda: PREFIX + secrets.token_hex(32), repr=False)
    clock: Clock = field(default_factory=Clock)
    switches: Switches = field(default_factory=Switches)
    people: tuple[Person, ...] = PEOPLE
    random_hex: Callable[[int], str] = secrets.token_hex
    token_life: int = TOKEN_LIFE_SECONDS
    grantable_scopes: tuple[str, ...] = tuple(SCOPES)
    counters: Counters = field(default_factory=Counters)
    events: list[Event] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        self.secrets.add(self.client_secret)
        for uri in self.redirect_uris:
            _check_redirect_uri(uri)

    def make_secret(self) -> str:
        """Returns a new code, token, nonce or ticket: 40 hexadecimal digits, as at Withings, after the prefix."""
        text = PREFIX + self.random_hex(20)
        self.secrets.add(text)
        return text

    def record(self, what: str, *, userid: int | None = None, status: int = 0, detail: str = "") -> None:
        self.events.append(Event(at=self.clock.now(), what=what, userid=userid, status=status, detail=detail))

    def register_redirect_uri(self, uri: str) -> None:
        _check_redirect_uri(uri)
        if uri not in self.redirect_uris:
            self.redirect_uris += (uri,)


def _check_redirect_uri(uri: str) -> None:
    parts = urlsplit(uri)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0 or parts.fragment:
        raise ValueError(f"not a URL that can be registered: {uri!r}")
