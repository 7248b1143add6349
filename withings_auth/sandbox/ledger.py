"""The pairs of tokens that were issued, and the rules by which they live and die.

An access token lives three hours, a refresh token one year. A refresh gives a new pair; the refresh token before it
dies eight hours after the new issue or as soon as the new access token is first used, whichever comes first.
Withings calls that a safety net for a reply that could not be stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .refusals import DEAD_ACCESS_TOKEN, INVALID_REFRESH_TOKEN, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .world import World

REFRESH_SECONDS = 365 * 86400
GRACE_SECONDS = 8 * 3600


@dataclass(slots=True, kw_only=True, eq=False)
class Pair:
    """One issue of tokens; each of the two dies at its own time."""

    userid: int
    scopes: tuple[str, ...]
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    issued_at: float
    access_dies_at: float
    refresh_dies_at: float
    used: bool = False
    parent: Pair | None = field(default=None, repr=False)
    child: Pair | None = field(default=None, repr=False)
    """The pair that the latest refresh with this pair's refresh token gave."""

    def die(self, now: float) -> None:
        """Both tokens are dead from now on."""
        self.access_dies_at = min(self.access_dies_at, now)
        self.refresh_dies_at = min(self.refresh_dies_at, now)


class Ledger:
    """Every pair ever issued."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_access: dict[str, Pair] = {}
        self._by_refresh: dict[str, Pair] = {}

    def issue(self, userid: int, scopes: tuple[str, ...], *, parent: Pair | None = None) -> Pair:
        """A fresh pair."""
        now = self._world.clock.now()
        pair = Pair(
            userid=userid,
            scopes=scopes,
            access_token=self._world.secret(),
            refresh_token=self._world.secret(),
            issued_at=now,
            access_dies_at=now + self._world.token_life,
            refresh_dies_at=now + REFRESH_SECONDS,
            parent=parent,
        )
        self._by_access[pair.access_token] = pair
        self._by_refresh[pair.refresh_token] = pair
        return pair

    def refresh(self, refresh_token: str) -> Pair:
        """The successor of the pair that this refresh token belongs to; raises if the token is dead."""
        pair = self._by_refresh.get(refresh_token)
        now = self._world.clock.now()
        if pair is None or now >= pair.refresh_dies_at:
            raise RefusedError(INVALID_REFRESH_TOKEN)
        switches = self._world.switches
        if pair.child is None or switches.repeated_refresh_restarts_grace:
            pair.refresh_dies_at = min(pair.issued_at + REFRESH_SECONDS, now + GRACE_SECONDS)
        if not switches.access_token_survives_refresh:
            pair.access_dies_at = min(pair.access_dies_at, now)
        if pair.child is not None:
            if switches.repeated_refresh_returns_same_pair:
                return pair.child
            if switches.earlier_answer_dies_on_repeat:
                _die_with_successors(pair.child, now)
        pair.child = self.issue(pair.userid, pair.scopes, parent=pair)
        return pair.child

    def use(self, access_token: str) -> Pair:
        """Whose access token this is; its first use ends every refresh token before it."""
        pair = self._by_access.get(access_token)
        now = self._world.clock.now()
        if pair is None or now >= pair.access_dies_at:
            raise RefusedError(DEAD_ACCESS_TOKEN)
        if not pair.used:
            pair.used = True
            for ancestor in _ancestors(pair):
                ancestor.refresh_dies_at = min(ancestor.refresh_dies_at, now)
        return pair

    def live_access_tokens(self) -> tuple[str, ...]:
        """Every access token that would be accepted now, oldest first."""
        now = self._world.clock.now()
        return tuple(token for token, pair in self._by_access.items() if now < pair.access_dies_at)

    def live_refresh_tokens(self) -> tuple[str, ...]:
        """Every refresh token that would be accepted now, oldest first."""
        now = self._world.clock.now()
        return tuple(token for token, pair in self._by_refresh.items() if now < pair.refresh_dies_at)

    def linked_userids(self) -> set[int]:
        """Who has a login with the app."""
        return {self._by_refresh[token].userid for token in self.live_refresh_tokens()}

    def kill_access_token(self, access_token: str | None) -> int:
        """End one access token, or all; how many were alive."""
        live = self.live_access_tokens()
        doomed = [one for one in live if access_token in {None, one}]
        for token in doomed:
            self._by_access[token].access_dies_at = self._world.clock.now()
        return len(doomed)

    def kill_refresh_token(self, refresh_token: str | None) -> int:
        """End one refresh token, or all; how many were alive."""
        live = self.live_refresh_tokens()
        doomed = [one for one in live if refresh_token in {None, one}]
        for token in doomed:
            self._by_refresh[token].refresh_dies_at = self._world.clock.now()
        return len(doomed)

    def kill_person(self, userid: int | None) -> int:
        """End both tokens of every pair of a person, or of everybody; how many pairs had life in them."""
        now = self._world.clock.now()
        living = [one for one in self._by_access.values() if now < max(one.access_dies_at, one.refresh_dies_at)]
        doomed = [pair for pair in living if userid in {None, pair.userid}]
        for pair in doomed:
            pair.die(now)
        return len(doomed)


def _ancestors(pair: Pair) -> Iterator[Pair]:
    while pair.parent is not None:
        pair = pair.parent
        yield pair


def _die_with_successors(pair: Pair, now: float) -> None:
    following: Pair | None = pair
    while following is not None:
        following.die(now)
        following = following.child
