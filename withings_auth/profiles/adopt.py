"""How a login that another tool left becomes ours: its refresh token is traded once, and what that brings is saved.

The trade keeps the rules of `renewal`. It has a lock and notes of its own, and the profile's record is not touched
before the new pair is here, so that the login that a profile has outlives every failure. What can speak against the
save is found out before anything is sent, as far as the file says whose login it is. A process that dies between
Withings' answer and the save loses nothing if the file is imported again within eight hours: until the new access
token is used, and nobody has it yet, the file's refresh token works.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import replace as changed

from withings_auth.errors import (
    ConfigurationError,
    LockBusy,
    ProtocolViolation,
    StoreError,
    StoreNotDurable,
    WrongAccount,
)
from withings_auth.model import App, Grant
from withings_auth.profiles.foreign import ForeignLogin
from withings_auth.provider.failures import import_error
from withings_auth.provider.replies import TokenReply
from withings_auth.store.base import SecretStore
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
from withings_auth.tokens.journal import Journal
from withings_auth.tokens.renewal import Effects, trade
from withings_auth.wording import local_time


def adopt(
    store: SecretStore, profile: str, login: ForeignLogin, app: App, token_url: str, *, replace: bool, effects: Effects
) -> Grant:
    """Trades the login's refresh token and returns what it brought, saved under the profile. Blocks.

    Raises `WrongAccount` where the profile belongs to somebody else and `replace` does not say to go on,
    `LoginRequired` after a definite refusal, `ProviderUnavailable` and `LockBusy` where trying again helps,
    `ConfigurationError`, `ProviderError` and `StoreError`. None of these changes the login that the profile has.
    """
    old = _as_grant(login, app, token_url)
    _refuse_conflicts(store, profile, old, replace=replace)
    prove_writable(store, app)
    with store.lock(_lock_name(login), LOCK_PATIENCE_SECONDS) as held:
        journal = Journal(held.notes, old)
        result, sent_at = trade(old, app.client_secret, journal, effects)
        try:
            if not isinstance(result, TokenReply):
                raise import_error(result, deadline=journal.deadline)
        except ConfigurationError:  # Withings does not know the app: what was saved of it is no good
            forget_refused(store, app)
            raise
        grant = grant_from_reply(result, old, sent_at=sent_at)  # Withings knows better than the file whose login it is
        if not grant.userid:
            raise ProtocolViolation(
                "neither Withings' answer nor the file says whose login it is",
                hint="nothing was saved; log in instead: withings-auth login",
            )
        _save(store, profile, app, grant, journal.deadline or sent_at, replace=replace)
        with suppress(StoreError):  # the login is saved, which is what counts
            held.notes.note(None)
    return grant


def _as_grant(login: ForeignLogin, app: App, token_url: str) -> Grant:
    """Returns the login as a grant that has expired; its userid is empty where the file does not say it."""
    return changed(
        empty_grant(app, token_url),
        access_token=login.access_token,
        refresh_token=login.refresh_token,
        scopes=login.scopes or app.scopes,
        userid=login.userid or "",
    )


def _lock_name(login: ForeignLogin) -> str:
    # One for each refresh token, whichever profile it is imported as: it is never sent twice at once.
    return f"import/{hashlib.sha256(login.refresh_token.encode()).hexdigest()[:16]}"


def _refuse_conflicts(store: SecretStore, profile: str, old: Grant, *, replace: bool) -> None:
    owner = None if replace else stored_grant(store, profile)
    if owner is not None:
        refuse_other_owner(profile, owner, old.client_id, old.token_url)
        if not old.userid:
            raise WrongAccount(
                f"profile {profile} is in use, and the file does not say whose login it holds", hint=WAYS_ON
            )
        if old.userid != owner.userid:
            raise WrongAccount(
                f"the file holds the login of user {old.userid}, but profile {profile} belongs to user {owner.userid}",
                hint=WAYS_ON,
            )
    refuse_second_profile(store, profile, old)


def _save(store: SecretStore, profile: str, app: App, grant: Grant, deadline: float, *, replace: bool) -> None:
    try:
        save_login(store, profile, app, grant, replace=replace)
    except WrongAccount as error:  # which only Withings' answer could tell
        error.hint = (
            f"the file works until {local_time(deadline)}: import it again before that, as the right profile:"
            ' profile="NAME"'
        )
        raise
    except (StoreError, LockBusy) as error:
        raise StoreNotDurable(
            f"the login was renewed and could not be saved: {error}",
            hint="nothing is lost if that is mended and the file is imported again before"
            f" {local_time(deadline)}; {error.hint}",
        ) from error
