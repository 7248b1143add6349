"""`chromium` is a real browser, and hears what its console says."""

from __future__ import annotations

import asyncio
import http.server
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.browser import Chromium

PAGE = b"<!doctype html><html lang=en><title>A page</title><link rel=icon href=data:,><p>Hello"


@pytest.fixture
def site() -> Iterator[str]:
    """A web server with one page."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(PAGE)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_it_opens_a_page_and_hears_the_console(chromium: Chromium, site: str) -> None:
    page = chromium.page()
    answer = page.goto(site)
    assert answer is not None
    assert answer.status == 200
    assert page.title() == "A page"
    assert chromium.console == []
    page.goto(f"{site}/elsewhere")
    assert len(chromium.console) == 1
    assert chromium.complaints() == []  # a status other than 200 is none
    page.evaluate("console.error('oh')")
    with page.expect_event("pageerror"):
        page.evaluate("setTimeout(() => { throw Error('dear') })")
    assert chromium.complaints() == ["error: oh", "exception: dear"]


@pytest.mark.usefixtures("_engine")
def test_asyncio_works_after_a_browser_was_used() -> None:
    assert asyncio.run(asyncio.sleep(0, "done")) == "done"


def test_pages_share_nothing(chromium: Chromium, site: str) -> None:
    first, second = chromium.page(), chromium.page()
    for page in (first, second):
        page.goto(site)
    first.evaluate("localStorage.setItem('a', 'b')")
    assert second.evaluate("localStorage.getItem('a')") is None
