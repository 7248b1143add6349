"""The other way back: the user copies the address that the browser goes to, and pastes it.

A paste is judged like a callback, by its state, code and error. Only the state proves that it belongs to this login, so
it does not matter what a program did to the rest of the address. Only the answer to this login ends it; anything else
is explained in fixed text, which repeats nothing of it, and the user can try again.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from enum import Enum
from urllib.parse import SplitResult, parse_qsl

from withings_auth.authorization import messages
from withings_auth.authorization.callback import Expectation, Granted, Reason, Refused, expected_by, judge_query
from withings_auth.authorization.options import LoginRequest
from withings_auth.authorization.pending import Pending
from withings_auth.errors import LoginError
from withings_auth.validation import PORT_OF_SCHEME, is_opaque_token, parsed_url

CODE_LENGTH = 40  # of Withings' codes, in hexadecimal digits
MOST_LINES = 20  # of one address, in a very narrow terminal
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_CUT_CODE = re.compile(rf"[?&]code=[0-9a-f]{{1,{CODE_LENGTH - 1}}}$")
_BRACKETS = re.compile(r"\x1b\[20[01]~")  # what a terminal puts around a paste, if an earlier program asked it to


class Problem(Enum):
    """Why a paste is not the answer to this login, as the terminal says it."""

    EMPTY = "Nothing was pasted yet. Paste the address and press Enter; it is not shown here."
    NOT_AN_ANSWER = "That has no code in it. Click Allow first, then copy the address that the browser shows."
    CODE_ALONE = (
        "That is a code without the state, which shows the login that it belongs to. Paste the rest of it, the whole"
        " address, or everything after its question mark."
    )
    CUT = "The code looks as if a line break had cut it. Paste the rest; if that was all, press Enter."
    STILL_AT_WITHINGS = (
        "That is an address of Withings itself. Click Allow there; the browser then goes to another address,"
        " even if it cannot show that page. Copy that one."
    )
    ANOTHER_PAGE = (
        "That is the address of another page. The right one begins with {redirect_uri} and comes after Allow."
    )
    ANOTHER_LOGIN = (
        "That is the answer to another login, according to its state. Open the address of this one and click Allow."
    )
    DAMAGED = "That is not what Withings sends: it is damaged or was changed. Copy the whole address again."
    TOO_LATE = "Another answer came first, so this one was not used."


_QUERY_PROBLEMS = {Reason.FOREIGN_STATE: Problem.ANOTHER_LOGIN, Reason.INCOMPLETE: Problem.NOT_AN_ANSWER}


def judge_paste(
    expected: Expectation, *, redirect_uri: str, authorize_url: str, text: str
) -> Granted | Refused | Problem:
    """Returns what a pasted text means for the login. Never raises."""
    is_one_word, text = len(text.split()) == 1, _plain(text)
    if not text:
        return Problem.EMPTY
    if is_one_word and "=" not in text and is_opaque_token(text):
        return Problem.CODE_ALONE
    has_scheme = _SCHEME.match(text) is not None
    address, _, query = text.partition("?") if has_scheme or "?" in text else ("", "", text)
    verdict = judge_query(expected, query)
    if isinstance(verdict, Granted):
        return verdict
    problem = _judge_address(address, redirect_uri, authorize_url) if has_scheme else None
    if isinstance(verdict, Refused):
        return Problem.STILL_AT_WITHINGS if problem is Problem.STILL_AT_WITHINGS else verdict
    if problem is not None:
        return problem
    if verdict.reason is Reason.NO_STATE:
        return Problem.CODE_ALONE if _has_code(query) else Problem.NOT_AN_ANSWER
    return _QUERY_PROBLEMS.get(verdict.reason, Problem.DAMAGED)


def judge_lines(
    judge: Callable[[str], Granted | Refused | Problem], lines: Sequence[str]
) -> Granted | Refused | Problem:
    """Returns what the last of the pasted lines means, alone or as the end of those before it.

    A terminal breaks a long address into several lines, and hands over the last one only after Enter.
    """
    first = judge(lines[-1])
    for start in range(len(lines) - 1, -1, -1):
        text = "".join(lines[start:])
        outcome = judge(text)
        if not isinstance(outcome, Problem):
            # The rest of a code that was cut may follow; that of a state may not, since only the whole one is right.
            return Problem.CUT if lines[-1].strip() and _CUT_CODE.search(_plain(text)) else outcome
    return first


@asynccontextmanager
async def take_pastes(request: LoginRequest, pending: Pending) -> AsyncIterator[None]:
    """Accepts the user's pastes during the block, and stops reading them at its end."""
    if request.options.pasted is None:
        yield
        return
    taking = asyncio.ensure_future(_take(request, request.options.pasted, pending))
    taking.add_done_callback(lambda _: pending.fail(error) if (error := _error(taking)) else None)
    try:
        yield
    finally:
        taking.cancel()
        await asyncio.wait({taking})


async def _take(request: LoginRequest, lines: AsyncIterator[str], pending: Pending) -> None:
    uri = request.app.redirect_uri

    def judge(text: str) -> Granted | Refused | Problem:
        current = pending.request  # its state can change
        return judge_paste(expected_by(current), redirect_uri=uri, authorize_url=current.authorize_url, text=text)

    pasted: deque[str] = deque(maxlen=MOST_LINES)
    async for line in lines:
        is_first = pending.open
        pasted.append(line)
        outcome = judge_lines(judge, [*pasted])
        if not isinstance(outcome, Problem) and not pending.take(outcome):
            outcome = Problem.TOO_LATE
        if not isinstance(outcome, Problem):
            pasted.clear()
        if isinstance(outcome, Problem):
            request.options.tell(messages.wrong_paste(outcome.value, uri))
        elif is_first:
            request.options.tell(messages.PASTED)
    if request.options.paste_only:
        pending.fail(
            LoginError("nothing was pasted", hint="nothing was saved; to try again: withings-auth login --paste")
        )


def _error(task: asyncio.Future[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


def _plain(text: str) -> str:
    """Returns the text without what mail programs, terminals and people put around or into an address."""
    text = re.sub(r"\s+", "", _BRACKETS.sub("", text)).strip("<>\"'“”")
    return text.replace("&amp;", "&").partition("#")[0]


def _judge_address(address: str, redirect_uri: str, authorize_url: str) -> Problem | None:
    """Returns what is wrong with the part of an address before its question mark; None if it is the redirect URI."""
    given, ours, theirs = parsed_url(address), parsed_url(redirect_uri), parsed_url(authorize_url)
    if given is None or ours is None:
        return Problem.ANOTHER_PAGE
    if _site(given) == _site(ours) and (given.path or "/") == (ours.path or "/"):
        return None
    if theirs is not None and _site(given) == _site(theirs):
        return Problem.STILL_AT_WITHINGS
    is_withings = (given.hostname or "").endswith((".withings.com", ".withings.net"))
    return Problem.STILL_AT_WITHINGS if is_withings else Problem.ANOTHER_PAGE


def _site(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, parts.port or PORT_OF_SCHEME[parts.scheme]


def _has_code(query: str) -> bool:
    try:
        return any(name == "code" for name, _ in parse_qsl(query, max_num_fields=50))
    except ValueError:
        return False
