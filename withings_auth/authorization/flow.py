"""The flow of a login, from the browser that was started to the saved tokens; `opening` has what comes before.

aiohttp is loaded while the browser starts, and nothing reports success before the save.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial

from withings_auth.authorization import messages, pages
from withings_auth.authorization.blocking import blocking
from withings_auth.authorization.callback import Granted, Reason, Refused
from withings_auth.authorization.open_browser import BrowserStart, tell_address
from withings_auth.authorization.opening import Opened, make_request, open_login, prepare, reserve
from withings_auth.authorization.options import LoginOptions, LoginRequest, takes
from withings_auth.authorization.paste import take_pastes
from withings_auth.authorization.pending import Pending
from withings_auth.errors import (
    ConfigurationError,
    LockBusy,
    LockLost,
    LoginDenied,
    OutOfResources,
    StoreError,
    UnusableVariable,
    WithingsAuthError,
    WrongAccount,
    login_hint,
)
from withings_auth.model import DASHBOARD, Grant, Token
from withings_auth.store.base import clock_offset, store_time
from withings_auth.store.ownership import forget_refused, prove_writable, save_login
from withings_auth.threads import in_thread

BROWSER_PATIENCE_SECONDS = 10.0
BROWSER_GRACE_SECONDS = 2.0  # for a browser that was just started to learn that the login has ended
PATIENCE_SECONDS = 20.0  # before a line says what may be wrong at Withings, which does not tell us
LAST_MOMENTS_SECONDS = 1.5  # for a code that was already sent when the login is interrupted


@takes(LoginOptions)
async def login(options: LoginOptions) -> Token:
    """Logs a user in through their browser, saves the login under `profile`, and returns its first token.

    `timeout` limits the wait for the user, in seconds. `app`, `profile`, `store` and `endpoints` default to the
    settings, as those of the commands do (the app also to the only one that is saved), `listen` (HOST:PORT) to the
    redirect URI. `browser` is a command that starts a browser; with `open_browser=False` the authorize URL is only
    printed. With `switch_user` Withings asks which user signs in; `demo` is for its demo user. `pasted` yields what the
    user pastes instead of letting the browser come back: each time a whole address or its query. With `paste_only`
    nothing listens, so any redirect URI works. `tell` gets each line for the user, `show` a line that the next one
    replaces (empty: none); hints name `client_id_place` as where to correct the client id (empty: nobody
    entered it). Never reads stdin.

    Raises `ConfigurationError`, `CallbackUnavailable`, `StoreError`, `LoginDenied`, `LoginTimeout`, `WrongAccount`
    (without `replace`, if the profile belongs to another user, app or service), `LoginError` and `ProviderError`.
    """
    request = await in_thread(lambda: make_request(options))
    with ExitStack() as held:
        reserve(request, held)
        is_saved = await in_thread(lambda: prepare(request))
        return await finish_login(open_login(request, held, app_is_saved=is_saved))


login_sync = blocking(login, "login_sync")
"""`login` for code that blocks; if a loop is running (a notebook), it runs in another thread."""


async def finish_login(opened: Opened, prove: Callable[[], None] | None = None) -> Token:
    """Waits for the answer to a login whose browser was started, saves the login and returns its token.

    `prove` is called in a thread meanwhile; the login ends with the `ConfigurationError` that it raises. Raises what
    `login` raises.
    """
    request = opened.request
    try:
        grant = await _wait_and_finish(opened, prove)
    except UnusableVariable:  # which says nothing about the app
        raise
    except ConfigurationError:  # Withings does not know the app, so what was saved for it is useless
        with suppress(OutOfResources):
            await in_thread(lambda: forget_refused(request.store, request.app))
        raise
    with suppress(OutOfResources):  # the login is saved, and that is what counts
        await _tell_devices(request.options, grant)
    return grant.token


async def _tell_devices(options: LoginOptions, grant: Grant) -> None:
    from withings_auth.authorization.devices import describe_devices

    devices = await in_thread(lambda: describe_devices(grant))
    if devices is not None:
        options.tell(devices)


async def _wait_and_finish(opened: Opened, prove: Callable[[], None] | None) -> Grant:
    """Goes from listening sockets to a saved grant, and shows the outcome in the browser."""
    tell = opened.request.options.tell

    def notice(reason: Reason) -> None:
        tell(messages.ignored(reason))
        if (way_on := messages.in_a_private_window(reason)) is not None:
            tell_address(pending.request, way_on)

    pending = Pending(
        opened.request,
        notice=notice,
        reopen=lambda is_new: tell_address(pending.request, messages.opened_twice(is_new=is_new)),
    )
    # Imported while the browser starts: whatever it asks meanwhile waits in the kernel's queue.
    from withings_auth.authorization.server import serve

    async with serve(opened.sockets, pending.answer, pending.ignore):
        beside = [asyncio.ensure_future(watch_browser(pending, opened.browser))] if opened.browser else []
        beside.append(asyncio.ensure_future(_admit(pending, opened, prove)))
        try:
            async with take_pastes(opened.request, pending):
                return await _decide(opened.request, pending)
        finally:
            for task in beside:
                task.cancel()
            pending.settle(pages.page(pages.Text.ENDED))
            pending.admit(pages.page(pages.Text.ENDED))


async def _admit(pending: Pending, opened: Opened, prove: Callable[[], None] | None) -> None:
    """Sends the browser on to Withings once the app is saved and proved.

    If that fails, tells the browser so and ends the wait.
    """
    try:
        if not opened.app_is_saved:
            await in_thread(lambda: prove_writable(opened.request.store, opened.request.app))
        if prove is not None:
            with suppress(OutOfResources):
                await in_thread(prove)
    except WithingsAuthError as error:
        pending.admit(pages.page(pages.Text.CANNOT_SUCCEED))
        if opened.browser is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(pending.start_visited.wait(), BROWSER_GRACE_SECONDS)
        pending.fail(error)
    else:
        pending.admit()


async def watch_browser(pending: Pending, browser: BrowserStart) -> None:
    """Tells the address to open if the browser that was started fails or does not come."""
    loop = asyncio.get_running_loop()
    failed = asyncio.Event()

    def note_failure() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(failed.set)

    browser.when_failed(note_failure)
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


async def _decide(request: LoginRequest, pending: Pending) -> Grant:
    options = request.options
    countdown = asyncio.ensure_future(_count_down(options))
    reminder = asyncio.get_running_loop().call_later(
        PATIENCE_SECONDS, lambda: options.tell(messages.still_waiting(request))
    )
    try:
        async with asyncio.timeout(options.timeout):
            decision = await pending.decision()
    except TimeoutError:
        raise messages.nobody_came(request, pending.ignored) from None
    except asyncio.CancelledError as cancelled:  # as by Ctrl-C, which shows the note
        cancelled.add_note(f"hint: {messages.nobody_came(request, pending.ignored).hint}")
        raise
    finally:
        reminder.cancel()
        countdown.cancel()
        options.show("")
    match decision:
        case Refused(error):
            pending.settle(pages.page(pages.Text.REFUSED))
            raise LoginDenied(
                f"access was not allowed ({error})",
                hint=f"nothing was saved; to try again, {login_hint(request.profile)}",
            )
        case Granted(code):
            return await _finish(request, pending, code)


async def _count_down(options: LoginOptions) -> None:
    """Shows once a second how long the login still waits."""
    loop = asyncio.get_running_loop()
    end = loop.time() + options.timeout
    pasting, listening = options.pasted is not None, not options.paste_only
    while True:
        options.show(messages.countdown(max(0.0, end - loop.time()), pasting=pasting, listening=listening))
        await asyncio.sleep(1)


async def _finish(request: LoginRequest, pending: Pending, code: str) -> Grant:
    """Exchanges the code and saves the tokens; only then the page and the terminal report success."""
    from withings_auth.tokens.code_exchange import exchange_code

    def exchange_and_save() -> Grant:
        try:
            now = partial(store_time, request.store)
            grant = exchange_code(request.app, code, request.endpoints.token_url, now=now)
        except ConfigurationError as error:
            app_in_program = request.options.app is not None and request.options.client_id_place is None
            if not app_in_program or isinstance(error, UnusableVariable):
                raise
            hint = f"the App in this program must have the client id, secret and redirect URI from {DASHBOARD}"
            raise error.with_message(str(error), hint=hint) from error
        try:
            save_login(request.store, request.profile, request.app, grant, replace=request.options.replace)
        except LockLost as error:  # the code works only once: to ask again for what it brought is in vain
            hint = f"{login_hint(request.profile)}; if this persists, check the network and the server of the store"
            raise error.with_message(f"nobody knows whether the login was saved: {error}", hint=hint) from error
        return grant.by_clock(-clock_offset(request.store))  # users and callers know only this machine's clock

    finishing = asyncio.ensure_future(in_thread(exchange_and_save))
    try:
        grant = await asyncio.shield(finishing)
    except asyncio.CancelledError:
        await asyncio.wait({finishing}, timeout=LAST_MOMENTS_SECONDS)
        if finishing.done() and finishing.exception() is None:
            _report_success(request, pending, finishing.result())
        raise
    except WithingsAuthError as error:
        pending.settle(_page_for(error, request.profile))
        raise
    _report_success(request, pending, grant)
    return grant


def _report_success(request: LoginRequest, pending: Pending, grant: Grant) -> None:
    place = request.store.description
    pending.settle(pages.signed_in(userid=grant.userid, profile=request.profile, store=place))
    for line in messages.signed_in(request.profile, grant, place, request.app.scopes):
        request.options.tell(line)


def _page_for(error: WithingsAuthError, profile: str) -> pages.Page:
    match error:
        case WrongAccount(userid=userid, owner=owner) if userid:
            return pages.wrong_account(userid=userid, owner=owner, profile=profile)
        case WrongAccount():
            return pages.page(pages.Text.ENDED)
        case StoreError() | LockBusy():
            return pages.page(pages.Text.SAVE_FAILED)
        case _:
            return pages.page(pages.Text.EXCHANGE_FAILED)
