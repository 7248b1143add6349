"""Whether Withings lets the access token in: one call, the cheapest that the granted scopes allow.

A token that is dead is renewed first, which is what a monitor wants to know about too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from withings_auth.errors import LoginRequired, ProviderError, login_hint
from withings_auth.provider.calls import Source, body_of, call, post_interruptibly
from withings_auth.provider.repeat_guard import ask_past_guard
from withings_auth.provider.replies import Post
from withings_auth.provider.statuses import TOKEN_REFUSED


def cheapest_call(scopes: Collection[str], now: float) -> tuple[str, dict[str, str]] | None:
    """Returns the path and the form of a call that these scopes allow, None where they allow none of the two.

    The weights that have changed since now come first: that answer is empty, and the request differs from second to
    second, so that two checks in a row are not taken for the same one. The devices were asked for at login already.
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
    """Has Withings say that the access token works; returns False where no scope allows to ask. Blocks.

    Raises what `source.token` raises, `LoginRequired` also where a new token is refused as well, `ProviderUnavailable`
    where no answer came, and `ProviderError` where Withings refuses the call for another reason.
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
            raise LoginRequired(f"{error}; a new one fared no better", hint=login_hint(profile)) from error
        raise
