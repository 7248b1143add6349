"""Calls that an app signs with its secret: to check its credentials, and to revoke its access to a user's data."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from withings_auth.errors import ProtocolViolation, ProviderError, UnusableVariable
from withings_auth.logs import Logger
from withings_auth.model import App
from withings_auth.provider.failures import signed_error
from withings_auth.provider.forms import nonce_form, revoke_form
from withings_auth.provider.http import post
from withings_auth.provider.replies import Answer, Outcome, Post, read_body
from withings_auth.validation import is_opaque_token

logger = Logger(__name__)

SIGNATURE_PATH = "/v2/signature"
REVOKE_PATH = "/v2/oauth2"


def check_app(app: App, api_url: str, *, send: Post = post, now: Callable[[], float] = time.time) -> None:
    """Checks with Withings that the client id and the client secret belong together. Blocks.

    No user is involved: the signed request asks for a nonce, which is not used. Raises `ConfigurationError` if they do
    not belong together, `ProviderUnavailable` if trying again helps, and `ProviderError`.
    """
    _fetch_nonce(app, api_url, send, now)


def refuse_wrong_app(app: App, api_url: str, *, send: Post = post, now: Callable[[], float] = time.time) -> None:
    """Raises `ConfigurationError` if Withings says that client id and client secret do not belong together. Blocks.

    Returns if they do, and also if Withings cannot be asked or does not let this app sign.
    """
    try:
        check_app(app, api_url, send=send, now=now)
    except (UnusableVariable, ProviderError) as error:
        logger.debug("whether client id and client secret are right is unknown: %s", type(error).__name__)


def revoke(app: App, api_url: str, userid: str, *, send: Post = post, now: Callable[[], float] = time.time) -> None:
    """Revokes the app's access to the user's data, on every machine, and its notifications. Blocks.

    Raises what `check_app` raises; `ProviderError` also if Withings does not offer this to the app.
    """
    nonce = _fetch_nonce(app, api_url, send, now)
    _read(send(f"{api_url}{REVOKE_PATH}", revoke_form(app, nonce, userid)), app)


def _fetch_nonce(app: App, api_url: str, send: Post, now: Callable[[], float]) -> str:
    nonce = _read(send(f"{api_url}{SIGNATURE_PATH}", nonce_form(app, int(now()))), app).get("nonce")
    if not (isinstance(nonce, str) and is_opaque_token(nonce)):
        raise ProtocolViolation(
            "Withings' answer has no nonce", hint="try again; if it happens again, update withings-auth"
        )
    return nonce


def _read(outcome: Outcome, app: App) -> dict[str, Any]:
    if isinstance(outcome, Answer):  # the secret was not sent, but Withings knows it
        outcome = replace(outcome, sent=(*outcome.sent, app.client_secret))
    result = read_body(outcome) if isinstance(outcome, Answer) else outcome
    if not isinstance(result, dict):
        raise signed_error(result)
    return result
