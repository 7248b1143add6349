"""Every pair of tokens that was issued, and when each of the two dies.

An access token lives three hours, a refresh token one year. A refresh issues a new pair; the previous refresh token
dies eight hours later or as soon as the new access token is first used, whichever comes first. Withings calls that a
safety net for a reply that could not be stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .refusals import DEAD_ACCESS_TOKEN, INVALID_REFRESH_TOKEN, RefusedError
from .state import State

REFRESH_TOKEN_LIFE_SECONDS = 365 * 86400
GRACE_SECONDS = 8 * 3600


@dataclass(slots=True, kw_only=True, eq=False)
class Pair:
    """An access token and a refresh token that were issued together."""

    userid: int
    scopes: tuple[str, ...]
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    issued_at: float
    access_dies_at: float
    refresh_dies_at: float
    used: bool = False
    parent: Pair | None = field(default=None, repr=False)
    """The pair whose refresh token was traded for this one."""
    child: Pair | None = field(default=None, repr=False)
    """The pair that the latest refresh with this one's refresh token returned."""


class Ledger:
    """Issues pairs, and knows which tokens are alive."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._by_access_token: dict[str, Pair] = {}
        self._by_refresh_token: dict[str, Pair] = {}

    def issue(self, userid: int, scopes: tuple[str, ...], *, parent: Pair | None = None) -> Pair:
        now = self._state.clock.now()
        pair = Pair(
            userid=userid,
            scopes=scopes,
            access_token=self._state.make_secret(),
            refresh_token=self._state.make_secret(),
            issued_at=now,
            access_dies_at=now + self._state.token_life,
            refresh_dies_at=now + REFRESH_TOKEN_LIFE_SECONDS,
            parent=parent,
        )
        self._by_access_token[pair.access_token] = pair
        self._by_refresh_token[pair.refresh_token] = pair
        return pair

    def refresh(self, refresh_token: str) -> Pair:
        """Returns the pair that a refresh gives; raises `RefusedError` if the refresh token is dead."""
        pair = self._by_refresh_token.get(refresh_token)
        now = self._state.clock.now()
        if pair is None or now >= pair.refresh_dies_at:
            raise RefusedError(INVALID_REFRESH_TOKEN)
        switches = self._state.switches
        if pair.child is None or switches.repeated_refresh_restarts_grace:
            pair.refresh_dies_at = min(pair.issued_at + REFRESH_TOKEN_LIFE_SECONDS, now + GRACE_SECONDS)
        if not switches.access_token_survives_refresh:
            pair.access_dies_at = min(pair.access_dies_at, now)
        if pair.child is not None:
            if switches.repeated_refresh_returns_same_pair:
                return pair.child
            if switches.earlier_answer_dies_on_repeat:
                successor: Pair | None = pair.child
                while successor is not None:
                    _kill(successor, now)
                    successor = successor.child
        pair.child = self.issue(pair.userid, pair.scopes, parent=pair)
        return pair.child

    def use(self, access_token: str) -> Pair:
        """Returns the pair that an access token belongs to; its first use kills every refresh token before it."""
        pair = self._by_access_token.get(access_token)
        now = self._state.clock.now()
        if pair is None or now >= pair.access_dies_at:
            raise RefusedError(DEAD_ACCESS_TOKEN)
        if not pair.used:
            pair.used = True
            ancestor = pair.parent
            while ancestor is not None:
                ancestor.refresh_dies_at = min(ancestor.refresh_dies_at, now)
                ancestor = ancestor.parent
        return pair

    def live_access_tokens(self) -> tuple[str, ...]:
        now = self._state.clock.now()
        return tuple(token for token, pair in self._by_access_token.items() if now < pair.access_dies_at)

    def live_refresh_tokens(self) -> tuple[str, ...]:
        now = self._state.clock.now()
        return tuple(token for token, pair in self._by_refresh_token.items() if now < pair.refresh_dies_at)

    def expire_access_token(self, access_token: str | None = None) -> int:
        doomed = [token for token in self.live_access_tokens() if access_token in {None, token}]
        for token in doomed:
            self._by_access_token[token].access_dies_at = self._state.clock.now()
        return len(doomed)

    def kill_refresh_token(self, refresh_token: str | None = None) -> int:
        doomed = [token for token in self.live_refresh_tokens() if refresh_token in {None, token}]
        for token in doomed:
            self._by_refresh_token[token].refresh_dies_at = self._state.clock.now()
        return len(doomed)

    def revoke_person(self, userid: int | None = None) -> int:
        now = self._state.clock.now()
        pairs = [pair for pair in self._by_access_token.values() if userid in {None, pair.userid}]
        doomed = [pair for pair in pairs if now < max(pair.access_dies_at, pair.refresh_dies_at)]
        for pair in doomed:
            _kill(pair, now)
        return len(doomed)


def _kill(pair: Pair, now: float) -> None:
    pair.access_dies_at = min(pair.access_dies_at, now)
    pair.refresh_dies_at = min(pair.refresh_dies_at, now)
