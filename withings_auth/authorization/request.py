"""One login: everything that it was told, and the secrets that it makes for itself."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

from withings_auth.authorization import messages
from withings_auth.authorization.addresses import Addresses
from withings_auth.authorization.callback import Expectation
from withings_auth.model import App, Endpoints
from withings_auth.provider.forms import authorize_url
from withings_auth.store.base import SecretStore
from withings_auth.store.ownership import prove_writable, refuse_other_owner
from withings_auth.store.records import stored_grant
from withings_auth.validation import origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What `login` was called with, and the one-time secrets of this login."""

    app: App
    profile: str
    store: SecretStore
    endpoints: Endpoints
    where: Addresses
    timeout: float
    replace: bool
    switch_user: bool
    demo: bool
    open_browser: bool
    browser: str | None
    pasted: AsyncIterator[str] | None = field(repr=False)
    paste_only: bool
    tell: Callable[[str], None]
    show: Callable[[str], None]
    state: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(32))
    ticket: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(16))

    def prepare(self) -> None:
        """Sees whose profile it is, and that the store can be written."""
        owner = None if self.replace else stored_grant(self.store, self.profile)
        if owner is not None:
            refuse_other_owner(self.profile, owner, self.app.client_id, self.endpoints.token_url)
            self.tell(messages.already(self.profile, owner))
        prove_writable(self.store, self.app)

    @property
    def start_path(self) -> str:
        """The short address on our listener that the browser is given; `state` does not stand in it."""
        return f"/start/{self.ticket}"

    @property
    def authorize_url(self) -> str:
        """Where the person decides, or is asked first who they are."""
        return authorize_url(self.endpoints, self.app, state=self.state, demo=self.demo, switch_user=self.switch_user)

    @property
    def expectation(self) -> Expectation:
        """What the true callback will look like."""
        return Expectation(
            hosts=self.where.accepted_hosts,
            path=self.where.path,
            start_path=self.start_path,
            state=self.state,
            issuer=origin(self.endpoints.authorize_url),
        )

    def waiting(self, seconds_left: float) -> str:
        """The line that counts down."""
        return messages.waiting(seconds_left, pasting=self.pasted is not None, listening=not self.paste_only)

    def tell_all(self, lines: Iterable[str]) -> None:
        """Tells several lines."""
        for line in lines:
            self.tell(line)
