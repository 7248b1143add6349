"""What is proved while the browser starts: the browser is sent on to Withings only after that."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager

import pytest

from tests.support.logins import Desk
from tests.support.visitor import LastPage, visit
from withings_auth.authorization.flow import finish_login
from withings_auth.authorization.opening import Opened, make_request, open_login, prepare, reserve
from withings_auth.authorization.options import LoginOptions
from withings_auth.errors import ConfigurationError, StoreUnavailable
from withings_auth.model import App, Token
from withings_auth.store.base import HeldName
from withings_auth.store.memory_store import MemoryStore
from withings_auth.threads import start_daemon

WRONG = ConfigurationError("this app is wrong", hint="use another one")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def opened(desk: Desk, store: MemoryStore) -> Iterator[Opened]:
    """A login whose browser does nothing."""
    with ExitStack() as held:
        app = App(
            client_id=desk.sandbox.client_id, client_secret=desk.sandbox.client_secret, redirect_uri=desk.redirect_uri
        )
        options = LoginOptions(app, store=store, endpoints=desk.sandbox.endpoints, browser="true", tell=lambda _: None)
        request = make_request(options)
        reserve(request, held)
        yield open_login(request, held, app_is_saved=prepare(request))


class Browser:
    """Visits the login's address in a thread of its own."""

    def __init__(self, opened: Opened) -> None:
        self._page: Future[LastPage] = Future()
        url = f"{opened.request.addresses.origin}{opened.request.start_path}"
        start_daemon(lambda: self._page.set_result(visit(url)), "browser")

    @property
    def page(self) -> LastPage:
        return self._page.result(60)

    @property
    def waits(self) -> bool:
        return not self._page.done()


class Full(MemoryStore):
    """Seems to be writable, and is not."""

    def seems_writable(self) -> bool:
        return True

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldName]:
        if name.startswith("app/"):
            raise StoreUnavailable("it is full", hint="make room")
        with super().lock(name, timeout) as held:
            yield held


def finish(opened: Opened, prove: Callable[[], None]) -> Token:
    return asyncio.run(finish_login(opened, prove))


def test_a_browser_that_comes_early_waits_for_the_proof(desk: Desk, opened: Opened) -> None:
    """It is not shown Withings' page before."""
    browser = Browser(opened)
    waited: list[bool] = []

    def prove() -> None:
        time.sleep(0.2)  # a browser that was let through would be at Withings by then, or even done
        waited.append(browser.waits and not desk.sandbox.counters.token_requests)

    token = finish(opened, prove)
    assert waited == [True]
    assert token.client_id == desk.sandbox.client_id
    assert browser.page.http_status == 200


def test_a_browser_learns_that_the_app_is_wrong(desk: Desk, opened: Opened) -> None:
    """It comes no further than to our own page."""
    browser = Browser(opened)

    def refuse() -> None:
        raise WRONG

    with pytest.raises(ConfigurationError, match="this app is wrong"):
        finish(opened, refuse)
    assert browser.page.http_status == 503
    assert "It cannot succeed, so you are not sent on to Withings." in browser.page.text
    assert desk.sandbox.counters.token_requests == 0
    assert opened.request.store.names() == []


def test_an_answer_that_comes_before_the_proof_decides(desk: Desk, opened: Opened) -> None:
    """As that of a browser that was given the long address."""
    over = threading.Event()
    url = opened.request.authorize_url

    def come() -> None:
        visit(url)
        over.set()

    start_daemon(come, "browser")

    def refuse() -> None:
        over.wait(60)
        raise WRONG

    assert finish(opened, refuse).client_id == desk.sandbox.client_id


@pytest.mark.parametrize("store", [Full()])
def test_a_store_that_only_seemed_to_be_writable(desk: Desk, opened: Opened) -> None:
    """It is tried while the browser starts, which is not sent on either."""
    browser = Browser(opened)
    with pytest.raises(StoreUnavailable, match="it is full"):
        finish(opened, lambda: None)
    assert browser.page.http_status == 503
    assert desk.sandbox.counters.token_requests == 0
