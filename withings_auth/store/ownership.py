"""Saves logins, and refuses profiles that belong to somebody else."""

from __future__ import annotations

from contextlib import suppress

from withings_auth.errors import LockBusy, StoreCorrupt, StoreError, WrongAccount, profile_flag
from withings_auth.logs import Logger
from withings_auth.model import App, Grant
from withings_auth.store.base import SecretStore
from withings_auth.store.records import (
    LOCK_PATIENCE_SECONDS,
    app_name,
    clear_unused_app,
    profiles,
    sound_app,
    stored_grant,
    token_name,
)
from withings_auth.validation import is_profile

logger = Logger(__name__)

WAYS_ON = 'use another profile (profile="NAME"), or replace this login (replace=True)'


def prove_writable(store: SecretStore, app: App) -> None:
    """Saves the app's credentials, or the earlier ones again if there are any. Blocks.

    So a login that fails takes no working secret away from existing logins. Raises `StoreError` and `LockBusy`.
    """
    with store.lock(app_name(app.client_id), LOCK_PATIENCE_SECONDS) as held:
        earlier = sound_app(store, app.client_id)
        held.save((earlier or app).to_record())
    logger.debug("%s can be written", store.description)


def forget_refused(store: SecretStore, app: App) -> None:
    """Removes credentials that Withings has just refused, unless other ones are saved or a login needs them. Blocks."""
    if sound_app(store, app.client_id) == app:
        clear_unused_app(store, app.client_id)


def save_login(store: SecretStore, profile: str, app: App, grant: Grant, *, replace: bool) -> None:
    """Saves the grant under the profile, and the app's credentials. Blocks.

    Raises `WrongAccount` if the profile belongs to somebody else and `replace` is False, or if the user already has
    another profile for this app; `LockBusy` and `StoreError`.
    """
    with store.lock(token_name(profile), LOCK_PATIENCE_SECONDS) as login:
        try:
            owner = stored_grant(store, profile)
        except StoreCorrupt:
            if not replace:
                raise
            owner = None
        if owner is not None and not replace:
            refuse_other_owner(profile, owner, grant.client_id, grant.token_url)
            if owner.userid != grant.userid:
                raise WrongAccount(
                    f"user {grant.userid} signed in, but profile {profile} belongs to user {owner.userid}:"
                    " nothing was saved",
                    hint=f"{WAYS_ON}, or sign in as user {owner.userid} (with switch_user=True Withings asks who you"
                    " are)",
                    userid=grant.userid,
                    owner=owner.userid,
                )
        switch = f"to sign in as somebody else: withings-auth login{profile_flag(profile)} --switch-user; or "
        refuse_second_profile(store, profile, grant, way_on=switch)
        with store.lock(app_name(app.client_id), LOCK_PATIENCE_SECONDS) as credentials:
            if sound_app(store, app.client_id) != app:
                credentials.save(app.to_record())
            login.save(grant.to_record())
    logger.debug("saved and read back: profile %s, in %s", profile, store.description)
    if owner is not None and owner.client_id != grant.client_id:
        with suppress(StoreError, LockBusy):  # the login is saved, which is what matters
            clear_unused_app(store, owner.client_id)


def refuse_second_profile(store: SecretStore, profile: str, grant: Grant, *, way_on: str = "") -> None:
    """Raises `WrongAccount` if the user has another profile for the same app; the hint begins with `way_on`.

    If a second consent ends the first one's tokens (nobody knows), the profiles would log each other out.
    """
    login = (grant.userid, grant.client_id, grant.token_url)
    for other in profiles(store):
        if other == profile or not is_profile(other):  # no command could name that one
            continue
        with suppress(StoreError):  # an unreadable record of another profile is not for this login to report
            found = stored_grant(store, other)
            if found is not None and (found.userid, found.client_id, found.token_url) == login:
                raise WrongAccount(
                    f"user {grant.userid} is already logged in to this app, as profile {other}: nothing was saved",
                    hint=f'{way_on}use profile="{other}", or log it out first: withings-auth logout --profile {other}',
                )


def refuse_other_owner(profile: str, owner: Grant, client_id: str, token_url: str) -> None:
    """Raises `WrongAccount` if the profile's login belongs to another app or service."""
    if owner.client_id != client_id:
        raise WrongAccount(f"profile {profile} belongs to another app (client id)", hint=WAYS_ON)
    if owner.token_url != token_url:
        raise WrongAccount(f"profile {profile} belongs to another service ({owner.api_url})", hint=WAYS_ON)
