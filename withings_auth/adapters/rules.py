"""What the three adapters share: where a token may be sent, and which answers refuse it.

Withings refuses a token with HTTP 200 and status 401 in the body.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from withings_auth.errors import ConfigurationError
from withings_auth.provider.statuses import TOKEN_REFUSED
from withings_auth.validation import PORT_OF_SCHEME

if TYPE_CHECKING:
    from withings_auth.model import Token
    from withings_auth.tokens.source import AsyncTokenSource, TokenSource

LARGEST_REFUSAL_BYTES = 65_536  # a refusal has about 150 bytes; anything larger is data


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
    """Whether only the body can tell if the token was refused: HTTP 200, JSON, and not too large for a refusal."""
    media_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    length = headers.get("Content-Length", "")
    small = not length.isdecimal() or int(length) <= LARGEST_REFUSAL_BYTES
    return http_status == 200 and media_type.endswith(("/json", "+json")) and small


def body_refuses(body: bytes) -> bool:
    """Whether a JSON body with HTTP 200 refuses the access token."""
    if len(body) > LARGEST_REFUSAL_BYTES:
        return False
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return False
    status = content.get("status") if isinstance(content, dict) else None
    return type(status) is int and status == TOKEN_REFUSED


def is_refusal(http_status: int, headers: Mapping[str, str], read: Callable[[], bytes]) -> bool:
    """Whether an answer refuses the access token; `read` returns its body, and is called only if it is needed."""
    if needs_reading(http_status, headers):
        return body_refuses(read())
    return http_status == TOKEN_REFUSED


def refuse_other_kind(source: TokenSource | AsyncTokenSource, *, awaited: bool, adapter: str) -> None:
    """Raises `TypeError` if a blocking adapter is given an async source, or the other way round."""
    if inspect.iscoroutinefunction(source.token) != awaited:
        raise TypeError(f"{adapter} takes {'an AsyncTokenSource' if awaited else 'a TokenSource'}")


def _origin(scheme: str, host: str | None, port: int | None) -> tuple[str, str, int | None]:
    scheme = scheme.lower()
    return scheme, (host or "").lower(), PORT_OF_SCHEME.get(scheme) if port is None else port
