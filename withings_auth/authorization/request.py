"""One login: its options, what they left to the settings, and the secrets that it makes for itself. Does no I/O."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from withings_auth.authorization.addresses import Addresses
from withings_auth.authorization.callback import Expectation
from withings_auth.authorization.options import LoginOptions
from withings_auth.model import App, Endpoints
from withings_auth.provider.forms import authorize_url
from withings_auth.store.base import SecretStore
from withings_auth.validation import origin


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRequest:
    """What one login asks for. Its `store`, `endpoints` and `profile` count, not those of its options."""

    options: LoginOptions
    profile: str
    store: SecretStore
    endpoints: Endpoints
    addresses: Addresses
    state: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(32))
    ticket: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(16))

    @property
    def app(self) -> App:
        """The app that is logged in to."""
        return self.options.app

    @property
    def start_path(self) -> str:
        """The path of the short address on our listener that the browser is given; it does not contain `state`."""
        return f"/start/{self.ticket}"

    @property
    def authorize_url(self) -> str:
        """Where the user decides, or is first asked to sign in."""
        return authorize_url(
            self.endpoints,
            self.app,
            state=self.state,
            demo=self.options.demo,
            switch_user=self.options.switch_user,
        )

    @property
    def expectation(self) -> Expectation:
        """What the true callback looks like."""
        return Expectation(
            hosts=self.addresses.accepted_hosts,
            path=self.addresses.path,
            start_path=self.start_path,
            state=self.state,
            issuer=origin(self.endpoints.authorize_url),
        )
