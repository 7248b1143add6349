"""The exchange of an authorization code for the first pair of tokens."""

from __future__ import annotations

import time
from collections.abc import Callable

from withings_auth.errors import ProtocolViolation
from withings_auth.logs import Logger
from withings_auth.model import App, Grant
from withings_auth.provider.failures import code_error
from withings_auth.provider.forms import code_form
from withings_auth.provider.http import post
from withings_auth.provider.replies import Answer, Post, TokenReply, describe, read_token_reply
from withings_auth.tokens.grants import empty_grant, grant_from_reply

logger = Logger(__name__)


def exchange_code(
    app: App, code: str, token_url: str, *, send: Post = post, now: Callable[[], float] = time.time
) -> Grant:
    """Returns the grant that Withings issues for the code, with its times by the clock `now`. Blocks.

    Raises `LoginError` if Withings refuses the code, and the other errors of the token service. Never asks twice,
    because a code works only once.
    """
    sent_at = now()
    outcome = send(token_url, code_form(app, code))
    reply = read_token_reply(outcome) if isinstance(outcome, Answer) else outcome
    logger.debug("the code brought %s", describe(reply))
    if not isinstance(reply, TokenReply):
        raise code_error(reply)
    grant = grant_from_reply(reply, empty_grant(app, token_url), sent_at=sent_at)
    if not (grant.refresh_token and grant.userid):
        raise ProtocolViolation(
            "Withings' answer makes no sense: it has tokens, but no refresh token or no userid",
            hint="nothing in it was used; if it happens again, look for a newer withings-auth",
        )
    return grant
