"""What a program hears from Withings' token service, in Withings' words (developer.withings.com, "Response status").

A program may renew as often as it likes: it gets placeholders. Whatever would change the login is refused.
"""

from __future__ import annotations

import json
import posixpath
import secrets
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any
from urllib.parse import unquote

from withings_auth.borrow.placeholders import ACCESS_TOKEN, REFRESH_TOKEN
from withings_auth.errors import ConfigurationError, LoginRequired, WithingsAuthError
from withings_auth.model import Token
from withings_auth.provider.statuses import TIMED_OUT, TOKEN_REFUSED, TOO_MANY_REQUESTS
from withings_auth.record import TOKEN_PATH
from withings_auth.validation import is_placeholder

SIGNATURE_PATH = "/v2/signature"
OLD_TOKEN_PATH = "/oauth2/token"  # noqa: S105  a path; the old service on account.withings.com, without an envelope
_INVALID_PARAMETERS = 503
_NOT_IMPLEMENTED = 2554


class Request(Enum):
    """What a program may ask of these services."""

    RENEWAL = auto()
    OWN_RENEWAL = auto()  # of a login that is not the shared one
    CODE = auto()
    NONCE = auto()  # before a signed request
    OTHER = auto()


def find_service(path: str) -> str | None:
    """Returns the path of the service that is answered here, however it is spelled; None for any other."""
    plain = posixpath.normpath(f"/{unquote(path).lower().lstrip('/')}")
    return plain if plain in {TOKEN_PATH, OLD_TOKEN_PATH, SIGNATURE_PATH} else None


def read_request(parameters: Mapping[str, object]) -> Request:
    """Returns what is asked for in the query and the form; programs use either."""
    action, grant_type = parameters.get("action", "requesttoken"), parameters.get("grant_type")
    if action == "getnonce":
        return Request.NONCE
    if action != "requesttoken":
        return Request.OTHER
    if grant_type == "refresh_token":
        ours = is_placeholder(parameters.get("refresh_token"))
        return Request.RENEWAL if ours else Request.OWN_RENEWAL
    return Request.CODE if grant_type == "authorization_code" else Request.OTHER


def tokens_answer(token: Token, now: float) -> dict[str, Any]:
    """Returns the answer to a renewal: placeholders, and for how many more seconds the real token lives."""
    body = {
        "userid": int(token.userid) if token.userid.isdecimal() else token.userid,
        "access_token": ACCESS_TOKEN,
        "refresh_token": REFRESH_TOKEN,
        "scope": ",".join(token.scopes),
        "expires_in": max(0, int(token.expires_at - now)),
        "token_type": "Bearer",
    }
    return {"status": 0, "body": body}


def nonce_answer() -> dict[str, Any]:
    """Returns a nonce; nobody checks what the program signs with it."""
    return {"status": 0, "body": {"nonce": secrets.token_hex(20)}}


def refusal_answer(request: Request) -> dict[str, Any]:
    """Returns the refusal of what would change a login."""
    match request:
        case Request.CODE:
            return _failure(_INVALID_PARAMETERS, "Invalid Params: invalid code")
        case Request.OWN_RENEWAL:  # not a definite refusal: the program must not throw its own login away
            return _failure(TOO_MANY_REQUESTS, "Too many requests")
        case _:
            return _failure(_NOT_IMPLEMENTED, "Not implemented")


def refusal_error(request: Request) -> WithingsAuthError:
    """Returns what the user should know about such a refusal."""
    match request:
        case Request.CODE:
            return ConfigurationError(
                "the program tried to log in by itself and was refused: it runs on the shared login",
                hint="it needs none; if it finds no placeholder files, look for its name: withings-auth run --as",
            )
        case Request.OWN_RENEWAL:
            return ConfigurationError(
                "the program tried to renew a login of its own and was refused: it runs on the shared login",
                hint="make that login the shared one: withings-auth import FILE; or run the program without us",
            )
        case _:
            return ConfigurationError(
                "the program tried to end or change the login and was refused",
                hint="to end it: withings-auth logout --revoke",
            )


def error_answer(error: WithingsAuthError, *, for_tokens: bool) -> dict[str, Any]:
    """Returns what Withings would say in place of this error of ours."""
    if not isinstance(error, LoginRequired):
        return _failure(TIMED_OUT, "Timeout")
    if for_tokens:
        return _failure(_INVALID_PARAMETERS, "Invalid Params: invalid refresh_token")
    return _failure(TOKEN_REFUSED, "XRequestID: Not provided invalid_token: The access token provided is invalid")


def write_answer(answer: Mapping[str, Any], service: str) -> bytes:
    """Returns the answer as this service writes it: the old one has no envelope."""
    if service == OLD_TOKEN_PATH:
        answer = {"errors": [{"message": answer["error"]}]} if "error" in answer else answer["body"]
    return json.dumps(answer).encode()


def _failure(status: int, words: str) -> dict[str, Any]:
    return {"status": status, "body": {}, "error": words}
