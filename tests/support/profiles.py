"""Logins of several people and ages, put into the store of a desk without a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from withings_auth.model import ALL_SCOPES, Grant
from withings_auth.store.file_store import FileStore

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
    """Put a login as `Desk.put_login` does; from now on none of its secrets may be shown."""
    grant = desk.put_login(profile, person=person, age=age, scopes=scopes, token_url=token_url)
    desk.plant_secrets()
    return grant


def move_to_keyring(desk: Desk, service: SecretService) -> None:
    """Move the records into the keyring as keyring itself would, so that our index does not list them."""
    store = FileStore(desk.directory)
    for name in store.names():
        service.store(f"withings-auth/{name}", "withings-auth", store.load(name) or "")
    desk.env.update(service.environ)
    desk.env["WITHINGS_AUTH_STORE"] = None


def what_is_left(desk: Desk) -> set[str]:
    """Every file in the store that is not a lock."""
    return {path.name for path in desk.directory.rglob("*") if path.is_file() and path.suffix != ".lock"}
