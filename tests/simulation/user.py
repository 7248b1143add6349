"""What the user does: log in and log out, under the lock, as the commands do."""

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


def _grant_access(simulation: Simulation) -> Grant:
    access_token, refresh_token = simulation.service.log_in()
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
