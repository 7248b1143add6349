"""Gets the user to Withings: starts the browser, or tells the address to open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from withings_auth.authorization import browser, invitation
from withings_auth.authorization.addresses import ssh_forwarding, ssh_forwarding_to_service
from withings_auth.authorization.environment import detect_environment
from withings_auth.authorization.options import LoginRequest


class BrowserStart:
    """A browser that was started; `note_failure` may be called by any thread, before anybody asks or after."""

    def __init__(self) -> None:
        self._has_failed = False
        self._when_failed: Callable[[], object] = lambda: None

    def note_failure(self) -> None:
        self._has_failed = True
        self._when_failed()

    def when_failed(self, call: Callable[[], object]) -> None:
        """Has `call` called, by any thread, perhaps twice, if the browser ends with an error or has already done so."""
        self._when_failed = call
        if self._has_failed:
            call()


def open_browser(request: LoginRequest) -> BrowserStart | None:
    """Starts the browser and returns it, or tells the address to open."""
    options = request.options
    if options.paste_only:
        _tell(request, invitation.open_and_paste(request.authorize_url))
        return None
    if not options.open_browser:
        tell_address(request, invitation.time_limit(options.timeout))
        return None
    started = BrowserStart()
    short_url = f"{request.addresses.origin}{request.start_path}"
    problem = browser.start(short_url, named=options.browser, on_failure=started.note_failure)
    if problem is None:
        options.tell(invitation.browser_opened(options.timeout))
        return started
    tell_address(request, f"No browser was opened ({problem.why}).")
    return None


def tell_address(request: LoginRequest, why: str) -> None:
    """Tells the address to open; over SSH also how the browser finds its way back."""
    environment = detect_environment(os.environ)
    if environment.over_ssh:
        back = ssh_forwarding(request.app.redirect_uri, request.addresses)
        there = ssh_forwarding_to_service(request.endpoints.authorize_url)
        command = None if back is None else invitation.ssh_command([back, *([there] if there else [])], environment)
        _tell(request, invitation.open_over_ssh(why, request.authorize_url, command))
    else:
        cut_off = environment.in_container and not request.addresses.open_to_the_network
        _tell(request, invitation.open_by_hand(why, request.authorize_url, in_container=cut_off))


def _tell(request: LoginRequest, lines: Iterable[str]) -> None:
    for line in lines:
        request.options.tell(line)
