"""Answers of the token service, to read."""

from __future__ import annotations

import json

from withings_auth.model import ALL_SCOPES, App
from withings_auth.provider.replies import (
    Answer,
    Failure,
    TokenReply,
    read_token_reply,
)

TOKENS: dict[str, object] = {
    "userid": "38210457",
    "access_token": "a" * 40,
    "refresh_token": "b" * 40,
    "expires_in": 10800,
    "scope": "user.info,user.metrics",
    "token_type": "Bearer",
    "csrf_token": "not for us",
}


def app(redirect_uri: str = "http://localhost:8000", scopes: tuple[str, ...] = ALL_SCOPES) -> App:
    return App(client_id="0123abcd", client_secret="the-secret", redirect_uri=redirect_uri, scopes=scopes)


def read(content: object, http_status: int = 200) -> TokenReply | Failure:
    return read_token_reply(Answer(http_status=http_status, body=json.dumps(content).encode()))


def read_failure(content: object, http_status: int = 200) -> Failure:
    result = read(content, http_status)
    assert isinstance(result, Failure)
    return result


def read_tokens(**changes: object) -> TokenReply | Failure:
    """Reads an answer whose body has these fields changed; None leaves one out."""
    body = {name: value for name, value in {**TOKENS, **changes}.items() if value is not None}
    return read({"status": 0, "body": body})
