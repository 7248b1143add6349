"""What others do: the user logs in and out, under the lock as the commands do; programs hold the lock or ignore it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.simulation.machine import NAME
from tests.simulation.processes import KilledError
from tests.simulation.service import APP, TOKEN_URL
from withings_auth.errors import LockBusy, StoreError
from withings_auth.model import Grant
from withings_auth.store.records import LOCK_PATIENCE_SECONDS

if TYPE_CHECKING:
    from tests.simulation.engine import Simulation

LIFE_SECONDS = 10_800


def start_logged_in(simulation: Simulation) -> None:
    """Starts with a login that was saved long ago, without a failure."""
    grant = _grant_access(simulation)
    simulation.machine.record = grant.to_record()
    simulation.promises.login_saved(grant)


def begin_login(simulation: Simulation) -> Callable[[], None]:
    """Grants access at once, which can end the previous login; returns the rest of what the command does."""
    simulation.log(None, "the user grants access again")
    grant = _grant_access(simulation)

    def save() -> None:
        try:
            with simulation.machine.lock(NAME, LOCK_PATIENCE_SECONDS) as held:
                held.save(grant.to_record())
        except (StoreError, LockBusy, KilledError):
            return

    return save


def begin_logout(simulation: Simulation) -> Callable[[], None]:
    """Returns what the command does to remove the login."""

    def remove() -> None:
        try:
            with simulation.machine.lock(NAME, LOCK_PATIENCE_SECONDS) as held:
                held.clear()
                held.notes.note(None)
        except (StoreError, LockBusy, KilledError):
            return

    return remove


def begin_holding(simulation: Simulation, seconds: float) -> Callable[[], None]:
    """Returns what a program does that hangs while it holds the lock."""

    def hold() -> None:
        try:
            with simulation.machine.lock(NAME, LOCK_PATIENCE_SECONDS):
                simulation.machine.wait(seconds)
        except (StoreError, LockBusy, KilledError):
            return

    return hold


def begin_overtaking(simulation: Simulation, seconds_until_saved: float) -> Callable[[], None]:
    """Returns what a program does that has a copy of the login, uses it, and saves it back without the lock."""

    def overtake() -> None:
        old = simulation.promises.stored
        pair = None if old is None else simulation.service.renew_elsewhere(old)
        if pair is None:
            return
        simulation.counts["renewals by a program without the lock"] += 1
        grant = _grant(simulation, *pair)
        try:
            simulation.machine.wait(seconds_until_saved)
        except KilledError:
            return
        if simulation.promises.stored == old:
            simulation.machine.overwrite(grant)

    return overtake


def _grant_access(simulation: Simulation) -> Grant:
    return _grant(simulation, *simulation.service.log_in())


def _grant(simulation: Simulation, access_token: str, refresh_token: str) -> Grant:
    return Grant(
        access_token=access_token,
        refresh_token=refresh_token,
        obtained_at=int(simulation.wall),
        expires_at=int(simulation.wall) + LIFE_SECONDS,
        scopes=APP.scopes,
        userid="38210457",
        client_id=APP.client_id,
        token_url=TOKEN_URL,
    )
