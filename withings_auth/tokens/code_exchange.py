"""The one exchange of an authorization code."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from withings_auth.errors import ProtocolViolation
from withings_auth.model import App, Grant
from withings_auth.provider.failures import code_error
from withings_auth.provider.forms import code_form
from withings_auth.provider.http import post
from withings_auth.provider.replies import Answer, Outcome, TokenReply, described, read_answer

logger = logging.getLogger(__name__)


def exchange_code(
    app: App, code: str, token_url: str, *, send: Callable[[str, Mapping[str, str]], Outcome] = post
) -> Grant:
    """Returns what the code stands for. Blocks.

    Raises `LoginError` where the code is refused, and the other errors of the token service. Asks once, whatever
    comes of it: a code works once.
    """
    sent_at = time.time()
    outcome = send(token_url, code_form(app, code))
    reply = read_answer(outcome) if isinstance(outcome, Answer) else outcome
    logger.debug("the code brought %s", described(reply))
    if not isinstance(reply, TokenReply):
        raise code_error(reply)
    if reply.refresh_token is None or reply.userid is None:
        raise ProtocolViolation(
            "Withings' answer makes no sense: tokens, but no refresh token or no userid",
            hint="nothing in it was used; if it happens again, look for a newer withings-auth",
        )
    return Grant(
        access_token=reply.access_token,
        refresh_token=reply.refresh_token,
        obtained_at=int(sent_at),
        expires_at=int(sent_at) + reply.life_seconds,
        scopes=app.scopes if reply.scopes is None else reply.scopes,
        userid=reply.userid,
        client_id=app.client_id,
        token_url=token_url,
    )
