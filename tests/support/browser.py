"""A real Chromium, one for all tests of a process, with a fresh profile for each page."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

_FLAGS = (
    "--no-sandbox",  # Chromium's sandbox refuses to start for root, as which containers run
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)


def executable() -> str | None:
    """The Chromium of this machine, None if it has none; playwright's own download is never used."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Engine:
    """The browser process; its pages can be used while it is `awake`."""

    def __init__(self, browser: Browser, loop: asyncio.AbstractEventLoop) -> None:
        self._browser = browser
        self._loop = loop

    @contextlib.contextmanager
    def awake(self) -> Iterator[Browser]:
        """Makes playwright's event loop this thread's running one, which its calls need.

        Otherwise it is hidden, so that `asyncio.run` works in every test without a browser.
        """
        asyncio._set_running_loop(self._loop)
        try:
            yield self._browser
        finally:
            asyncio._set_running_loop(None)


@contextlib.contextmanager
def engine(path: str) -> Iterator[Engine]:
    """A browser that runs until the end of the block."""
    with contextlib.ExitStack() as stack:
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        started = Engine(browser, asyncio.get_running_loop())
        asyncio._set_running_loop(None)
        try:
            yield started
        finally:
            with started.awake():
                browser.close()
                stack.close()


class Chromium:
    """What a test gets: pages, and everything that their console said.

    Playwright's calls occupy the thread of the test, so asyncio must run in another thread or process.
    """

    def __init__(self, browser: Browser) -> None:
        self.console: list[str] = []
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    def page(self, **options: Any) -> Page:
        """Open a page with its own profile; `options` go to playwright's `new_context`."""
        context = self._browser.new_context(**options)
        self._contexts.append(context)
        context.set_default_timeout(60_000)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.console.append(f"exception: {error.error}"))
        return context.new_page()

    def _console(self, message: ConsoleMessage) -> None:
        self.console.append(f"{message.type}: {message.text}")

    def complaints(self) -> list[str]:
        """What the console said, without what Chromium says of a status other than 2xx and of `Clear-Site-Data`."""
        expected = ("the server responded with a status of", "info: Clear-Site-Data header on")
        return [line for line in self.console if not any(text in line for text in expected)]

    def close(self) -> None:
        """Close every page of the test."""
        for context in self._contexts:
            context.close()
