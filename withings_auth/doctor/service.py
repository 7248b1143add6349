"""Withings: whether it answers, what time it says, whether it knows the app, and whether the login holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from withings_auth.config.settings import Settings
from withings_auth.doctor.findings import Found, failed, ok, skipped, warning
from withings_auth.errors import (
    LoginRequired,
    ProviderError,
    ProviderUnavailable,
    WithingsAuthError,
    login_hint,
    secret_hint,
)
from withings_auth.model import App
from withings_auth.profiles.status import CANNOT_CHECK, OUTCOME_UNKNOWN, SECRET_MISSING, LoginStatus, read_status
from withings_auth.provider.check import check
from withings_auth.provider.failures import signed_error
from withings_auth.provider.http import post
from withings_auth.provider.repeat_guard import ask_past_guard
from withings_auth.provider.replies import Answer, Outcome, Post
from withings_auth.provider.signed import SIGNATURE_PATH, check_app
from withings_auth.provider.statuses import lacks_permission
from withings_auth.store.base import SecretStore
from withings_auth.tokens.source import TokenSource, refuse_contradiction
from withings_auth.wording import local_time, span

REQUEST_SECONDS = 5.0
WORTH_A_LOOK_SECONDS = 30.0  # the life of an authorization code
TOO_FAR_SECONDS = 300.0

_post: Post = partial(post, time_limit_seconds=REQUEST_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came of a first request, and between which two moments of our clock (Unix seconds)."""

    outcome: Outcome
    before: float
    after: float


def ask(api_url: str, *, send: Post = _post, now: Callable[[], float] = time.time) -> Asked:
    """Asks the token service's host for anything: a refusal bears its date as well.

    The request names no app and no person.
    """
    before = now()
    outcome = send(f"{api_url}{SIGNATURE_PATH}", {"action": "getnonce"})
    return Asked(outcome=outcome, before=before, after=now())


def clock(asked: Asked) -> Found:
    """Compares our clock with the date that the answer bears."""
    if not isinstance(asked.outcome, Answer):
        error = signed_error(asked.outcome)
        return failed(str(error), f"{error.hint}; where a proxy is needed, HTTPS_PROXY must name it")
    if asked.outcome.date is None:
        return warning("cannot tell: the answer from Withings bears no date")
    # The date has whole seconds, cut off, and is of some moment between the two.
    off = (asked.before + asked.after) / 2 - (asked.outcome.date + 0.5)
    if abs(off) <= (asked.after - asked.before) / 2 + 1:
        return ok("as Withings' own, to the second")
    distance = round(abs(off)) if abs(off) < 120 else 60 * round(abs(off) / 60)
    words = f"{span(distance)} {'ahead of' if off > 0 else 'behind'} Withings'"
    if abs(off) <= WORTH_A_LOOK_SECONDS:
        return ok(words)
    remedy = "have it set by the network (timedatectl set-ntp true): codes live 30 seconds, signatures bear the time"
    return (failed if abs(off) > TOO_FAR_SECONDS else warning)(words, remedy)


def app_accepted(
    client_id: str,
    client_secret: str,
    api_url: str,
    *,
    send: Post = _post,
    wait: Callable[[float], None] = time.sleep,
) -> Found:
    """Has Withings say whether client id and secret belong together. Raises `ConfigurationError` where they do not."""
    app = App(client_id=client_id, client_secret=client_secret)
    try:
        ask_past_guard(lambda: check_app(app, api_url, send=send), wait=wait)
    except ProviderUnavailable as error:
        return warning(f"cannot tell: {error}", error.hint)
    except ProviderError as error:
        if lacks_permission(error.status):
            # The service is documented, and nobody has said whether free apps may use it.
            return skipped(f"cannot tell: {error}")
        raise
    return ok("Withings accepts this client id with this client secret")


def login(status: LoginStatus | None, settings: Settings) -> Found:
    """Says how long the login lasts and what is wrong with it. Raises `ConfigurationError` if it is another app's."""
    profile = settings.profile
    if status is None:
        return warning("nobody is logged in", login_hint(profile))
    refuse_contradiction(profile, status.grant, settings, None)
    words = f"user {status.grant.userid}, {', '.join(status.grant.scopes)}; lasts until {local_time(status.ends_at)}"
    if not status.usable:
        return failed(f"{words}; it {status.problem}", status.remedy)
    if status.unknown_until is not None:
        until = local_time(status.unknown_until)
        return warning(
            f"{words}; {OUTCOME_UNKNOWN}", f"a retry is certain to work only before {until}: withings-auth token"
        )
    if not status.secret_known:
        return warning(f"{words}; {SECRET_MISSING}", secret_hint(profile))
    if status.ends_soon:
        return warning(f"{words}, which is soon", "renew it: withings-auth token --renew")
    return ok(words)


def login_status(store: SecretStore, settings: Settings) -> LoginStatus | None:
    """Returns the status of the profile's login; None if nobody is logged in. Raises `StoreError`."""
    return read_status(store, settings.profile, time.time(), secret_of=settings.secret_of)


def token(store: SecretStore, profile: str, api_url: str, *, wait: Callable[[float], None]) -> Found:
    """Has Withings say whether the access token works; a dead one is renewed first, as any program would."""
    try:
        asked = check(TokenSource(profile, store=store), profile, api_url, wait=wait)
    except LoginRequired:
        raise
    except WithingsAuthError as error:
        if not error.temporary:
            raise
        return warning(f"cannot tell: {error}", error.hint)
    if asked:
        return ok("Withings accepts the access token")
    return ok(f"got a token; {CANNOT_CHECK}")
