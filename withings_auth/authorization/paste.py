"""The other way back: a person copies the address that the browser has moved on to, and pastes it.

What was pasted is judged like a callback: as a whole address it must be the redirect URI's, and its query goes
through the gate. It ends a login only if it is the answer to it; everything else is explained in fixed words, in
which nothing of it stands, and may be tried again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from urllib.parse import SplitResult, parse_qsl

from withings_auth.authorization import messages
from withings_auth.authorization.callback import Expectation, Granted, Ignored, Reason, Refused, judge_query
from withings_auth.authorization.pending import Pending
from withings_auth.authorization.request import Attempt
from withings_auth.errors import LoginError
from withings_auth.validation import PORT_OF_SCHEME, is_opaque_token, parsed_url

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_BRACKETS = re.compile(r"\x1b\[20[01]~")  # what a terminal puts around a paste, where a program before us asked it to


class Wrong(Enum):
    """Why a paste is not the answer to this login, in the words of the terminal."""

    EMPTY = "Nothing was pasted yet. What you paste is not shown here: paste it and press Enter."
    NOT_AN_ANSWER = "There is no code in that. Click Allow first, then copy the address that the browser shows."
    CODE_ALONE = (
        "That is a code without the state that shows which login it belongs to: paste the whole address,"
        " or all that follows its question mark."
    )
    STILL_AT_WITHINGS = (
        "That is an address of Withings itself. Click Allow there; the browser then moves on to another address,"
        " even if it cannot show it: copy that one."
    )
    ANOTHER_PAGE = (
        "That is the address of another page. The right one begins with {redirect_uri}, and comes after Allow."
    )
    ANOTHER_LOGIN = (
        "That is the answer to another login, as its state says. Click Allow in the tab that this one opened."
    )
    DAMAGED = "That is not what Withings sends: it is damaged or was changed. Copy the whole address once more."
    TOO_LATE = "Another answer came first, and this one was not used."


_WRONG_QUERIES = {
    Reason.FOREIGN_STATE: Wrong.ANOTHER_LOGIN,
    Reason.INCOMPLETE: Wrong.NOT_AN_ANSWER,
}


def judge_paste(
    expected: Expectation, *, redirect_uri: str, authorize_url: str, text: str
) -> Granted | Refused | Wrong:
    """Returns what a pasted line means for the login. Raises nothing, whatever it is."""
    text = _BRACKETS.sub("", text).strip().strip("<>\"'“”").partition("#")[0]
    if not text:
        return Wrong.EMPTY
    if _SCHEME.match(text):
        address, _, query = text.partition("?")
        elsewhere = _elsewhere(address, redirect_uri, authorize_url)
        if elsewhere is not None:
            return elsewhere
    else:
        query = text.removeprefix("?")
        if "=" not in query and is_opaque_token(query):
            return Wrong.CODE_ALONE
    match judge_query(expected, query):
        case Ignored(Reason.NO_STATE):
            return Wrong.CODE_ALONE if _has_code(query) else Wrong.NOT_AN_ANSWER
        case Ignored(reason):
            return _WRONG_QUERIES.get(reason, Wrong.DAMAGED)
        case answer:
            return answer


@asynccontextmanager
async def take_pastes(attempt: Attempt, pending: Pending) -> AsyncIterator[None]:
    """Lets the person's pastes count in the block; what they are read from is given back at its end."""
    if attempt.pasted is None:
        yield
        return
    taking = asyncio.ensure_future(_take(attempt, attempt.pasted, pending))
    taking.add_done_callback(lambda _: pending.fail(error) if (error := _trouble(taking)) else None)
    try:
        yield
    finally:
        taking.cancel()
        await asyncio.wait({taking})


async def _take(attempt: Attempt, lines: AsyncIterator[str], pending: Pending) -> None:
    async for line in lines:
        is_first = pending.open
        match judge_paste(
            attempt.expectation,
            redirect_uri=attempt.app.redirect_uri,
            authorize_url=attempt.authorize_url,
            text=line,
        ):
            case Wrong() as wrong:
                attempt.tell(messages.not_that(wrong.value, attempt.app.redirect_uri))
            case answer if not pending.take(answer):
                attempt.tell(messages.not_that(Wrong.TOO_LATE.value, attempt.app.redirect_uri))
            case _ if is_first:
                attempt.tell(messages.PASTED)
    if attempt.paste_only:
        pending.fail(
            LoginError("nothing was pasted", hint="nothing was saved; to try again: withings-auth login --paste")
        )


def _trouble(task: asyncio.Future[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


def _elsewhere(address: str, redirect_uri: str, authorize_url: str) -> Wrong | None:
    """Returns what is wrong with an address before its question mark; None where it is the redirect URI's."""
    given, ours, theirs = parsed_url(address), parsed_url(redirect_uri), parsed_url(authorize_url)
    if given is None or ours is None:
        return Wrong.ANOTHER_PAGE
    if _site(given) == _site(ours) and (given.path or "/") == (ours.path or "/"):
        return None
    if theirs is not None and _site(given) == _site(theirs):
        return Wrong.STILL_AT_WITHINGS
    is_withings = (given.hostname or "").endswith((".withings.com", ".withings.net"))
    return Wrong.STILL_AT_WITHINGS if is_withings else Wrong.ANOTHER_PAGE


def _site(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, parts.port or PORT_OF_SCHEME[parts.scheme]


def _has_code(query: str) -> bool:
    try:
        return any(name == "code" for name, _ in parse_qsl(query, max_num_fields=50))
    except ValueError:
        return False
