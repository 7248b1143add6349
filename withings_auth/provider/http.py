"""One POST to Withings, with exactly one of three outcomes: answered, never sent, or sent and lost.

The difference decides whether a refresh token may have been used up. Nothing is repeated, and redirects are not
followed, because an old endpoint redirects to a web page that could pass for an answer. aiohttp is loaded by the first
request, after a look at the variables that could make its import fail.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from withings_auth.errors import UnusableVariable
from withings_auth.logs import Logger
from withings_auth.provider.masking import secrets_in
from withings_auth.provider.replies import Answer, AnswerLost, NotSent, Outcome
from withings_auth.provider.variables import refuse_unusable_files
from withings_auth.validation import printable

logger = Logger(__name__)

TIME_LIMIT_SECONDS = 20.0
LARGEST_BODY_BYTES = 1024 * 1024
MOST_SECRETS = 16


def post(
    url: str,
    form: Mapping[str, str],
    *,
    access_token: str | None = None,
    time_limit_seconds: float = TIME_LIMIT_SECONDS,
    largest_body_bytes: int = LARGEST_BODY_BYTES,
) -> Outcome:
    """Posts the form, with the access token in its header if there is one, and returns the outcome. Blocks.

    Must not be called in a thread that runs an event loop. Never raises for what happens on the network, nor for what
    the environment says about it.
    """
    logger.debug("POST %s, action %s", printable(url), printable(form.get("action", "none"), limit=40))
    began = time.monotonic()
    outcome = _post(url, form, access_token, time_limit_seconds, largest_body_bytes)
    milliseconds = (time.monotonic() - began) * 1000
    match outcome:
        case Answer():
            logger.debug("HTTP %d, %d bytes, in %.0f ms", outcome.http_status, len(outcome.body), milliseconds)
            outcome = replace(outcome, sent=_secrets_sent(form, access_token))
        case NotSent(why=why):
            logger.debug("not sent after %.0f ms: %s", milliseconds, why)
        case AnswerLost(why=why):
            logger.debug("lost after %.0f ms: %s", milliseconds, why)
    return outcome


class _Sent:
    """The secrets of this program's last forms: what a service got in one request, it may repeat in another answer."""

    recent: tuple[str, ...] = ()  # replaced as a whole, so no thread and no forked child needs a lock


def _secrets_sent(form: Mapping[str, str], access_token: str | None) -> tuple[str, ...]:
    _Sent.recent = tuple(dict.fromkeys((*secrets_in(form), *_Sent.recent)))[:MOST_SECRETS]
    return _Sent.recent if access_token is None else (access_token, *_Sent.recent)


def load_aiohttp() -> None:
    """Loads what `post` needs, so that nobody waits for that under a lock. If it fails, `post` says why."""
    with suppress(UnusableVariable, OSError):
        _load()


def _post(
    url: str, form: Mapping[str, str], access_token: str | None, time_limit_seconds: float, largest_body_bytes: int
) -> Outcome:
    try:
        _load()
        from withings_auth.provider.session import send

        return send(
            url,
            form,
            access_token=access_token,
            time_limit_seconds=time_limit_seconds,
            largest_body_bytes=largest_body_bytes,
        )
    except UnusableVariable as error:
        return NotSent(why=str(error), remedy=error.hint, misconfigured=True)
    except OSError as error:  # there are no descriptors left to load aiohttp
        return NotSent(why=os.strerror(error.errno) if error.errno else "aiohttp cannot be loaded")


def _load() -> None:
    refuse_unusable_files()
    import withings_auth.provider.session  # noqa: F401  loaded here, because this can fail
