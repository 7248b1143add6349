"""Withings in one object: a state machine without I/O, with a clock of its own.

Everything that a person, a program or a test can do to the sandbox is a method here or of one of its services; the
web server is only a way to call them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .authorize import AuthorizePage
from .data import DataService
from .faults import Faults
from .ledger import Ledger
from .limits import Limits
from .signing import SignatureService
from .tokens import TokenService
from .values import SCOPES, Person
from .world import known_scopes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .ledger import Pair
    from .world import Counters, World


class Provider:
    """All services over one world, and the strings that move them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.faults = Faults()
        self.ledger = Ledger(world)
        self.limits = Limits(world)
        self.authorize_page = AuthorizePage(world, self.ledger)
        self.signatures = SignatureService(world)
        self.data = DataService(world, self.ledger, self.limits)
        self.tokens = TokenService(
            world=world,
            ledger=self.ledger,
            limits=self.limits,
            authorize_page=self.authorize_page,
            signatures=self.signatures,
            data=self.data,
        )

    def fail_next(self, kind: str, *, times: int = 1, where: str = "token", **details: object) -> None:
        """Let the next answers of a service go wrong."""
        self.faults.order(kind, times=times, where=where, details=details)

    def clear_faults(self) -> None:
        """Let everything go well again."""
        self.faults.clear()

    def advance(self, seconds: float) -> None:
        """Let time pass at once, on the sandbox's clock alone."""
        self.world.clock.advance(seconds)

    def expire_access_token(self, access_token: str | None = None) -> int:
        """End one access token, or every one; says how many were alive."""
        return self.ledger.kill_access_token(access_token)

    def kill_refresh_token(self, refresh_token: str | None = None) -> int:
        """End one refresh token, or every one; says how many were alive."""
        return self.ledger.kill_refresh_token(refresh_token)

    def revoke_person(self, userid: int | None = None) -> int:
        """End everything that a person, or everybody, has granted; says how many pairs had life in them."""
        return self.ledger.kill_person(userid)

    def switch(self, **changes: object) -> None:
        """Give another answer to an unsettled question, from now on."""
        self.world.switches = self.world.switches.turned(changes)

    def register_redirect_uri(self, uri: str) -> None:
        """Add an address to the app's registration."""
        self.world.register_redirect_uri(uri)

    def grant_at_most(self, scopes: Iterable[str]) -> None:
        """Let later consents grant no other scopes than these."""
        self.world.grant_at_most(scopes)

    def issue_pair(self, person: Person | None = None, scopes: Iterable[str] = tuple(SCOPES)) -> Pair:
        """Tokens as if the person had just logged in, without a browser; a copy that does not change later."""
        userid = (person or self.world.people[0]).userid
        return replace(self.ledger.issue(userid, known_scopes(scopes)))

    @property
    def counters(self) -> Counters:
        """How often each thing has happened, up to now."""
        return replace(self.world.counters)
