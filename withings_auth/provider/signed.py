"""Calls that an app signs with its secret: to prove that id and secret are right, and to end a person's access."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from withings_auth.errors import ProtocolViolation
from withings_auth.model import App
from withings_auth.provider.failures import signed_error
from withings_auth.provider.forms import nonce_form, revoke_form
from withings_auth.provider.http import post
from withings_auth.provider.replies import Answer, Outcome, Post, read_body
from withings_auth.validation import is_opaque_token

SIGNATURE_PATH = "/v2/signature"
REVOKE_PATH = "/v2/oauth2"


def check_app(app: App, api_url: str, *, send: Post = post, now: Callable[[], float] = time.time) -> None:
    """Proves at Withings that the client id and the client secret belong together. Blocks.

    No person is needed: Withings gives a signed request a nonce, which is thrown away. Raises `ConfigurationError`
    where they do not belong together, `ProviderUnavailable` where trying again helps, and `ProviderError`.
    """
    _nonce(app, api_url, send, now)


def revoke(app: App, api_url: str, userid: str, *, send: Post = post, now: Callable[[], float] = time.time) -> None:
    """Ends all access of the app to the person's data, on every machine, and its notifications. Blocks.

    Raises what `check_app` raises; `ProviderError` also where Withings does not offer this to the app.
    """
    nonce = _nonce(app, api_url, send, now)
    _body(send(f"{api_url}{REVOKE_PATH}", revoke_form(app, nonce, userid)))


def _nonce(app: App, api_url: str, send: Post, now: Callable[[], float]) -> str:
    nonce = _body(send(f"{api_url}{SIGNATURE_PATH}", nonce_form(app, int(now())))).get("nonce")
    if not (isinstance(nonce, str) and is_opaque_token(nonce)):
        raise ProtocolViolation("Withings' answer holds no nonce", hint="try again; if it stays, update withings-auth")
    return nonce


def _body(outcome: Outcome) -> dict[str, Any]:
    result = read_body(outcome) if isinstance(outcome, Answer) else outcome
    if not isinstance(result, dict):
        raise signed_error(result)
    return result
