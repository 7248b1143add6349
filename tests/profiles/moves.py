"""Two logins to move, and the move of everything from one store to another as the tests make it."""

from __future__ import annotations

import dataclasses

from tests.support.stores import save_record
from tests.test_model import GRANT
from withings_auth.errors import WithingsAuthError
from withings_auth.model import App, Grant
from withings_auth.profiles.moving import Move
from withings_auth.store.base import SecretStore
from withings_auth.store.records import token_name

MUM = dataclasses.replace(GRANT, userid="7", access_token="hers")
OTHER_APP = App(client_id="d" * 64, client_secret="of-another-app")


def put(store: SecretStore, profile: str, grant: Grant, note: str | None = None) -> None:
    """Saves the grant, and the note of an attempt to renew it."""
    save_record(store, token_name(profile), grant.to_record())
    with store.lock(token_name(profile), 20) as held:
        held.notes.note(note)


def move(
    source: SecretStore, target: SecretStore, profile: str | None = None, *, replace: bool = False
) -> tuple[list[str], list[WithingsAuthError]]:
    """Moves the logins; returns what was told, and what was not done."""
    told: list[str] = []
    moving = Move(source, target, replace=replace, tell=told.append, in_target=lambda command: f"TO {command}")
    moving.run(profile, "default")
    return told, moving.failures
