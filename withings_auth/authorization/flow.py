"""The flow of a login, step by step, from the saved app to the saved tokens.

The store proves writable before anything listens, the sockets listen before the browser starts, the browser starts
before aiohttp is loaded, and nothing reports success before the save.
"""

from __future__ import annotations

import asyncio
import math
import socket
from contextlib import ExitStack, suppress
from dataclasses import replace

from withings_auth.authorization import messages, pages
from withings_auth.authorization.addresses import resolve_addresses
from withings_auth.authorization.blocking import blocking
from withings_auth.authorization.callback import Granted, Reason, Refused
from withings_auth.authorization.open_browser import open_browser, tell_address, watch_browser
from withings_auth.authorization.options import LoginOptions, LoginRequest, takes
from withings_auth.authorization.paste import take_pastes
from withings_auth.authorization.pending import Pending
from withings_auth.authorization.single_login import reserve_login
from withings_auth.authorization.sockets import listen
from withings_auth.config.settings import checked_profile, known_app, read_settings
from withings_auth.errors import (
    ConfigurationError,
    LockBusy,
    LoginDenied,
    OutOfResources,
    StoreError,
    UnusableVariable,
    WithingsAuthError,
    WrongAccount,
    hints_for,
    login_hint,
)
from withings_auth.model import Grant, Token
from withings_auth.provider.failures import DASHBOARD
from withings_auth.provider.variables import refuse_unusable_variables
from withings_auth.store.base import checked_store
from withings_auth.store.ownership import forget_refused, prove_writable, refuse_other_owner, save_login
from withings_auth.store.records import stored_grant
from withings_auth.threads import in_thread

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
    request = await in_thread(lambda: _request(options))
    if request.addresses.open_to_the_network:
        options.tell(messages.open_to_the_network(request.addresses.bind_to, request.addresses.port))
    with ExitStack() as held:
        held.enter_context(hints_for(request.profile, usual=request.usual_profile))
        place = "waiting for a paste" if options.paste_only else f"listening at {request.addresses.origin}"
        held.enter_context(reserve_login(request.store, request.profile, place))
        await in_thread(lambda: _prepare(request))
        opened = [] if options.paste_only else listen(request.addresses)
        sockets = [held.enter_context(listening) for listening in opened]
        try:
            grant = await _wait_and_finish(request, sockets)
        except UnusableVariable:  # which says nothing about the app
            raise
        except ConfigurationError:  # Withings does not know the app, so what was saved for it is useless
            with suppress(OutOfResources):
                await in_thread(lambda: forget_refused(request.store, request.app))
            raise
    with suppress(OutOfResources):  # the login is saved, and that is what counts
        await _tell_devices(options, grant)
    return grant.token


async def _tell_devices(options: LoginOptions, grant: Grant) -> None:
    from withings_auth.authorization.devices import describe_devices

    devices = await in_thread(lambda: describe_devices(grant))
    if devices is not None:
        options.tell(devices)


login_sync = blocking(login, "login_sync")
"""`login` for code that blocks; if a loop is running (a notebook), it runs in another thread."""


def _request(options: LoginOptions) -> LoginRequest:
    """Returns the request that options and settings make. Blocks."""
    if options.paste_only and options.pasted is None:
        raise ConfigurationError("paste_only=True needs `pasted`, which yields what the user pastes", hint="pass both")
    if not (math.isfinite(options.timeout) and options.timeout > 0):
        raise ConfigurationError("timeout must be a number of seconds above 0", hint="wait five minutes: timeout=300")
    settings = read_settings()
    profile = settings.profile if options.profile is None else checked_profile(options.profile)
    store = settings.open_store() if options.store is None else checked_store(options.store)
    endpoints = settings.endpoints if options.endpoints is None else options.endpoints
    app = options.app or known_app(replace(settings, profile=profile, endpoints=endpoints), store).complete()
    place = options.client_id_place
    if place is None:
        place = "the client_id of the App" if options.app else settings.place_of_client_id(store)
    return LoginRequest(
        options=options,
        app=app,
        client_id_place=place,
        profile=profile,
        usual_profile=settings.profile,
        store=store,
        endpoints=endpoints,
        addresses=resolve_addresses(app.redirect_uri, options.listen, paste_only=options.paste_only),
    )


def _prepare(request: LoginRequest) -> None:
    """Checks variables, who owns the profile, and that the store can be written to. Blocks."""
    refuse_unusable_variables(request.endpoints.token_url)
    owner = None if request.options.replace else stored_grant(request.store, request.profile)
    if owner is not None:
        refuse_other_owner(request.profile, owner, request.app.client_id, request.endpoints.token_url)
        request.options.tell(messages.already_signed_in(request.profile, owner))
    prove_writable(request.store, request.app)


async def _wait_and_finish(request: LoginRequest, sockets: list[socket.socket]) -> Grant:
    """Goes from listening sockets to a saved grant, and shows the outcome in the browser."""
    tell = request.options.tell

    def notice(reason: Reason) -> None:
        tell(messages.ignored(reason))
        if (way_on := messages.in_a_private_window(reason)) is not None:
            tell_address(pending.request, way_on)

    pending = Pending(
        request,
        notice=notice,
        reopen=lambda is_new: tell_address(pending.request, messages.opened_twice(is_new=is_new)),
    )
    failed = asyncio.Event()
    browser_opened = open_browser(request, failed)
    # Imported while the browser starts: whatever it asks meanwhile waits in the kernel's queue.
    from withings_auth.authorization.server import serve

    async with serve(sockets, pending.answer, pending.ignore):
        watch = asyncio.ensure_future(watch_browser(pending, failed)) if browser_opened else None
        try:
            async with take_pastes(request, pending):
                return await _decide(request, pending)
        finally:
            if watch is not None:
                watch.cancel()
            pending.settle(pages.page(pages.Text.ENDED))


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
            grant = exchange_code(request.app, code, request.endpoints.token_url)
        except ConfigurationError as error:
            app_in_program = request.options.app is not None and request.options.client_id_place is None
            if not app_in_program or isinstance(error, UnusableVariable):
                raise
            hint = f"the App in this program must have the client id, secret and redirect URI from {DASHBOARD}"
            raise error.with_message(str(error), hint=hint) from error
        save_login(request.store, request.profile, request.app, grant, replace=request.options.replace)
        return grant

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
