"""Logins of several people and ages, put into a desk's store without a browser."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from withings_auth.model import ALL_SCOPES, App, Grant
from withings_auth.store.file_store import FileStore
from withings_auth.store.records import app_name, token_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.keyring_daemon import SecretService
    from tests.support.logins import Desk

DAY = 86_400
YEAR = 365 * DAY


def put(
    desk: Desk,
    profile: str = "default",
    *,
    person: int = 1,
    age: int = 600,
    scopes: Iterable[str] = ALL_SCOPES,
    token_url: str | None = None,
) -> Grant:
    """The login of one of the sandbox's people, so many seconds old; the app's credentials are saved beside it."""
    pair = desk.sandbox.issue_pair(desk.sandbox.people[person - 1], scopes)
    issued = int(time.time()) - age
    grant = Grant(
        access_token=pair.access_token,
        refresh_token=pair.refresh_token,
        obtained_at=issued,
        expires_at=issued + 10_800,
        scopes=pair.scopes,
        userid=str(pair.userid),
        client_id=desk.sandbox.client_id,
        token_url=token_url or desk.sandbox.endpoints.token_url,
    )
    app = App(client_id=desk.sandbox.client_id, client_secret=desk.sandbox.client_secret)
    store = FileStore(desk.directory)
    store.save(app_name(app.client_id), app.written())
    store.save(token_name(profile), grant.written())
    desk.plant_secrets()
    return grant


def move_to_keyring(desk: Desk, service: SecretService) -> None:
    """The records as another program would put them into the keyring, which no index of ours knows of."""
    store = FileStore(desk.directory)
    for name in store.names():
        service.store(f"withings-auth/{name}", "withings-auth", store.load(name) or "")
    desk.env.update(service.environ)
    desk.env["WITHINGS_AUTH_STORE"] = None
