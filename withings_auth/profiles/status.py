"""How a login stands, as far as this machine knows: nothing is asked of Withings, renewed or changed.

Withings documents that a refresh token lives for a year, and each renewal brings a new one ("Access and refresh
tokens"). What a person has ended at Withings meanwhile shows only when Withings is asked (`checking`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from withings_auth.errors import LockBusy
from withings_auth.model import Grant
from withings_auth.store.base import SecretStore
from withings_auth.store.records import stored_app, stored_grant, token_name
from withings_auth.tokens.journal import Journal
from withings_auth.validation import origin

LOGIN_LIFE_SECONDS = 365 * 86_400
LAST_MONTH_SECONDS = 30 * 86_400
LOCK_PATIENCE_SECONDS = 0.5  # for others that look too; a renewal takes longer, and is not waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a profile's login stands at the moment `seen_at`; all moments are Unix seconds.

    `secret_known` is whether the client secret, which a renewal needs, is at hand. `unknown_until` is until when a
    renewal whose answer was lost can be repeated for sure; None where none was, and while `renewal_under_way`.
    """

    profile: str
    grant: Grant
    seen_at: float
    secret_known: bool
    unknown_until: float | None = None
    renewal_under_way: bool = False

    @property
    def access_token_valid(self) -> bool:
        """Whether the access token has life left."""
        return self.grant.seconds_left(self.seen_at) > 0

    @property
    def ends_at(self) -> int:
        """When the refresh token ends: a year after it was issued."""
        return self.grant.obtained_at + LOGIN_LIFE_SECONDS

    @property
    def has_ended(self) -> bool:
        """Whether that year is over."""
        return self.seen_at >= self.ends_at

    @property
    def ends_soon(self) -> bool:
        """Whether that year is in its last month, or over."""
        return self.seen_at >= self.ends_at - LAST_MONTH_SECONDS

    @property
    def usable(self) -> bool:
        """Whether a program that asks for a token can expect one."""
        return self.access_token_valid or (self.secret_known and not self.has_ended)

    @property
    def service(self) -> str:
        """Where the login holds, as the beginning of a URL."""
        return origin(self.grant.token_url)

    def fields(self) -> dict[str, object]:
        """Returns what a program may read of it: no secret."""
        return {
            "profile": self.profile,
            "logged_in": True,
            "usable": self.usable,
            "userid": self.grant.userid,
            "scopes": list(self.grant.scopes),
            "service": self.service,
            "client_id": self.grant.client_id,
            "client_secret_known": self.secret_known,
            "access_token_valid": self.access_token_valid,
            "access_token_expires_at": self.grant.expires_at,
            "renewed_at": self.grant.obtained_at,
            "login_ends_at": self.ends_at,
            "login_ends_soon": self.ends_soon,
            "renewal_under_way": self.renewal_under_way,
            "renewal_unknown_until": None if self.unknown_until is None else int(self.unknown_until),
        }


def standing(
    store: SecretStore, profile: str, now: float, *, secret_of: Callable[[str], str | None] = lambda _: None
) -> Standing | None:
    """Returns how the profile's login stands, None where nobody is logged in.

    `secret_of` returns the client secret that is known of an app without the store. A renewal under way is not
    waited for. Raises `StoreError`.
    """
    grant = stored_grant(store, profile)
    if grant is None:
        return None
    unknown_until, under_way = None, False
    try:
        with store.lock(token_name(profile), LOCK_PATIENCE_SECONDS) as notes:
            unknown_until = Journal(notes, grant).deadline  # notes on a successor, saved just now, count as none
    except LockBusy:
        under_way = True
    return Standing(
        profile=profile,
        grant=grant,
        seen_at=now,
        secret_known=(secret_of(grant.client_id) or stored_app(store, grant.client_id)) is not None,
        unknown_until=unknown_until,
        renewal_under_way=under_way,
    )
