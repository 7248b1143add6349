"""A service worker that another program on the port has left in the user's browser, with the real Chromium."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page

from tests.support.browser import Chromium
from tests.support.logins import Desk

SWALLOWS_THE_CALLBACK = """
addEventListener("fetch", event => {
  if (event.request.url.includes("code=")) event.respondWith(new Response("swallowed"));
});
"""
SWALLOWS_EVERYTHING = 'addEventListener("fetch", event => event.respondWith(new Response("swallowed")));'


@contextmanager
def another_program(port: int, script: str) -> Iterator[None]:
    """Another program's site on the port, with a service worker."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_script = self.path == "/worker.js"
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript" if is_script else "text/html")
            self.end_headers()
            self.wfile.write((script if is_script else "<!doctype html><title>other</title>").encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield
        server.shutdown()
        thread.join()


def leave_worker(page: Page, port: int, script: str) -> None:
    """Visits another program on the port, the worker of which is active afterwards."""
    with another_program(port, script):
        page.goto(f"http://localhost:{port}/")
        page.evaluate(
            """async () => {
                 await navigator.serviceWorker.register("/worker.js");
                 const { active } = await navigator.serviceWorker.ready;
                 if (active.state != "activated") await new Promise(done => active.onstatechange = done);
               }"""
        )
        page.goto("about:blank")


def test_the_start_address_removes_a_worker(desk: Desk, chromium: Chromium) -> None:
    """Statement 42: `Clear-Site-Data` on the way to Withings removes a worker that would swallow the callback."""
    page = chromium.page()
    leave_worker(page, desk.port, SWALLOWS_THE_CALLBACK)
    program, short = desk.start_with_browser()
    page.goto(short)
    page.get_by_role("button", name="Allow").click()
    page.get_by_role("heading", name="You are signed in").wait_for()
    assert program.wait().returncode == 0
    assert chromium.complaints() == []


def test_a_worker_that_swallows_everything_is_told(desk: Desk, chromium: Chromium) -> None:
    """Statement 42: the browser looks for the worker's script, which the terminal explains, with the address for a
    private window."""
    page = chromium.page()
    leave_worker(page, desk.port, SWALLOWS_EVERYTHING)
    program, short = desk.start_with_browser()
    page.goto(short)
    assert "swallowed" in page.content()
    program.stderr.expect("Ignored a request for a service worker, left in the browser by another program")
    program.stderr.expect("use a private window of the browser, or register a URL with another port")
    private = chromium.page()
    private.goto(program.stderr.line(r"^http\S+"))
    private.get_by_role("button", name="Allow").click()
    private.get_by_role("heading", name="You are signed in").wait_for()
    assert program.wait().returncode == 0


def test_the_last_page_carries_the_header_too(desk: Desk) -> None:
    """Statement 42: it clears storage, and no cookies; a request that is not the callback cannot clear anything."""
    login = desk.start()
    query = login.consent()
    assert "Clear-Site-Data" not in login.get("code=a&state=b").headers
    assert login.get(query).headers["Clear-Site-Data"] == '"storage"'
    assert login.wait().returncode == 0
