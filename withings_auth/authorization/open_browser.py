"""Gets the user to Withings: starts the browser and watches it, and tells the address to open if that fails."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable

from withings_auth.authorization import browser, messages
from withings_auth.authorization.addresses import ssh_forwarding, ssh_forwarding_to_service
from withings_auth.authorization.environment import detect_environment
from withings_auth.authorization.options import LoginRequest
from withings_auth.authorization.pending import Pending

BROWSER_PATIENCE_SECONDS = 10.0


def open_browser(request: LoginRequest, failed: asyncio.Event) -> bool:
    """Starts the browser, or tells the address to open. Returns whether a browser was started."""
    options = request.options
    if options.paste_only:
        _tell(request, messages.open_and_paste(request.authorize_url))
        return False
    if not options.open_browser:
        tell_address(request, messages.time_limit(options.timeout))
        return False
    loop = asyncio.get_running_loop()

    def note_failure() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(failed.set)

    short_url = f"{request.addresses.origin}{request.start_path}"
    problem = browser.start(short_url, named=options.browser, on_failure=note_failure)
    if problem is None:
        options.tell(messages.browser_opened(options.timeout))
        return True
    tell_address(request, f"No browser was opened ({problem.why}).")
    return False


async def watch_browser(pending: Pending, failed: asyncio.Event) -> None:
    """Tells the address to open if the browser that was started fails or does not come."""
    visit = asyncio.ensure_future(pending.start_visited.wait())
    failure = asyncio.ensure_future(failed.wait())
    try:
        await asyncio.wait({visit, failure}, timeout=BROWSER_PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not visit.done():
            why = "The browser ended with an error." if failure.done() else "The browser has not come yet."
            tell_address(pending.request, why)
    finally:
        visit.cancel()
        failure.cancel()


def tell_address(request: LoginRequest, why: str) -> None:
    """Tells the address to open; over SSH also how the browser finds its way back."""
    environment = detect_environment(os.environ)
    if environment.over_ssh:
        back = ssh_forwarding(request.app.redirect_uri, request.addresses)
        there = ssh_forwarding_to_service(request.endpoints.authorize_url)
        command = None if back is None else messages.ssh_command([back, *([there] if there else [])], environment)
        _tell(request, messages.open_over_ssh(why, request.authorize_url, command))
    else:
        cut_off = environment.in_container and not request.addresses.open_to_the_network
        _tell(request, messages.open_by_hand(why, request.authorize_url, in_container=cut_off))


def _tell(request: LoginRequest, lines: Iterable[str]) -> None:
    for line in lines:
        request.options.tell(line)
