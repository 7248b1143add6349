"""One call to Withings' API with a person's access token, as `withings-auth api` makes it.

Withings says in HTTP 200 that a token is dead. Then it is renewed once, and the call repeated once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from withings_auth.errors import ConfigurationError
from withings_auth.exchange import post
from withings_auth.failures import call_error
from withings_auth.model import Token
from withings_auth.outside import origin
from withings_auth.protocol import Answer, Failure, Outcome, read_body
from withings_auth.statuses import refuses_the_token


class Source(Protocol):
    """What `TokenSource` does."""

    def token(self, *, rejected: str | None = None) -> Token: ...


class Post(Protocol):
    """What `exchange.post` does."""

    def __call__(self, url: str, form: Mapping[str, str], /, *, access_token: str) -> Outcome: ...


def call(source: Source, url: str, form: Mapping[str, str], *, send: Post = post) -> Answer:
    """Posts the form with the source's access token, and returns the answer. Blocks.

    The answer may be a refusal, which `read_body` tells; one that refuses the token is returned only where a new token
    fared no better. Raises what `source.token` raises, `ConfigurationError` where the URL is not of the API that the
    token is for, and `ProviderUnavailable` where no answer came.
    """
    token = source.token()
    answer = _answer(token, url, form, send)
    if _is_refused(answer):
        answer = _answer(source.token(rejected=token.access_token), url, form, send)
    return answer


def _answer(token: Token, url: str, form: Mapping[str, str], send: Post) -> Answer:
    if origin(url) != token.api_origin:
        raise ConfigurationError("the access token is not for this address", hint=f"it is for {token.api_origin}")
    outcome = send(url, form, access_token=token.access_token)
    if not isinstance(outcome, Answer):
        raise call_error(outcome)
    return outcome


def _is_refused(answer: Answer) -> bool:
    result = read_body(answer)
    return isinstance(result, Failure) and (answer.http_status == 401 or refuses_the_token(result.status))
