"""A login of another tool, and everything it takes to import it without waiting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tests.support.stores import save_record
from tests.tokens.scene import HOUR, START, Clock
from withings_auth.model import App, Grant
from withings_auth.profiles.adopt import adopt
from withings_auth.profiles.foreign import ForeignLogin
from withings_auth.provider.http import post
from withings_auth.provider.replies import Outcome, Post
from withings_auth.sandbox import Sandbox
from withings_auth.store.base import SecretStore
from withings_auth.store.records import token_name
from withings_auth.tokens.renewal import Effects


@dataclass(slots=True, kw_only=True)
class Import:
    """A store, a Withings, and the login of another tool that is about to be imported."""

    store: SecretStore
    sandbox: Sandbox
    clock: Clock
    login: ForeignLogin
    sent_at: list[float] = field(default_factory=list)

    @property
    def app(self) -> App:
        return App(client_id=self.sandbox.client_id, client_secret=self.sandbox.client_secret)

    def post(self, url: str, form: Mapping[str, str], **_: object) -> Outcome:
        self.sent_at.append(self.clock())
        return post(url, form)

    def adopt(
        self,
        login: ForeignLogin | None = None,
        *,
        app: App | None = None,
        profile: str = "default",
        replace: bool = False,
        send: Post | None = None,
        store: SecretStore | None = None,
    ) -> Grant:
        return adopt(
            store or self.store,
            profile,
            login or self.login,
            app or self.app,
            self.sandbox.endpoints.token_url,
            replace=replace,
            effects=Effects(post=send or self.post, now=self.clock, wait=self.clock.wait, steady=self.clock),
        )

    def save_login(self, userid: str, *, profile: str = "default", **changes: str) -> Grant:
        """Saves an earlier login of the user under the profile."""
        grant = Grant(
            access_token="earlier-access",
            refresh_token="earlier-refresh",
            obtained_at=int(START),
            expires_at=int(START) + 3 * HOUR,
            scopes=("user.info",),
            userid=userid,
            client_id=self.sandbox.client_id,
            token_url=self.sandbox.endpoints.token_url,
        )
        grant = replace(grant, **changes)  # type: ignore[arg-type]  # strings only
        save_record(self.store, token_name(profile), grant.to_record())
        return grant
