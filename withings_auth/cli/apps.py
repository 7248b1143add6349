"""The app that a command works with: what is known of it from the settings and from earlier logins."""

from __future__ import annotations

from dataclasses import dataclass, field

from withings_auth.cli.prompts import ask_hidden
from withings_auth.cli.terminal import is_terminal
from withings_auth.errors import ConfigurationError
from withings_auth.model import ALL_SCOPES, DEFAULT_REDIRECT_URI
from withings_auth.outside import is_client_secret
from withings_auth.settings import Settings
from withings_auth.store.base import SecretStore
from withings_auth.store.records import stored_app, stored_grant


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownApp:
    """What is known of an app before anybody is asked; None where nobody has said it."""

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
    # A secret in the environment belongs to the client id that stands beside it.
    set_secret = found.client_secret if found.environment_client_id in {None, client_id} else None
    return KnownApp(
        client_id=client_id,
        client_secret=set_secret or (saved.client_secret if saved else None),
        redirect_uri=found.redirect_uri or (saved.redirect_uri if saved else DEFAULT_REDIRECT_URI),
        scopes=found.scopes or (saved.scopes if saved else ALL_SCOPES),
    )


def ask_for_secret(note: str = "it is not shown", *, default: str | None = None) -> str:
    """Returns the client secret that a person types, or the default. Raises `ConfigurationError` without a terminal."""
    if not is_terminal():
        raise ConfigurationError(
            "the client secret is not set, and there is no terminal to ask for it",
            hint="set WITHINGS_CLIENT_SECRET in the environment, or save it once: withings-auth configure",
        )
    return ask_hidden(f"Client secret ({note})", wrong=wrong_client_secret, default=default)


def wrong_client_secret(text: str) -> str | None:
    """Says why the text cannot be a client secret."""
    if is_client_secret(text):
        return None
    return "a client secret has visible characters only, and no blank" if text else "a client secret is needed"


def _earlier_client_id(store: SecretStore, profile: str) -> str | None:
    grant = stored_grant(store, profile)
    return grant.client_id if grant else None
