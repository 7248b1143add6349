"""One call to Withings' API with an access token, as `withings-auth api` makes it.

If Withings refuses the token, which it does with HTTP 200, the token is renewed and the call repeated, both once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from withings_auth.errors import ConfigurationError, ProviderError
from withings_auth.logs import Logger
from withings_auth.model import Token
from withings_auth.provider.failures import call_error
from withings_auth.provider.http import post
from withings_auth.provider.replies import Answer, Failure, Outcome, Post, read_body
from withings_auth.provider.statuses import TOKEN_REFUSED
from withings_auth.threads import interruptibly
from withings_auth.validation import origin, printable

logger = Logger(__name__)

_PATH = re.compile(r"/?([A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*)")
_NAME = re.compile(r"[A-Za-z0-9_]+")
LARGEST_DATA_BYTES = 64 * 1024 * 1024  # a page of Withings' data has a few hundred kilobytes
_EXAMPLE = "for example: withings-auth api measure getmeas meastype=1"


class Source(Protocol):
    """What a call needs of a `TokenSource`."""

    def token(self, *, rejected: str | None = None) -> Token: ...


def post_interruptibly(url: str, form: Mapping[str, str], /, *, access_token: str | None = None) -> Outcome:
    """Does what `http.post` does, but a signal ends the caller's wait at once."""
    return interruptibly(
        lambda: post(url, form, access_token=access_token, largest_body_bytes=LARGEST_DATA_BYTES), "withings-auth call"
    )


def call(source: Source, url: str, form: Mapping[str, str], *, send: Post = post_interruptibly) -> Answer:
    """Posts the form with the source's access token and returns the answer. Blocks.

    The answer may be a refusal (see `read_body`); it refuses the token only if a new token was refused too. Raises
    what `source.token` raises, `ConfigurationError` if the token is for another API, and `ProviderUnavailable` if
    there was no answer.
    """
    token = source.token()
    answer = _call_once(token, url, form, send)
    if _is_refused(answer):
        logger.debug("the access token was refused: trying once more with a new one")
        answer = _call_once(source.token(rejected=token.access_token), url, form, send)
    return answer


def service_path(text: str) -> str:
    """Returns the path of a data service, with a leading slash. Raises `ConfigurationError` if the text is not one.

    The token service is left out: using a refresh token behind the store's back would lose the login.
    """
    found = _PATH.fullmatch(text)
    if found is None or len(text) > 100:
        raise ConfigurationError(f"“{printable(text, limit=80)}” is not a path of Withings' API", hint=_EXAMPLE)
    if found[1].rpartition("/")[2].lower() in {"oauth2", "signature"}:
        raise ConfigurationError(
            f"“{found[1]}” is only for logins and renewals",
            hint="for a token that works: withings-auth token; for a new login: withings-auth login",
        )
    return f"/{found[1]}"


def form_of(action: str, parameters: Iterable[str]) -> dict[str, str]:
    """Returns the form for an action and its parameters (NAME=VALUE). Raises `ConfigurationError`."""
    if _NAME.fullmatch(action) is None:
        raise ConfigurationError(f"“{printable(action, limit=80)}” is not an action of Withings' API", hint=_EXAMPLE)
    form = {"action": action}
    for parameter in parameters:
        name, given, value = parameter.partition("=")
        if not given or _NAME.fullmatch(name) is None:
            # The text is not shown: it may be a token.
            raise ConfigurationError(f"parameter {len(form)} is not NAME=VALUE", hint=_EXAMPLE)
        if name in form:
            raise ConfigurationError(f"“{printable(name, limit=80)}” is given twice", hint=_EXAMPLE)
        if re.search("[\ud800-\udfff]", value):  # how Python represents bytes that are not UTF-8
            raise ConfigurationError(f"the value of “{name}” is not UTF-8", hint=_EXAMPLE)
        form[name] = value
    return form


def body_of(answer: Answer) -> dict[str, Any]:
    """Returns the body of the answer's envelope. Raises the error for a refusal."""
    if answer.http_status == 404:  # `read_body` would take the HTML page for an outage
        hint = "check the path, such as measure, v2/user or v2/sleep: https://developer.withings.com/api-reference/"
        raise ProviderError("Withings has no service at this path (HTTP 404)", hint=hint)
    result = read_body(answer)
    if isinstance(result, Failure):
        raise call_error(result)
    return result


def _call_once(token: Token, url: str, form: Mapping[str, str], send: Post) -> Answer:
    if origin(url) != token.api_origin:
        raise ConfigurationError("the access token is for another address", hint=f"it is for {token.api_origin}")
    outcome = send(url, form, access_token=token.access_token)
    if not isinstance(outcome, Answer):
        raise call_error(outcome)
    return outcome


def _is_refused(answer: Answer) -> bool:
    result = read_body(answer)
    return isinstance(result, Failure) and TOKEN_REFUSED in {answer.http_status, result.status}
