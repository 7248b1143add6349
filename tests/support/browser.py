"""A real Chromium, one for all tests of a process, with a fresh profile for each page that a test opens."""

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
    "--no-sandbox",  # containers run as root, for which Chromium's sandbox refuses to start
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)


def executable() -> str | None:
    """The Chromium that this machine has; playwright's own download is never used."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Engine:
    """The browser process; `awake` is when its pages can be used."""

    def __init__(self, browser: Browser, loop: asyncio.AbstractEventLoop) -> None:
        self._browser = browser
        self._loop = loop

    @contextlib.contextmanager
    def awake(self) -> Iterator[Browser]:
        """Meanwhile playwright's event loop counts as this thread's running one, which its calls need.

        Otherwise nobody sees it: `asyncio.run` works in every test that has no browser.
        """
        asyncio._set_running_loop(self._loop)
        try:
            yield self._browser
        finally:
            asyncio._set_running_loop(None)


@contextlib.contextmanager
def engine(path: str) -> Iterator[Engine]:
    """A browser until the end of the block."""
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
    """What a test holds: pages, and everything that the console said about them.

    Playwright's calls occupy the test's thread, so asyncio belongs into another thread or process meanwhile.
    """

    def __init__(self, browser: Browser) -> None:
        self.console: list[str] = []
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    def page(self, **options: Any) -> Page:
        """A page with a profile of its own; `options` are those of playwright's `new_context`."""
        context = self._browser.new_context(**options)
        self._contexts.append(context)
        context.set_default_timeout(10_000)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.console.append(f"exception: {error.error}"))
        return context.new_page()

    def _console(self, message: ConsoleMessage) -> None:
        self.console.append(f"{message.type}: {message.text}")

    def complaints(self) -> list[str]:
        """What the console said, without the line by which Chromium reports that a page's status is not 2xx."""
        return [line for line in self.console if "the server responded with a status of" not in line]

    def close(self) -> None:
        """Close every page of the test."""
        for context in self._contexts:
            context.close()
