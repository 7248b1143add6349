"""How a real browser may come back: over either address family, twice, or too early."""

from __future__ import annotations

import pytest

from tests.support.browser import Chromium
from tests.support.logins import Desk


@pytest.mark.parametrize("host", ["[::1]", "127.0.0.1"])
def test_the_callback_may_come_over_either_family(desk: Desk, chromium: Chromium, host: str) -> None:
    """Statement 3: a browser that takes `localhost` for ::1 or for 127.0.0.1 reaches the same login."""
    login = desk.start()
    page = chromium.page()
    page.goto(f"http://{host}:{login.port}/?{login.consent()}")
    page.get_by_role("heading", name="You are signed in").wait_for()
    assert login.wait().returncode == 0
    assert chromium.complaints() == []


def test_a_reload_while_it_waits_gets_the_same_page(desk: Desk, chromium: Chromium) -> None:
    """Statement 13: reloading the page while the code is being exchanged does no harm."""
    login = desk.start()
    desk.sandbox.fail_next("slow", seconds=3.0)
    url = f"http://localhost:{login.port}/?{login.consent()}"
    page = chromium.page()
    page.evaluate("url => { location.href = url }", url)
    desk.wait_for(lambda: desk.sandbox.counters.faults == 1)
    page.goto(url)  # what a reload does while nothing is shown yet
    page.get_by_role("heading", name="You are signed in").wait_for()
    assert login.wait().returncode == 0
    assert desk.sandbox.counters.exchanges == 1


def test_a_prefetch_uses_nothing_up(desk: Desk, chromium: Chromium) -> None:
    """Statements 9 and 20: what Chromium prefetches does not use up the short address."""
    program, short = desk.start_with_browser()
    page = chromium.page(bypass_csp=True)  # our own pages prefetch nothing, and their policy forbids it
    page.goto(short.rpartition("/start/")[0] + "/elsewhere")
    page.evaluate(
        """url => new Promise(done => {
            const link = document.createElement("link");
            Object.assign(link, {rel: "prefetch", href: url, onload: done, onerror: done});
            document.head.append(link);
        })""",
        short,
    )
    assert page.evaluate("url => performance.getEntriesByName(url)[0].responseStatus", short) == 503
    page.goto(short)
    page.get_by_role("button", name="Allow").click()
    page.get_by_role("heading", name="You are signed in").wait_for()
    assert program.wait().returncode == 0
