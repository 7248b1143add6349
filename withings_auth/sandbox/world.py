"""What all services of the sandbox share: time, chance, switches, apps, people, and a record of what happened."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .clock import Clock
from .switches import Switches
from .values import DEMO_PERSON, PEOPLE, PREFIX, SCOPES, App, Person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TOKEN_LIFE_SECONDS = 3 * 3600


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
    demo_accesses: int = 0
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


@dataclass(slots=True, kw_only=True)
class World:
    """The state that the services have in common."""

    app: App
    clock: Clock = field(default_factory=Clock)
    switches: Switches = field(default_factory=Switches)
    people: tuple[Person, ...] = PEOPLE
    demo_person: Person = DEMO_PERSON
    random_hex: Callable[[int], str] = secrets.token_hex
    token_life: int = TOKEN_LIFE_SECONDS
    grantable_scopes: tuple[str, ...] = tuple(SCOPES)
    counters: Counters = field(default_factory=Counters)
    events: list[Event] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        """Hold the app to the rules of its registration."""
        self.secrets.add(self.app.client_secret)
        for uri in self.app.redirect_uris:
            self._check_registrable(uri)

    def secret(self) -> str:
        """A fresh code, token or nonce: forty hexadecimal digits, as at Withings, behind the sandbox's prefix."""
        text = PREFIX + self.random_hex(20)
        self.secrets.add(text)
        return text

    def note(self, what: str, *, userid: int | None = None, status: int = 0, detail: str = "") -> None:
        """Write down what happened."""
        event = Event(at=self.clock.now(), what=what, userid=userid, status=status, detail=detail)
        self.events.append(event)

    def person(self, userid: int) -> Person | None:
        """Who has this number."""
        return next((one for one in (*self.people, self.demo_person) if one.userid == userid), None)

    def register_redirect_uri(self, uri: str) -> None:
        """Add an address to the app's registration, character for character."""
        self._check_registrable(uri)
        if uri not in self.app.redirect_uris:
            self.app = replace(self.app, redirect_uris=(*self.app.redirect_uris, uri))

    def grant_at_most(self, scopes: Iterable[str]) -> None:
        """From now on a consent grants no other scopes than these: Withings may grant fewer than were asked."""
        self.grantable_scopes = known_scopes(scopes)

    def _check_registrable(self, uri: str) -> None:
        parts = urlsplit(uri)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0 or parts.fragment:
            raise ValueError(f"not an address that can be registered: {uri!r}")
        if self.app.production and self.switches.production_needs_https and parts.scheme != "https":
            raise ValueError(f"a production app registers https addresses only: {uri!r}")


def known_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """The scopes, if Withings has all of them; a ValueError otherwise."""
    wanted = tuple(scopes)
    if unknown := [scope for scope in wanted if scope not in SCOPES]:
        raise ValueError(f"no such scope: {', '.join(map(str, unknown))}; there are {', '.join(SCOPES)}")
    return wanted
