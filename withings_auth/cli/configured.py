"""The end of `withings-auth configure`: it saves the store, warns of variables, and says what to type next."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

from withings_auth.cli.options import quoted_store, to_paste
from withings_auth.cli.ui.terminal import PROGRAM, tell
from withings_auth.config.places import CONFIG_FILE, config_directory
from withings_auth.config.save import save_values
from withings_auth.config.settings import Settings
from withings_auth.errors import LockBusy, StoreError
from withings_auth.model import App
from withings_auth.store import has_password
from withings_auth.store.base import SecretStore
from withings_auth.store.records import clear_unused_app, stored_grant, token_name
from withings_auth.validation import printable


def store_values(settings: Settings) -> dict[str, str]:
    """Returns what to write to config.toml about the store: if it was chosen for this command alone, it is to stay."""
    return {} if settings.unsaved_store is None else {"store": settings.unsaved_store}


def save_store(settings: Settings, store: SecretStore) -> None:
    """Saves the name of the store in config.toml, unless every program uses that store already.

    Raises `StoreError` and `LockBusy` if the store cannot be used, with nothing changed, and `ConfigurationError`.
    """
    stored_grant(store, settings.profile)  # a lock does not show whether there is a keyring
    if values := store_values(settings):
        file = config_directory() / CONFIG_FILE
        save_values(store, token_name(settings.profile), file, values)
        tell(f"Saved: “store” in {printable(str(file))}. Every command and program uses {store.description}.")
    else:
        tell(f"Nothing to change: every command and program uses {store.description} already.")
    _warn_of_variables({"WITHINGS_AUTH_STORE": settings.store})


def report_consequences(app: App, before: Settings, store: SecretStore) -> None:
    """Reports variables that override the saved values, and removes the previous app if no login uses it."""
    saved = {
        "WITHINGS_CLIENT_ID": app.client_id,
        "WITHINGS_CLIENT_SECRET": app.client_secret,
        "WITHINGS_REDIRECT_URI": app.redirect_uri,
        "WITHINGS_SCOPES": ",".join(app.scopes),
        "WITHINGS_AUTH_STORE": before.store,
    }
    _warn_of_variables(saved)
    if has_password(before.store):
        tell(
            f"{PROGRAM}: warning: {CONFIG_FILE} does not name the store, because its name in WITHINGS_AUTH_STORE has a"
            " password. Put that into ~/.pgpass, and then:"
        )
        tell(f"  {PROGRAM} configure --store {quoted_store(before.shown_store)}")
    elif before.unsaved_store is not None:
        tell(f"From now on every command and program uses {store.description} (“store” in {CONFIG_FILE}).")
    previous = before.app.client_id if before.environment_client_id is None else None
    with suppress(StoreError, LockBusy):  # the app is saved, and that is what counts
        if previous not in {None, app.client_id} and clear_unused_app(store, str(previous)):
            tell("Removed the client secret of the previous app, which no login uses.")


def _warn_of_variables(saved: Mapping[str, str]) -> None:
    """Warns of each variable that is set to something else than what was saved, which it overrides."""
    for name, value in saved.items():
        if os.environ.get(name, "") not in {"", value}:
            tell(f"{PROGRAM}: warning: {name} in the environment differs, and overrides the saved value")


def show_next_step(app: App | None, settings: Settings, store: SecretStore) -> None:
    """Says what to type next, and which login still belongs to another app than the one that was saved, if any was."""
    grant = None
    with suppress(StoreError):  # login will report a broken record
        grant = stored_grant(store, settings.profile)
    if grant is None:
        tell(f"Next: {to_paste(settings, 'login')}")
    elif app is None or grant.client_id == app.client_id:
        tell(f"Profile {settings.profile} stays logged in. Next: {to_paste(settings, 'token')}")
    else:
        tell(f"Profile {settings.profile} stays logged in with the previous app.")
        tell(f"To log it in with this one: {to_paste(settings, 'login --replace')}")
