"""What is known of an app before anybody is asked: from flags, environment, config.toml, and what was saved earlier."""

from __future__ import annotations

from dataclasses import dataclass, field

from withings_auth.config.settings import Settings
from withings_auth.model import ALL_SCOPES, DEFAULT_REDIRECT_URI
from withings_auth.store.base import SecretStore
from withings_auth.store.records import stored_app, stored_grant


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownApp:
    """What is known of an app; None where nobody has said it."""

    client_id: str | None
    client_secret: str | None = field(repr=False)
    redirect_uri: str
    scopes: tuple[str, ...]


def known_app(found: Settings, store: SecretStore, client_id: str | None = None) -> KnownApp:
    """Returns what settings and store know of this app, else of the one that is set or the profile was logged in with.

    Raises `StoreError`.
    """
    client_id = client_id or found.client_id or _earlier_client_id(store, found.profile)
    saved = stored_app(store, client_id) if client_id else None
    # A secret in the environment belongs to the app that is set, and is sent with no other client id.
    belongs = {found.environment_client_id, found.client_id} <= {None, client_id}
    return KnownApp(
        client_id=client_id,
        client_secret=(found.client_secret if belongs else None) or (saved.client_secret if saved else None),
        redirect_uri=found.redirect_uri or (saved.redirect_uri if saved else DEFAULT_REDIRECT_URI),
        scopes=found.scopes or (saved.scopes if saved else ALL_SCOPES),
    )


def _earlier_client_id(store: SecretStore, profile: str) -> str | None:
    grant = stored_grant(store, profile)
    return grant.client_id if grant else None
