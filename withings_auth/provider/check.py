"""Whether Withings accepts the access token: one call, the cheapest that the granted scopes allow.

An expired token is renewed first, so a monitor learns about that too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from withings_auth.errors import LoginRequired, ProviderError, ended_hint
from withings_auth.provider.calls import Source, body_of, call, post_interruptibly
from withings_auth.provider.repeat_guard import ask_past_guard
from withings_auth.provider.replies import Post
from withings_auth.provider.statuses import TOKEN_REFUSED


def cheapest_call(scopes: Collection[str], now: float) -> tuple[str, dict[str, str]] | None:
    """Returns the path and the form of the cheapest call that these scopes allow; None if they allow neither.

    Best are the weights that have changed since now: the answer is empty, and the request differs every second, so
    two checks in a row are not refused as a repetition. The list of devices was already requested at login.
    """
    if "user.metrics" in scopes:
        return "/measure", {"action": "getmeas", "meastype": "1", "lastupdate": str(int(now))}
    if "user.info" in scopes:
        return "/v2/user", {"action": "getdevice"}
    return None


def check(
    source: Source,
    profile: str,
    api_url: str,
    *,
    send: Post = post_interruptibly,
    now: Callable[[], float] = time.time,
    wait: Callable[[float], None] = time.sleep,
) -> bool:
    """Checks with Withings that the access token works; returns False if no granted scope allows that. Blocks.

    Raises what `source.token` raises, `LoginRequired` also if a new token is refused too, `ProviderUnavailable` if
    there was no answer, and `ProviderError` if Withings refuses the call for another reason.
    """

    def ask() -> bool:
        cheapest = cheapest_call(source.token().scopes, now())
        if cheapest is None:
            return False
        path, form = cheapest
        body_of(call(source, f"{api_url}{path}", form, send=send))
        return True

    try:
        return ask_past_guard(ask, wait=wait)
    except ProviderError as error:
        if error.status == TOKEN_REFUSED:
            raise LoginRequired(f"{error}; a new one was refused too", hint=ended_hint(profile)) from error
        raise
