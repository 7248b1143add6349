"""Getting the person to Withings: the browser is started, watched, and stood in for by an address to open by hand."""

from __future__ import annotations

import asyncio
import os

from withings_auth.authorization import browser, messages
from withings_auth.authorization.addresses import forwarding
from withings_auth.authorization.environment import detect_environment, detect_machine
from withings_auth.authorization.pending import Pending
from withings_auth.authorization.request import Attempt

NOBODY_CAME_SECONDS = 10.0


def open_browser(attempt: Attempt, failed: asyncio.Event) -> bool:
    """Starts the browser, or tells the person the address. Returns whether one was started."""
    if attempt.paste_only:
        attempt.tell_all(messages.to_paste(attempt.timeout, attempt.authorize_url))
        return False
    if not attempt.open_browser:
        _tell_the_address(attempt, f"Waiting {messages.duration(attempt.timeout)} at most.")
        return False
    loop = asyncio.get_running_loop()

    def note_failure() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(failed.set)

    short_url = f"{attempt.where.origin}{attempt.start_path}"
    trouble = browser.start(short_url, named=attempt.browser, on_failure=note_failure)
    if trouble is None:
        attempt.tell(messages.opening(attempt.timeout))
        return True
    _tell_the_address(attempt, f"No browser was opened ({trouble.why}).")
    return False


async def watch_browser(attempt: Attempt, pending: Pending, failed: asyncio.Event) -> None:
    """Tells the person the address to open by hand if the browser that was started does not come."""
    visit = asyncio.ensure_future(pending.start_visited.wait())
    failure = asyncio.ensure_future(failed.wait())
    try:
        await asyncio.wait({visit, failure}, timeout=NOBODY_CAME_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not visit.done():
            why = "The browser ended with an error." if failure.done() else "The browser has not come yet."
            _tell_the_address(attempt, why)
    finally:
        visit.cancel()
        failure.cancel()


def _tell_the_address(attempt: Attempt, why: str) -> None:
    """Tells the address to open by hand; over SSH also how the browser's answer finds its way here."""
    around = detect_environment(os.environ, detect_machine())
    if not around.over_ssh:
        cut_off = around.in_container and not attempt.where.open_to_the_network
        attempt.tell_all(messages.by_hand(why, attempt.authorize_url, in_container=cut_off))
        return
    needed = forwarding(attempt.app.redirect_uri, attempt.where)
    command = None if needed is None else messages.ssh_command(needed, around)
    attempt.tell_all(messages.by_hand_over_ssh(why, attempt.authorize_url, command))
