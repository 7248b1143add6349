"""Withings: whether it answers, what time it is there, whether it accepts the app and the login."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from withings_auth.config.settings import Settings
from withings_auth.doctor.results import Result, failed, ok, skipped, warning
from withings_auth.errors import ProviderError, WithingsAuthError, login_hint, secret_hint
from withings_auth.model import App
from withings_auth.profiles.status import CANNOT_CHECK, OUTCOME_UNKNOWN, SECRET_MISSING, LoginStatus
from withings_auth.provider.check import check
from withings_auth.provider.failures import signed_error
from withings_auth.provider.http import post
from withings_auth.provider.repeat_guard import ask_past_guard
from withings_auth.provider.replies import CHECK_NETWORK, Answer, NotSent, Outcome, Post
from withings_auth.provider.signed import SIGNATURE_PATH, check_app
from withings_auth.provider.statuses import lacks_permission
from withings_auth.store.base import SecretStore
from withings_auth.tokens.source import TokenSource, refuse_contradiction
from withings_auth.wording import local_time, span

REQUEST_SECONDS = 5.0
SUSPECT_SECONDS = 30.0  # the life of an authorization code
TOO_FAR_SECONDS = 300.0

_post: Post = partial(post, time_limit_seconds=REQUEST_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The outcome of a first request, and our clock before and after it (Unix seconds)."""

    outcome: Outcome
    before: float
    after: float


def ask(api_url: str, *, send: Post = _post, now: Callable[[], float] = time.time) -> Reply:
    """Sends Withings a request that names no app and no user: a refusal has a date too."""
    before = now()
    outcome = send(f"{api_url}{SIGNATURE_PATH}", {"action": "getnonce"})
    return Reply(outcome=outcome, before=before, after=now())


def check_clock(reply: Reply) -> Result:
    """Compares our clock with the date of the reply."""
    if not isinstance(reply.outcome, Answer):
        error = signed_error(reply.outcome)
        nothing_found = not isinstance(reply.outcome, NotSent) or reply.outcome.remedy == CHECK_NETWORK
        more = "; if you need a proxy, name it in HTTPS_PROXY" if nothing_found else ""
        return failed(str(error), f"{error.hint}{more}")
    if reply.outcome.date is None:
        return warning("cannot tell: the answer from Withings has no date")
    # The date is truncated to whole seconds, and was taken at some time between the two.
    off = (reply.before + reply.after) / 2 - (reply.outcome.date + 0.5)
    if abs(off) <= (reply.after - reply.before) / 2 + 1:
        return ok("agrees with Withings' to the second")
    distance = round(abs(off)) if abs(off) < 120 else 60 * round(abs(off) / 60)
    words = f"{span(distance)} {'ahead of' if off > 0 else 'behind'} Withings'"
    if abs(off) <= SUSPECT_SECONDS:
        return ok(words)
    remedy = (
        "set it from the network (timedatectl set-ntp true): codes live for 30 seconds, and signatures contain the time"
    )
    return (failed if abs(off) > TOO_FAR_SECONDS else warning)(words, remedy)


def check_credentials(
    client_id: str, client_secret: str, api_url: str, *, send: Post = _post, wait: Callable[[float], None] = time.sleep
) -> Result:
    """Asks Withings whether client id and secret belong together. Raises `ConfigurationError` if they do not."""
    app = App(client_id=client_id, client_secret=client_secret)
    try:
        ask_past_guard(lambda: check_app(app, api_url, send=send), wait=wait)
    except ProviderError as error:
        if error.temporary:
            return warning(f"cannot tell: {error}", error.hint)
        if lacks_permission(error.status):
            # The service is documented, but not whether free apps may use it.
            return skipped(f"cannot tell: {error}")
        raise
    return ok("Withings accepts this client id with this client secret")


def check_login(status: LoginStatus | None, settings: Settings, *, offline: bool) -> Result:
    """Says how long the login lasts and what is wrong with it. Raises `ConfigurationError` if it is another app's.

    Unless `offline`, Withings is asked next, and its answer counts more than a refusal that is remembered.
    """
    profile = settings.profile
    if status is None:
        return warning("nobody is logged in", login_hint(profile))
    refuse_contradiction(profile, status.grant, settings, None)
    words = f"user {status.grant.userid}, {', '.join(status.grant.scopes)}; lasts until {local_time(status.ends_at)}"
    if status.ended_early:
        verdict = failed if offline or status.practice_ended else warning
        return verdict(f"user {status.grant.userid}; it {status.problem}", status.remedy)
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


def check_token(store: SecretStore, status: LoginStatus, *, wait: Callable[[float], None]) -> Result:
    """Asks Withings whether the access token works; an expired one is renewed first, as for any program."""
    source = TokenSource(status.profile, store=store, ask_anew=True)
    try:
        accepted = check(source, status.profile, status.grant.api_url, wait=wait)
    except WithingsAuthError as error:
        if not error.temporary:
            raise
        return warning(f"cannot tell: {error}", error.hint)
    return ok("Withings accepts the access token" if accepted else f"got a token; {CANNOT_CHECK}")
