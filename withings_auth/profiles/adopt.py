"""Imports a login from another tool: trades its refresh token once, and saves the new tokens under a profile.

The trade follows the rules of `renewal`, with a lock and notes of its own. The profile's record is not touched before
the new tokens are here, so every failure leaves the profile's login as it was, and conflicts are found before anything
is sent if the file names its user. A process that dies between Withings' answer and the save loses nothing if the file
is imported again within eight hours: the file's refresh token works until the new access token is used.
"""

from __future__ import annotations

import dataclasses
import hashlib
from contextlib import suppress

from withings_auth.errors import (
    ConfigurationError,
    LockBusy,
    LockLost,
    ProtocolViolation,
    StoreError,
    StoreNotDurable,
    UnusableVariable,
    WrongAccount,
)
from withings_auth.model import App, Grant
from withings_auth.profiles.foreign import ForeignLogin
from withings_auth.provider.failures import import_error
from withings_auth.provider.replies import TokenReply
from withings_auth.store.base import SecretStore, clock_offset
from withings_auth.store.ownership import (
    WAYS_ON,
    forget_refused,
    prove_writable,
    refuse_other_owner,
    refuse_second_profile,
    save_login,
)
from withings_auth.store.records import LOCK_PATIENCE_SECONDS, stored_grant
from withings_auth.tokens.grants import empty_grant, grant_from_reply
from withings_auth.tokens.renewal import Effects, open_journal, refresh
from withings_auth.wording import local_time


def adopt(
    store: SecretStore, profile: str, login: ForeignLogin, app: App, token_url: str, *, replace: bool, effects: Effects
) -> Grant:
    """Trades the login's refresh token and returns the new grant, saved under the profile. Blocks.

    Its times are by this machine's clock, whatever the store's says.

    Raises `WrongAccount` if the profile belongs to another user, app or service and `replace` is false,
    `LoginRequired` after a definite refusal, `ProviderUnavailable`, `LockBusy` and `LockLost` if trying again
    helps, `ConfigurationError`, `ProviderError` and `StoreError`. None of these changes the profile's login.
    """
    old = dataclasses.replace(
        empty_grant(app, token_url),
        access_token=login.access_token,
        refresh_token=login.refresh_token,
        scopes=login.scopes or app.scopes,
        userid=login.userid or "",
    )
    _refuse_conflicts(store, profile, old, replace=replace)
    prove_writable(store, app)
    effects = effects.by_clock_of(store)
    with store.lock(_lock_name(login), LOCK_PATIENCE_SECONDS) as held:
        journal = open_journal(store, held, old)
        result, sent_at = refresh(old, app.client_secret, journal, effects)
        try:
            if not isinstance(result, TokenReply):
                raise import_error(result, deadline=journal.deadline)
        except UnusableVariable:  # which says nothing about the app
            raise
        except ConfigurationError:  # Withings does not know the app, so its credentials are not kept
            forget_refused(store, app)
            raise
        grant = grant_from_reply(result, old, sent_at=sent_at)  # Withings' userid overrides the file's
        if not grant.userid:
            raise ProtocolViolation(
                "neither Withings' answer nor the file names the user",
                hint="nothing was saved; log in instead: withings-auth login",
            )
        _save(store, profile, app, grant, journal.deadline or sent_at, replace=replace)
        with suppress(StoreError):  # the login is saved, and that is what counts
            held.notes.note(None)
    return grant.by_clock(-clock_offset(store))


def _lock_name(login: ForeignLogin) -> str:
    # One per refresh token, whatever the profile, so that it is never sent twice at once.
    return f"import/{hashlib.sha256(login.refresh_token.encode()).hexdigest()[:16]}"


def _refuse_conflicts(store: SecretStore, profile: str, old: Grant, *, replace: bool) -> None:
    owner = None if replace else stored_grant(store, profile)
    if owner is not None:
        refuse_other_owner(profile, owner, old.client_id, old.token_url)
        if not old.userid:
            raise WrongAccount(f"profile {profile} is in use, and the file does not name its user", hint=WAYS_ON)
        if old.userid != owner.userid:
            raise WrongAccount(
                f"the file holds the login of user {old.userid}, but profile {profile} belongs to user {owner.userid}",
                hint=WAYS_ON,
            )
    refuse_second_profile(store, profile, old)


def _save(store: SecretStore, profile: str, app: App, grant: Grant, deadline: float, *, replace: bool) -> None:
    try:
        save_login(store, profile, app, grant, replace=replace)
    except WrongAccount as error:  # found only with the userid in Withings' answer
        raise WrongAccount(
            str(error),
            hint=f"the file works until {local_time(deadline)}: import it again before that under the right profile,"
            ' with profile="NAME"',
            userid=error.userid,
            owner=error.owner,
        ) from error
    except (StoreError, LockBusy) as error:
        message = f"the login was renewed but could not be saved: {error}"
        again = f"import the file again before {local_time(deadline)} and nothing is lost"
        if isinstance(error, LockLost):
            raise error.with_message(message, hint=again) from error
        raise StoreNotDurable(message, hint=f"{again}; {error.hint}") from error
