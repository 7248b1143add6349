"""Our records in a store: the logins, and the apps' credentials."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from withings_auth.errors import ConfigurationError, LoginRequired, StoreCorrupt, login_hint
from withings_auth.logs import Logger
from withings_auth.model import App, Grant
from withings_auth.store.base import SecretStore, load_with_stamp, store_time
from withings_auth.validation import is_client_id, is_loopback_url

logger = Logger(__name__)

_PRACTICE = "sandbox-"  # how the sandbox's client ids begin
LOCK_PATIENCE_SECONDS = 120.0  # longer than nearly all renewals: a lost answer and a 601 take 83


def token_name(profile: str) -> str:
    """Returns the name under which a profile's grant is saved."""
    return f"token/{profile}"


def app_name(client_id: str) -> str:
    """Returns the name under which an app's credentials are saved."""
    return f"app/{client_id}"


def stored_grant(store: SecretStore, profile: str) -> Grant | None:
    """Returns the profile's grant, None if there is none. Raises `StoreError` if the store cannot tell."""
    name = token_name(profile)
    return _read_grant(store, name, store.load(name))


def _read_grant(store: SecretStore, name: str, text: str | None) -> Grant | None:
    if text is None:
        logger.debug("%s: nothing in %s", name, store.description)
        return None
    grant = Grant.from_record(text)
    left = grant.seconds_left(store_time(store))
    logger.debug("%s: user %s, access token for %.0f s more, in %s", name, grant.userid, left, store.description)
    return grant


def load_grant(store: SecretStore, profile: str) -> Grant:
    """Returns the profile's grant. Raises `LoginRequired` if there is none, and `StoreError`."""
    grant = stored_grant(store, profile)
    if grant is None:
        raise not_logged_in(profile)
    return grant


def load_grant_with_stamp(store: SecretStore, profile: str) -> tuple[Grant, Hashable]:
    """Returns the profile's grant, and a stamp that it, or an earlier one, has. Raises as `load_grant` does."""
    name = token_name(profile)
    text, stamp = load_with_stamp(store, name)
    grant = _read_grant(store, name, text)
    if grant is None:
        raise not_logged_in(profile)
    return grant, stamp


def not_logged_in(profile: str) -> LoginRequired:
    return LoginRequired(f"nobody is logged in as profile {profile}", hint=login_hint(profile))


def stored_app(store: SecretStore, client_id: str) -> App | None:
    """Returns the app's credentials, None if they are not saved. Raises `StoreError`."""
    text = store.load(app_name(client_id))
    return None if text is None else read_app(text, client_id)


def read_app(text: str, client_id: str) -> App:
    """Returns the app's credentials as they are saved. Raises `StoreCorrupt`."""
    app = App.from_record(text)
    if app.client_id != client_id:  # a secret is only ever sent with its own client id
        raise StoreCorrupt(
            "the stored app record belongs to another app",
            hint="to replace it, without a new login: withings-auth configure",
        )
    return app


def sound_grant(store: SecretStore, profile: str) -> Grant | None:
    """Returns the profile's grant; None if there is none or its record is damaged. Raises as `sound_app` does."""
    try:
        return stored_grant(store, profile)
    except StoreCorrupt as error:
        if error.newer:
            raise
        return None


def sound_app(store: SecretStore, client_id: str) -> App | None:
    """Returns the app's credentials; None if they are not saved or damaged, so that new ones may be saved.

    Raises `StoreCorrupt` for a record of a newer version, and `StoreUnavailable`.
    """
    try:
        return stored_app(store, client_id)
    except StoreCorrupt as error:
        if error.newer:
            raise
        return None


def load_secret(store: SecretStore, client_id: str) -> str:
    """Returns the app's client secret. Raises `ConfigurationError` if it is not saved, and `StoreError`."""
    app = stored_app(store, client_id)
    if app is None:
        raise ConfigurationError(
            "the client secret of this login's app is no longer saved",
            hint="save it again, without a new login: withings-auth configure; or set WITHINGS_CLIENT_ID and"
            " WITHINGS_CLIENT_SECRET",
        )
    return app.client_secret


def profiles(store: SecretStore) -> list[str]:
    """Returns the profiles with a login."""
    return profiles_among(store.names())


def profiles_among(names: Iterable[str]) -> list[str]:
    """Returns the profiles whose logins are saved under some of the names."""
    return [name.removeprefix("token/") for name in names if name.startswith("token/")]


def all_profiles(store: SecretStore, usual: str) -> list[str]:
    """Returns every profile with a login, and the usual one: reading it repairs a keyring that lost its index."""
    return sorted({*profiles(store), usual})


def saved_apps(store: SecretStore) -> list[str]:
    """Returns the client ids of the apps whose credentials are saved. Raises `StoreError`."""
    return [name.removeprefix("app/") for name in store.names() if name.startswith("app/")]


def only_app(store: SecretStore, api_url: str) -> str | None:
    """Returns the client id of the only app whose credentials are saved; None if there are several, or none.

    What a practice login left behind counts only if the API is on this machine, too. Raises `StoreError`.
    """
    practice_counts = is_loopback_url(api_url)
    apps = [app for app in saved_apps(store) if practice_counts or not app.startswith(_PRACTICE)]
    return apps[0] if len(apps) == 1 and is_client_id(apps[0]) else None


def clear_unused_app(store: SecretStore, client_id: str) -> bool:
    """Removes the app's credentials unless a profile needs them, or may. Returns whether they were removed.

    Raises `StoreError` and `LockBusy`.
    """
    with store.lock(app_name(client_id), LOCK_PATIENCE_SECONDS) as held:
        for profile in profiles(store):
            try:
                grant = stored_grant(store, profile)
            except StoreCorrupt:
                return False
            if grant is not None and grant.client_id == client_id:
                return False
        return held.clear()
