"""A pending login: it answers every request, remembers the first true answer, and counts what it ignored."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from withings_auth.authorization import pages
from withings_auth.authorization.callback import (
    Expectation,
    Granted,
    HttpRequest,
    Ignored,
    Reason,
    Refused,
    StartVisited,
    judge,
)

logger = logging.getLogger(__name__)

_TEXTS = {
    Reason.OTHER_PATH: pages.Text.NOT_FOUND,
    Reason.WRONG_METHOD: pages.Text.WRONG_METHOD,
    Reason.PREFETCH: pages.Text.OPENED_AHEAD,
    Reason.START_USED: pages.Text.START_USED,
    Reason.OTHER_CODE: pages.Text.ALREADY_ANSWERED,
}

# What a browser asks for of its own accord has nothing to do with the login, and is not worth a line.
_UNREMARKABLE = {Reason.OTHER_PATH, Reason.PREFETCH}


class Pending:
    """One login from the moment it listens until its outcome is settled.

    `notice` is called when the first request is ignored for a reason. Belongs to one event loop.
    """

    def __init__(self, expected: Expectation, authorize_url: str, notice: Callable[[Reason], None]) -> None:
        loop = asyncio.get_running_loop()
        self._expected = expected
        self._authorize_url = authorize_url
        self._notice = notice
        self._decision: asyncio.Future[Granted | Refused] = loop.create_future()
        self._outcome: asyncio.Future[pages.Page] = loop.create_future()
        self.start_visited = asyncio.Event()
        self.ignored: Counter[Reason] = Counter()

    @property
    def open(self) -> bool:
        """Whether the true answer is still awaited."""
        return not self._decision.done()

    async def decision(self) -> Granted | Refused:
        """Waits for the one true answer. Raises the error passed to `fail`."""
        return await asyncio.shield(self._decision)

    def settle(self, outcome: pages.Page) -> None:
        """Shows the outcome in the browser tabs that wait for it; only the first outcome counts."""
        if not self._outcome.done():
            self._outcome.set_result(outcome)

    async def answer(self, request: HttpRequest) -> pages.Page:
        """Returns the page for a request; for the true callback, once the outcome is known."""
        match judge(self._expected, request):
            case Ignored(reason):
                return self.ignore(reason)
            case StartVisited():
                if self.start_visited.is_set():
                    return self.ignore(Reason.START_USED)
                self.start_visited.set()
                logger.debug("the browser came, and is sent on to Withings")
                return pages.redirect(self._authorize_url)
            case answer:
                if not self.take(answer):
                    return self.ignore(Reason.OTHER_CODE)
                return await asyncio.shield(self._outcome)

    def take(self, answer: Granted | Refused) -> bool:
        """Takes an answer with the true state; returns whether it is the first one, or the same again."""
        if self.open:
            logger.debug("the true answer: %s", "a code" if isinstance(answer, Granted) else "a refusal")
            self._decision.set_result(answer)
        return self._decision.exception() is None and self._decision.result() == answer

    def fail(self, error: BaseException) -> None:
        """Ends the wait, if it is not over yet: no answer can come any more."""
        if self.open:
            self._decision.set_exception(error)

    def ignore(self, reason: Reason) -> pages.Page:
        """Counts something that is not the callback, and returns its page."""
        self.ignored[reason] += 1
        logger.debug("ignored: a request %s", reason.value)
        if self.ignored[reason] == 1 and reason not in _UNREMARKABLE:
            self._notice(reason)
        return pages.page(_TEXTS.get(reason, pages.Text.NOT_FOR_US))
