"""`withings-auth logout`: remove every local copy of a login."""

from __future__ import annotations

import argparse

from withings_auth.cli.options import add_profile, open_store, settings
from withings_auth.cli.terminal import tell
from withings_auth.errors import StoreCorrupt
from withings_auth.model import Grant
from withings_auth.outside import is_loopback_url
from withings_auth.store.base import SecretStore
from withings_auth.store.records import LOCK_PATIENCE_SECONDS, clear_unused_app, stored_grant, token_name

EXAMPLE = "example:\n  withings-auth logout"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    add_profile(parser)


def execute(options: argparse.Namespace) -> int:
    """Removes the profile's tokens, and the app's secret with its last login. Raises `StoreError`, `RenewalBusy`."""
    found = settings(options)
    store = open_store(found)
    name = token_name(found.profile)
    with store.lock(name, LOCK_PATIENCE_SECONDS) as notes:
        grant = _readable_grant(store, found.profile)
        client_id = grant.client_id if grant else found.client_id
        removed = store.clear(name)
        notes.note(None)
    if client_id is not None:
        removed = clear_unused_app(store, client_id) or removed
    if removed:
        tell(f"Logged out: profile {found.profile} is removed from {store.description}.")
        if grant is not None and not is_loopback_url(grant.token_url):
            tell("Withings itself still lists the app; disconnect it in the settings of your Withings account.")
    else:
        tell(f"Nobody was logged in as profile {found.profile}.")
    return 0


def _readable_grant(store: SecretStore, profile: str) -> Grant | None:
    try:
        return stored_grant(store, profile)
    except StoreCorrupt:
        return None  # removing what cannot be read is what a person asks for here
