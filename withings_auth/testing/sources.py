"""Logins at a sandbox, and sources whose clock and whose Withings are the sandbox's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from withings_auth.config.settings import Settings, read_settings
from withings_auth.model import ALL_SCOPES, App, Endpoints, Grant
from withings_auth.store.ownership import save_login
from withings_auth.testing.route import sandbox_url
from withings_auth.tokens.source import DEFAULT_MIN_VALID_SECONDS, AsyncTokenSource, TokenSource, _Source

if TYPE_CHECKING:
    from withings_auth.provider.replies import Outcome
    from withings_auth.sandbox import Person, Sandbox
    from withings_auth.store.base import SecretStore
    from withings_auth.tokens.renewal import Effects


def log_in(
    sandbox: Sandbox,
    store: SecretStore,
    profile: str = "default",
    *,
    person: Person | None = None,
    scopes: Iterable[str] = ALL_SCOPES,
) -> None:
    """Saves a login as if a person (the sandbox's first one by default) had just allowed it in a browser.

    For the program under test it is a login at Withings itself: its tokens are for `https://wbsapi.withings.net`.
    """
    pair = sandbox.issue_pair(person, scopes)
    app = App(client_id=sandbox.client_id, client_secret=sandbox.client_secret)
    grant = Grant(
        access_token=pair.access_token,
        refresh_token=pair.refresh_token,
        expires_at=int(pair.access_dies_at),
        obtained_at=int(pair.issued_at),
        scopes=pair.scopes,
        userid=str(pair.userid),
        client_id=app.client_id,
        token_url=Endpoints().token_url,
    )
    save_login(store, profile, app, grant, replace=True)


class _AtSandbox(_Source):
    """Asks the sandbox for the time and for new tokens, and reads no settings of the machine."""

    def __init__(
        self,
        sandbox: Sandbox,
        store: SecretStore,
        profile: str = "default",
        *,
        min_valid: float = DEFAULT_MIN_VALID_SECONDS,
    ) -> None:
        self._sandbox = sandbox
        super().__init__(profile, min_valid=min_valid, store=store)

    def _read_settings(self) -> Settings:
        return read_settings(environ={}, directory=Path(os.devnull))

    def _now(self) -> float:
        return self._sandbox.now()

    def _effects(self, wait: Callable[[float], None]) -> Effects:
        from withings_auth.provider.http import post
        from withings_auth.tokens.renewal import Effects

        def post_to_sandbox(url: str, form: Mapping[str, str], *, access_token: str | None = None) -> Outcome:
            return post(sandbox_url(url, self._sandbox), form, access_token=access_token)

        def let_time_pass(seconds: float) -> None:
            wait(0)
            self._sandbox.advance(seconds)

        return Effects(post=post_to_sandbox, now=self._sandbox.now, wait=let_time_pass)


class SandboxTokenSource(_AtSandbox, TokenSource):
    """A `TokenSource` that lives by a sandbox's clock: what it waits for happens at once."""


class AsyncSandboxTokenSource(_AtSandbox, AsyncTokenSource):
    """An `AsyncTokenSource` that lives by a sandbox's clock: what it waits for happens at once."""
