"""What settings and store together know about an app."""

from __future__ import annotations

from dataclasses import replace

from withings_auth.config.app import PartialApp
from withings_auth.config.settings import Settings
from withings_auth.store.base import SecretStore
from withings_auth.store.records import stored_app, stored_grant


def known_app(settings: Settings, store: SecretStore, client_id: str | None = None) -> PartialApp:
    """Returns what is known about the app with this client id; by default the one that is set, or the profile's.

    Raises `StoreError`.
    """
    client_id = client_id or settings.app.client_id or _profile_client_id(store, settings.profile)
    known = replace(settings.app, client_id=client_id)
    # A secret in the environment belongs to the app that is set, and is sent with no other client id.
    if not {settings.environment_client_id, settings.app.client_id} <= {None, client_id}:
        known = replace(known, client_secret=None)
    saved = stored_app(store, client_id) if client_id else None
    return known if saved is None else known.over(saved)


def _profile_client_id(store: SecretStore, profile: str) -> str | None:
    grant = stored_grant(store, profile)
    return grant.client_id if grant else None
