"""What a person does in the play: logs in and out, as the programs for that do it, under the lock."""

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
    from tests.simulation.play import Play

LIFE_SECONDS = 10_800


def logged_in(play: Play) -> None:
    """Somebody has logged in, long ago and without trouble."""
    grant = _granted(play)
    play.machine.record = grant.written()
    play.promises.login_saved(grant)


def login(play: Play) -> Callable[[], None]:
    """Grants access at once, which can end the login before; returns what the program does after that."""
    play.happened(None, "a person grants access again")
    grant = _granted(play)

    def save() -> None:
        try:
            with play.machine.lock(NAME, LOCK_PATIENCE_SECONDS) as held:
                held.save(grant.written())
        except (StoreError, LockBusy, KilledError):
            return

    return save


def logout(play: Play) -> Callable[[], None]:
    """Returns what the program does that removes the login."""

    def remove() -> None:
        try:
            with play.machine.lock(NAME, LOCK_PATIENCE_SECONDS) as held:
                held.clear()
                held.notes.note(None)
        except (StoreError, LockBusy, KilledError):
            return

    return remove


def _granted(play: Play) -> Grant:
    access_token, refresh_token = play.service.log_in()
    return Grant(
        access_token=access_token,
        refresh_token=refresh_token,
        obtained_at=int(play.wall),
        expires_at=int(play.wall) + LIFE_SECONDS,
        scopes=APP.scopes,
        userid="38210457",
        client_id=APP.client_id,
        token_url=TOKEN_URL,
    )
