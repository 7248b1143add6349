"""The status of a login, as this machine knows it: Withings is not asked, and nothing is renewed or changed.

A refresh token lives for a year, and each renewal issues a new one (developer.withings.com, "Access and refresh
tokens"). Whether the user has ended the login at Withings shows only when a renewal is refused, which is remembered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from withings_auth.errors import LockBusy, StoreError, ended_hint, login_hint, secret_hint
from withings_auth.model import Grant
from withings_auth.store.base import SecretStore, clock_offset, is_read_only, together
from withings_auth.store.looks import Look, look_at
from withings_auth.store.memory_store import MemoryNotes
from withings_auth.store.records import (
    all_profiles,
    app_name,
    profiles_among,
    read_app,
    stored_app,
    stored_grant,
    token_name,
)
from withings_auth.tokens.journal import Journal
from withings_auth.tokens.practice import PRACTICE_END, PRACTICE_HINT, practice_has_ended
from withings_auth.validation import origin
from withings_auth.wording import local_time

LOGIN_LIFE_SECONDS = 365 * 86_400
LAST_MONTH_SECONDS = 30 * 86_400
STATUS_LOCK_SECONDS = 0.5  # enough for another reader to finish; a renewal takes longer and is not waited for

SECRET_MISSING = "the app's client secret is no longer saved"  # noqa: S105  words, not a password
OUTCOME_UNKNOWN = "the outcome of the last renewal is unknown"
CANNOT_CHECK = "the granted scopes allow no call that would check the token"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginStatus:
    """The status of a profile's login at `seen_at`; all times are Unix seconds.

    `secret_known` says whether the client secret, which a renewal needs, is at hand. With `read_only`, somebody else
    renews this login, and is supposed to have it. If the answer to a renewal was lost, `unknown_until` is how long
    repeating it is certain to work; `refused_at` is when Withings definitely refused one. Otherwise, and during a
    renewal, they are None. `practice_ended` says that the sandbox of a login that was made for practice has stopped.
    """

    profile: str
    grant: Grant
    seen_at: float
    secret_known: bool
    unknown_until: float | None = None
    refused_at: float | None = None
    renewal_under_way: bool = False
    practice_ended: bool = False
    read_only: bool = False

    @property
    def access_token_valid(self) -> bool:
        """Whether the access token has life left."""
        return self.grant.seconds_left(self.seen_at) > 0

    @property
    def ends_at(self) -> int:
        """When the refresh token expires: a year after it was issued."""
        return self.grant.obtained_at + LOGIN_LIFE_SECONDS

    @property
    def ended_early(self) -> bool:
        """Whether the login has ended before that year is over, and its access token most likely with it."""
        return self.refused_at is not None or self.practice_ended

    @property
    def has_ended(self) -> bool:
        """Whether that year is over, or the login has ended before."""
        return self.ended_early or self.seen_at >= self.ends_at

    @property
    def ends_soon(self) -> bool:
        """Whether that year is in its last month, or over."""
        return self.seen_at >= self.ends_at - LAST_MONTH_SECONDS

    @property
    def usable(self) -> bool:
        """Whether a program that asks for a token can expect one."""
        if self.ended_early:
            return False  # even if there is life in its access token
        return self.access_token_valid or (self.secret_known and not self.has_ended)

    @property
    def problem(self) -> str:
        """Why the login is not usable, to follow “the login”."""
        if self.refused_at is not None:
            return f"has ended: Withings refused to renew it on {local_time(self.refused_at)}"
        if self.practice_ended:
            return f"has ended: {PRACTICE_END}"
        if self.has_ended:
            return "has ended: it was last renewed over a year ago"
        return f"cannot be renewed: {SECRET_MISSING}"

    @property
    def remedy(self) -> str:
        """What makes a login that is not usable usable again."""
        if self.refused_at is not None:
            return ended_hint(self.profile)
        if self.practice_ended:
            return PRACTICE_HINT
        return login_hint(self.profile) if self.has_ended else secret_hint(self.profile)

    @property
    def access_token_state(self) -> str:
        """What to say about the access token."""
        if self.ended_early and self.access_token_valid:
            return "most likely ended"
        if self.access_token_valid:
            return f"valid until {local_time(self.grant.expires_at)}"
        if not self.usable:
            return "expired"
        return "expired; somebody else must renew it" if self.read_only else "expired, renewed on next use"

    @property
    def service(self) -> str:
        """The service that issued the login, as the beginning of a URL."""
        return origin(self.grant.token_url)

    def fields(self) -> dict[str, object]:
        """Returns what a program may read; none of it is secret."""
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
            "renewal_refused_at": None if self.refused_at is None else int(self.refused_at),
        }


def read_status(
    store: SecretStore, profile: str, now: float, *, secret_of: Callable[[str], str | None] = lambda _: None
) -> LoginStatus | None:
    """Returns the status of the profile's login, None if nobody is logged in. Raises `StoreError`.

    `secret_of` returns the client secret of an app if it is known without the store. A renewal under way is not
    waited for. `now` and the times in the status are this machine's, whatever the store's clock says.
    """
    return _Reader(store, secret_of, look_at(store, [token_name(profile)])).read(profile, now)


def read_statuses(
    store: SecretStore, usual_profile: str, *, secret_of: Callable[[str], str | None] = lambda _: None
) -> dict[str, LoginStatus | StoreError]:
    """Returns the status of every profile's login, or why it cannot be read, sorted by profile. Raises `StoreError`.

    A store that can be looked at as a whole is asked once.
    """
    statuses: dict[str, LoginStatus | StoreError] = {}
    with together(store):
        looks = look_at(store)
        reader = _Reader(store, secret_of, looks)
        for profile in all_profiles(store, usual_profile) if looks is None else sorted(profiles_among(looks)):
            try:
                status = reader.read(profile, time.time())
            except StoreError as error:
                statuses[profile] = error
            else:
                statuses |= {profile: status} if status is not None else {}
    return statuses


class _Reader:
    """Reads logins from a store, or from what one look at it has found."""

    def __init__(
        self, store: SecretStore, secret_of: Callable[[str], str | None], looks: Mapping[str, Look] | None
    ) -> None:
        self._store = store
        self._looks = looks
        self._secret_of = secret_of
        self._has_secret = cache(self._find_secret)  # many profiles have the same app

    def read(self, profile: str, now: float) -> LoginStatus | None:
        if self._looks is None:
            grant = stored_grant(self._store, profile)
            return None if grant is None else self._status(profile, grant, now, self._under_lock(profile, grant))
        look = self._looks.get(token_name(profile))
        if look is None:
            return None
        grant = Grant.from_record(_text(look))
        journal = None if look.is_held else Journal(MemoryNotes({profile: look.note or ""}, profile), grant)
        # The look at the lock may have been a moment later than that at the note of a renewal.
        if journal is not None and journal.deadline is not None and not is_read_only(self._store):
            journal = self._under_lock(profile, grant)
        return self._status(profile, grant, now, journal)

    def _under_lock(self, profile: str, grant: Grant) -> Journal | None:
        """Returns the journal of the grant; None during a renewal, which is not waited for."""
        try:
            with self._store.lock(token_name(profile), STATUS_LOCK_SECONDS) as held:
                return Journal(held.notes, grant)  # empty if a successor was saved just now
        except LockBusy:
            return None

    def _status(self, profile: str, grant: Grant, now: float, journal: Journal | None) -> LoginStatus:
        ahead = clock_offset(self._store)
        unknown_until, refusal = (None, None) if journal is None else (journal.deadline, journal.refusal)
        return LoginStatus(
            profile=profile,
            grant=grant.by_clock(-ahead),
            seen_at=now,
            secret_known=self._has_secret(grant.client_id),
            unknown_until=None if unknown_until is None else unknown_until - ahead,
            refused_at=None if refusal is None else refusal.at - ahead,
            renewal_under_way=journal is None,
            practice_ended=practice_has_ended(profile, grant.token_url),
            read_only=is_read_only(self._store),
        )

    def _find_secret(self, client_id: str) -> bool:
        if is_read_only(self._store) or self._secret_of(client_id) is not None:
            return True
        look = (self._looks or {}).get(app_name(client_id))
        return (stored_app(self._store, client_id) if look is None else read_app(_text(look), client_id)) is not None


def _text(look: Look) -> str:
    if isinstance(look.text, StoreError):
        raise look.text
    return look.text
