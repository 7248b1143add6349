"""What a login saves, and whose profile it may save it to."""

from __future__ import annotations

import logging
from contextlib import suppress

from withings_auth.errors import LockBusy, StoreCorrupt, StoreError, WrongAccount
from withings_auth.model import App, Grant
from withings_auth.store.base import SecretStore
from withings_auth.store.records import (
    LOCK_PATIENCE_SECONDS,
    app_name,
    clear_unused_app,
    profiles,
    stored_app,
    stored_grant,
    token_name,
)

logger = logging.getLogger(__name__)

WAYS_ON = "use a profile of its own with --profile NAME, or replace the login with --replace"


def prove_writable(store: SecretStore, app: App) -> None:
    """Saves the app's credentials, or the earlier ones once more: until the new ones have proved good they wait.

    A login that fails must not take a good secret from the logins that there are. Blocks. Raises `StoreError` and
    `LockBusy`.
    """
    name = app_name(app.client_id)
    with store.lock(name, LOCK_PATIENCE_SECONDS):
        earlier = stored_app(store, app.client_id)
        store.save(name, (earlier or app).written())
    logger.debug("%s can be written", store.description)


def forget_refused(store: SecretStore, app: App) -> None:
    """Removes credentials that Withings has just refused, unless other ones are saved or a login needs them. Blocks."""
    if stored_app(store, app.client_id) == app:
        clear_unused_app(store, app.client_id)


def save_login(store: SecretStore, profile: str, app: App, grant: Grant, *, replace: bool) -> None:
    """Saves the grant for its profile. Blocks.

    Raises `WrongAccount` where the profile belongs to somebody else and `replace` does not say to go on, or where the
    person has a profile for this app already; `LockBusy` and `StoreError`.
    """
    with store.lock(token_name(profile), LOCK_PATIENCE_SECONDS):
        owner = _owner(store, profile, replace=replace)
        if owner is not None and not replace:
            refuse_other_owner(profile, owner, grant.client_id, grant.token_url)
            _refuse_other_person(profile, owner, grant)
        refuse_second_profile(store, profile, grant)
        with store.lock(app_name(app.client_id), LOCK_PATIENCE_SECONDS):
            if stored_app(store, app.client_id) != app:
                store.save(app_name(app.client_id), app.written())
            store.save(token_name(profile), grant.written())
    logger.debug("saved and read back: profile %s, in %s", profile, store.description)
    if owner is not None and owner.client_id != grant.client_id:
        with suppress(StoreError, LockBusy):  # the login is saved, which is what counts
            clear_unused_app(store, owner.client_id)


def _refuse_other_person(profile: str, owner: Grant, grant: Grant) -> None:
    if owner.userid != grant.userid:
        raise WrongAccount(
            f"user {grant.userid} signed in, but profile {profile} belongs to user {owner.userid}: nothing was saved",
            hint=f"{WAYS_ON}, or sign in as user {owner.userid}: --switch-user has Withings ask who you are",
            userid=grant.userid,
            owner=owner.userid,
        )


def refuse_second_profile(store: SecretStore, profile: str, grant: Grant) -> None:
    """Raises `WrongAccount` where the person has another profile for the same app.

    Two of them would end each other's tokens, if a second consent does that (nobody knows).
    """
    for other in profiles(store):
        if other == profile:
            continue
        with suppress(StoreError):  # it cannot be told whose that is, and it is not ours to mend
            found = stored_grant(store, other)
            if found is not None and _same_login(found, grant):
                raise WrongAccount(
                    f"user {grant.userid} is logged in for this app already, as profile {other}: nothing was saved",
                    hint=f"use --profile {other}, or log that one out first: withings-auth logout --profile {other}",
                )


def _same_login(one: Grant, other: Grant) -> bool:
    return (one.userid, one.client_id, one.token_url) == (other.userid, other.client_id, other.token_url)


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
        raise WrongAccount(f"profile {profile} belongs to another app (client id)", hint=WAYS_ON)
    if owner.token_url != token_url:
        raise WrongAccount(f"profile {profile} belongs to another service ({owner.api_url})", hint=WAYS_ON)
