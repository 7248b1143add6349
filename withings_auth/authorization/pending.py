"""A pending login: it answers every request, remembers the first true answer, and counts what it ignored."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from withings_auth.authorization import pages
from withings_auth.authorization.callback import (
    Granted,
    HttpRequest,
    Ignored,
    Reason,
    Refused,
    StartVisited,
    expected_by,
    judge,
)
from withings_auth.authorization.options import LoginRequest
from withings_auth.authorization.visitors import Visitor, identify
from withings_auth.logs import Logger

logger = Logger(__name__)

_TEXTS = {
    Reason.OTHER_PATH: pages.Text.NOT_FOUND,
    Reason.WRONG_METHOD: pages.Text.WRONG_METHOD,
    Reason.PREFETCH: pages.Text.OPENED_AHEAD,
    Reason.START_USED: pages.Text.START_USED,
    Reason.OTHER_CODE: pages.Text.ALREADY_ANSWERED,
    Reason.ANOTHER_USER: pages.Text.ANOTHER_USER,
}

# What a browser asks for of its own accord has nothing to do with the login, and is not worth a line.
_UNREMARKABLE = {Reason.OTHER_PATH, Reason.PREFETCH}


class Pending:
    """One login from the moment it listens until its outcome is settled.

    `notice` is called when the first request is ignored for a reason, `reopen` when the user has to open the long
    address after all; with True, because `state` may be known to somebody else and there is a new one. `request` is the
    one with the `state` that counts. Belongs to one event loop.
    """

    def __init__(self, request: LoginRequest, notice: Callable[[Reason], None], reopen: Callable[[bool], None]) -> None:
        loop = asyncio.get_running_loop()
        self.request = request
        self._notice = notice
        self._reopen = reopen
        self._visitors: list[Visitor] = []
        self._state_was_replaced = False
        self._decision: asyncio.Future[Granted | Refused] = loop.create_future()
        self._outcome: asyncio.Future[pages.Page] = loop.create_future()
        self._admission: asyncio.Future[pages.Page | None] = loop.create_future()
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

    def admit(self, instead: pages.Page | None = None) -> None:
        """Sends the browser on to Withings, which has waited for that since it came, or shows it a page instead."""
        if not self._admission.done():
            self._admission.set_result(instead)

    async def answer(self, request: HttpRequest) -> pages.Page:
        """Returns the page for a request; for the true callback, once the outcome is known."""
        match judge(expected_by(self.request), request):
            case Ignored(reason):
                return self.ignore(reason)
            case verdict:
                visitor = identify(request.connection, behind_proxy=self.request.behind_proxy)
        if visitor is Visitor.ANOTHER_USER:
            return self.ignore(Reason.ANOTHER_USER)
        if isinstance(verdict, StartVisited):
            page = self._start(visitor)
            return await asyncio.shield(self._admission) or page
        if not self.take(verdict):
            return self.ignore(Reason.OTHER_CODE)
        return pages.clearing(await asyncio.shield(self._outcome))

    def _start(self, visitor: Visitor) -> pages.Page:
        """Returns the answer to a visit of the start address, which only the first visitor learns `state` by."""
        self._visitors.append(visitor)
        if not self.start_visited.is_set():
            self.start_visited.set()
            logger.debug("the browser came, and is sent on to Withings")
            return pages.clearing(pages.redirect(self.request.authorize_url))
        answer = self.ignore(Reason.START_USED)
        suspicious = set(self._visitors) != {Visitor.THIS_USER}
        if self.open and suspicious and not self._state_was_replaced:
            self._state_was_replaced = True
            self.request = self.request.with_new_state()
            self._reopen(True)
        elif self.open and len(self._visitors) == 2:
            self._reopen(False)
        return answer

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
