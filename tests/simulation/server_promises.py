"""What must hold besides if the store is on a server: for Withings, only what arrives there counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.processes import TokenRequest
from tests.simulation.promises import GUARD_SECONDS, LONGEST_WAIT_SECONDS, BrokenPromiseError, Promises
from tests.simulation.service import TIME_LIMIT_SECONDS
from withings_auth.errors import LockLost, StoreError, WithingsAuthError
from withings_auth.model import Grant

if TYPE_CHECKING:
    from tests.simulation.engine import Simulation

LATEST_ARRIVAL_SECONDS = 25.0


class ServerPromises(Promises):
    """Watches one simulation of a store whose lock can be lost."""

    longest_wait_seconds = LONGEST_WAIT_SECONDS + 2 * LATEST_ARRIVAL_SECONDS

    def __init__(self, simulation: Simulation) -> None:
        super().__init__(simulation)
        self._arrived_at: dict[str, float] = {}

    def request(self, ask: TokenRequest, refresh_token: str) -> None:
        """However the lock was lost, no refresh token arrives twice within ten seconds."""
        now = self._simulation.now
        seconds = now - self._arrived_at.get(refresh_token, 0.0)
        if seconds < GUARD_SECONDS:
            raise BrokenPromiseError(f"a refresh token arrives again after {seconds:g} seconds")
        self._arrived_at[refresh_token] = now
        super().request(ask, refresh_token)

    def in_flight(self, ask: TokenRequest) -> int:
        """The requests with this refresh token that can still arrive."""
        return sum(
            process.in_flight
            and process.ask is not None
            and process.ask.sends == ask.sends
            and self._simulation.now - process.in_flight_since < TIME_LIMIT_SECONDS
            for process in self._simulation.processes
        )

    def failed(self, ask: TokenRequest, error: WithingsAuthError) -> None:
        """A lost server is worth another try."""
        if isinstance(error, StoreError) and not isinstance(error, LockLost):
            raise BrokenPromiseError(f"a lost lock is told as a failure that stays: {type(error).__name__}")
        super().failed(ask, error)

    def returned(self, ask: TokenRequest, grant: Grant) -> None:
        """Nothing is returned after a save of unknown outcome: the token before it may be dead."""
        super().returned(ask, grant)
        if ask.save_lost:
            raise BrokenPromiseError("a token is returned although nobody knows whether the next one is stored")

    def knows_stored(self, ask: TokenRequest, stored: Grant) -> bool:
        """Whether it could load it at last, or has read it under the lock, and no save has come between."""
        return not ask.save_lost and (not ask.load_lost or ask.read_under_lock == stored.refresh_token)
