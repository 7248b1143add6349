"""What the three adapters share: where a token may be sent, and which answers are worth another try.

Withings refuses a token with HTTP 200 and status 401 in the body, and a request that comes too soon with status 601.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from withings_auth.errors import ConfigurationError
from withings_auth.provider.repeat_guard import LONGEST_GUARD_WAIT_SECONDS, REPEAT_GUARD_SECONDS
from withings_auth.provider.replies import retry_after_seconds
from withings_auth.provider.statuses import LARGEST_REFUSAL_BYTES, TOKEN_REFUSED, TOO_MANY_REQUESTS
from withings_auth.validation import PORT_OF_SCHEME, whole_number

if TYPE_CHECKING:
    from withings_auth.model import Token
    from withings_auth.tokens.source import AsyncTokenSource, TokenSource

LONGEST_WAIT_SECONDS = LONGEST_GUARD_WAIT_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """What comes before a request is sent again: its token is renewed, or some seconds pass."""

    renews: bool
    wait_seconds: float


class Attempts:
    """Decides which answers to one request are worth another try: one with a renewed token, and one after a wait."""

    def __init__(self, *, longest_wait: float) -> None:
        self._longest_wait = longest_wait
        self._worth_another = {TOKEN_REFUSED, TOO_MANY_REQUESTS} if longest_wait > 0 else {TOKEN_REFUSED}

    def judge(self, http_status: int, headers: Mapping[str, str], body: bytes | None) -> Retry | None:
        """Returns what to do before the next try; None if this answer is the caller's.

        `body` is None if it does not need reading.
        """
        content = {} if body is None else _read(body)
        status = http_status if body is None else content.get("status")
        seconds = _wait_seconds(content, headers) if status == TOO_MANY_REQUESTS else 0.0
        if type(status) is not int or status not in self._worth_another or seconds > self._longest_wait:
            return None
        self._worth_another.remove(status)
        return Retry(renews=status == TOKEN_REFUSED, wait_seconds=seconds)


def place(
    token: Token,
    headers: MutableMapping[str, str],
    *,
    scheme: str,
    host: str | None,
    port: int | None,
    keeps_on_upgrade: str = "",
) -> bool:
    """Adds the token to a request to its API's origin, and removes it from a request to any other.

    Returns whether it was added. Other credentials for other origins are left alone. `keeps_on_upgrade` names a library
    that keeps the header if http on port 80 redirects to https on port 443 of the same host, as requests and httpx do:
    raises `ConfigurationError` if that could carry the token from the API to another origin.
    """
    api = urlsplit(token.api_origin)
    api_origin = _origin(api.scheme, api.hostname, api.port)
    at_api = bool(host) and _origin(scheme, host, port) == api_origin
    if at_api and keeps_on_upgrade and (api_origin[0], api_origin[2]) == ("http", 80):
        raise ConfigurationError(
            f"{keeps_on_upgrade} would send the access token along if http://{api_origin[1]} redirected to https",
            hint="use another port than 80 for the API, or https",
        )
    if at_api:
        headers["Authorization"] = bearer(token)
    elif carries(token, headers):
        del headers["Authorization"]
    return at_api


def carries(token: Token, headers: Mapping[str, str]) -> bool:
    """Whether the headers have exactly this token."""
    return headers.get("Authorization") == bearer(token)


def bearer(token: Token) -> str:
    """Returns the value of the Authorization header."""
    return f"Bearer {token.access_token}"


def needs_reading(http_status: int, headers: Mapping[str, str]) -> bool:
    """Whether only the body can tell if this is a refusal: HTTP 200, JSON, and not too large for one."""
    media_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    length = headers.get("Content-Length", "")
    small = not length.isdecimal() or int(length) <= LARGEST_REFUSAL_BYTES
    return http_status == 200 and media_type.endswith(("/json", "+json")) and small


def refuse_other_kind(source: TokenSource | AsyncTokenSource, *, awaited: bool, adapter: str) -> None:
    """Raises `TypeError` if a blocking adapter is given an async source, or the other way round."""
    if inspect.iscoroutinefunction(source.token) != awaited:
        raise TypeError(f"{adapter} takes {'an AsyncTokenSource' if awaited else 'a TokenSource'}")


def _read(body: bytes) -> dict[str, Any]:
    """Returns the JSON object of a body that may be a refusal; an empty one if it is none."""
    if len(body) > LARGEST_REFUSAL_BYTES:
        return {}
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _wait_seconds(content: Mapping[str, Any], headers: Mapping[str, str]) -> float:
    """Returns how long Withings asks to wait; the time of its guard if it does not say."""
    body = content.get("body")
    seconds: float | None = whole_number(body.get("wait_seconds")) if isinstance(body, dict) else None
    if seconds is None or seconds < 0:
        seconds = retry_after_seconds(headers)
    return REPEAT_GUARD_SECONDS if seconds is None else seconds


def _origin(scheme: str, host: str | None, port: int | None) -> tuple[str, str, int | None]:
    scheme = scheme.lower()
    return scheme, (host or "").lower(), PORT_OF_SCHEME.get(scheme) if port is None else port
