"""What a login saves, and whose profile it may save it to."""

from __future__ import annotations

from collections.abc import Callable

from withings_auth.errors import StoreCorrupt, WrongAccount
from withings_auth.model import App, Grant
from withings_auth.store.base import SecretStore
from withings_auth.store.records import (
    LOCK_PATIENCE_SECONDS,
    app_name,
    clear_unused_app,
    stored_app,
    stored_grant,
    token_name,
)


def save_app(store: SecretStore, app: App) -> Callable[[], None]:
    """Saves the app's credentials, and returns what puts the earlier ones back. Blocks.

    It is saved even where nothing changed: that proves the store writable. Raises `StoreError`, `RenewalBusy`.
    """
    name = app_name(app.client_id)
    with store.lock(name, LOCK_PATIENCE_SECONDS):
        earlier = stored_app(store, app.client_id)
        store.save(name, app.written())

    def undo() -> None:
        with store.lock(name, LOCK_PATIENCE_SECONDS):
            if earlier is None:
                store.clear(name)
            else:
                store.save(name, earlier.written())

    return undo


def save_login(store: SecretStore, profile: str, grant: Grant, *, replace: bool) -> None:
    """Saves the grant for its profile. Blocks.

    Raises `WrongAccount` where the profile belongs to somebody else and `replace` does not say to go on,
    `RenewalBusy` and `StoreError`.
    """
    with store.lock(token_name(profile), LOCK_PATIENCE_SECONDS):
        owner = _owner(store, profile, replace=replace)
        if owner is not None and not replace:
            refuse_other_owner(profile, owner, grant.client_id, grant.token_url)
            if owner.userid != grant.userid:
                raise WrongAccount(
                    f"user {grant.userid} signed in, but profile {profile} belongs to user {owner.userid}:"
                    " nothing was saved",
                    hint=_ways_on("sign out at account.withings.com first to be asked who you are"),
                    userid=grant.userid,
                    owner=owner.userid,
                )
        store.save(token_name(profile), grant.written())
    if owner is not None and owner.client_id != grant.client_id:
        clear_unused_app(store, owner.client_id)


def _owner(store: SecretStore, profile: str, *, replace: bool) -> Grant | None:
    try:
        return stored_grant(store, profile)
    except StoreCorrupt:
        if replace:
            return None
        raise


def refuse_other_owner(profile: str, owner: Grant, client_id: str, token_url: str) -> None:
    """Raises `WrongAccount` where the profile's login belongs to another app or to another service."""
    if owner.client_id != client_id:
        raise WrongAccount(f"profile {profile} belongs to another app (client id)", hint=_ways_on())
    if owner.token_url != token_url:
        raise WrongAccount(
            f"profile {profile} belongs to another service ({owner.api_url})",
            hint=_ways_on(),
        )


def _ways_on(besides: str = "") -> str:
    ways = "use a profile of its own with --profile NAME, or replace the login with --replace"
    return f"{ways}; {besides}" if besides else ways
