"""A login at some service, and a service that takes one access token at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.support.places import Place, Reply, Seen, envelope
from tests.support.stores import save_record
from withings_auth.model import App, Grant
from withings_auth.record import TOKEN_PATH
from withings_auth.store.records import app_name, load_grant, token_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.canaries import Canaries
    from withings_auth.sandbox import Sandbox
    from withings_auth.store.base import SecretStore

LIFE = 10_800


class Login:
    """The login that the sources read."""

    def __init__(self, store: SecretStore, canaries: Canaries) -> None:
        self.store = store
        self._canaries = canaries

    def at(self, api_url: str, *, age: int = 120) -> Grant:
        """Saves a login of some age at a service other than the sandbox."""
        pair = (self._canaries.plant("access token"), self._canaries.plant("refresh token"))
        return self._save(*pair, "38210457", "an-app", self._canaries.plant("client secret"), api_url, age)

    def at_sandbox(self, sandbox: Sandbox, *, age: int = 120) -> Grant:
        """Saves a login of some age at the sandbox."""
        pair = sandbox.issue_pair()
        self._canaries.plant("access token", pair.access_token)
        secret, url = sandbox.client_secret, sandbox.url
        return self._save(pair.access_token, pair.refresh_token, str(pair.userid), sandbox.client_id, secret, url, age)

    @property
    def access_token(self) -> str:
        """The record in the store now."""
        return load_grant(self.store, "default").access_token

    def _save(
        self, access_token: str, refresh_token: str, userid: str, client_id: str, secret: str, api_url: str, age: int
    ) -> Grant:
        issued = int(time.time()) - age
        grant = Grant(
            access_token=access_token,
            refresh_token=refresh_token,
            obtained_at=issued,
            expires_at=issued + LIFE,
            scopes=("user.info", "user.metrics"),
            userid=userid,
            client_id=client_id,
            token_url=f"{api_url}{TOKEN_PATH}",
        )
        save_record(self.store, app_name(client_id), App(client_id=client_id, client_secret=secret).to_record())
        save_record(self.store, token_name("default"), grant.to_record())
        return grant


class Api(Place):
    """An origin that takes one access token at a time, and renews it; `accept` says what it does with good requests."""

    def __init__(self, canaries: Canaries) -> None:
        super().__init__()
        self.good: str | None = None
        self.refreshes = 0
        self.accept: Callable[[Seen], Reply] = lambda _: envelope(0, here="api")
        self.refuse: Callable[[Seen], Reply] = lambda _: envelope(401)
        self._canaries = canaries
        self.answer = self._answer

    @property
    def calls(self) -> list[Seen]:
        """The requests that arrived, without renewals."""
        return [seen for seen in self.seen if seen.target != TOKEN_PATH]

    def _answer(self, seen: Seen) -> Reply:
        if seen.target == TOKEN_PATH:
            self.refreshes += 1
            self.good = self._canaries.plant("renewed access token")
            refresh_token = self._canaries.plant("renewed refresh token")
            return envelope(0, access_token=self.good, refresh_token=refresh_token, expires_in=LIFE, userid=38210457)
        return self.accept(seen) if seen.authorization == f"Bearer {self.good}" else self.refuse(seen)
