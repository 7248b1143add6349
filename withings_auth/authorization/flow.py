"""How a person comes in: the flow of a login from the saved app to the saved tokens, step by step.

The store proves writable before anything listens, the sockets listen before the browser is started, the browser is
started before aiohttp is loaded, and nothing says success before the save.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, TypedDict, Unpack

from withings_auth.authorization import messages, pages
from withings_auth.authorization.addresses import resolve_addresses
from withings_auth.authorization.callback import Granted, Refused
from withings_auth.authorization.countdown import count_down
from withings_auth.authorization.open_browser import open_browser as open_the_browser
from withings_auth.authorization.open_browser import watch_browser
from withings_auth.authorization.paste import take_pastes
from withings_auth.authorization.pending import Pending
from withings_auth.authorization.request import Attempt
from withings_auth.authorization.single_login import reserve_login
from withings_auth.authorization.sockets import listen as listen_on
from withings_auth.config.settings import checked_profile, read_settings
from withings_auth.errors import (
    ConfigurationError,
    LockBusy,
    LoginDenied,
    StoreError,
    WithingsAuthError,
    WrongAccount,
    login_hint,
)
from withings_auth.model import App, Endpoints, Grant, Token
from withings_auth.store.ownership import forget_refused, save_login
from withings_auth.threads import Call, in_thread

if TYPE_CHECKING:
    from withings_auth.store.base import SecretStore

DEFAULT_TIMEOUT_SECONDS = 300.0
INTERRUPT_SECONDS = 2.0
LAST_MOMENTS_SECONDS = 1.5  # for a code that was already sent, when the login is interrupted


def say(line: str) -> None:
    """Tells a person on stderr, where all of a login is told."""
    if sys.stderr is not None:  # as in a program without a console, where print would take stdout
        with suppress(OSError):  # nobody may be listening
            print(line, file=sys.stderr, flush=True)


class LoginOptions(TypedDict, total=False):
    """What can be said about a login besides its app; see `login` for what each one means."""

    profile: str
    store: SecretStore | None
    timeout: float
    endpoints: Endpoints | None
    listen: str | None
    open_browser: bool
    browser: str | None
    replace: bool
    switch_user: bool
    demo: bool
    pasted: AsyncIterator[str] | None
    paste_only: bool
    tell: Callable[[str], None]
    show: Callable[[str], None]


async def login(
    app: App,
    *,
    profile: str = "default",
    store: SecretStore | None = None,
    timeout: float = DEFAULT_TIMEOUT_SECONDS,
    endpoints: Endpoints | None = None,
    listen: str | None = None,
    open_browser: bool = True,
    browser: str | None = None,
    replace: bool = False,
    switch_user: bool = False,
    demo: bool = False,
    pasted: AsyncIterator[str] | None = None,
    paste_only: bool = False,
    tell: Callable[[str], None] = say,
    show: Callable[[str], None] = lambda _: None,
) -> Token:
    """Logs a person in by their browser, saves the login under `profile`, and returns its first token.

    `timeout` bounds the wait for the person, in seconds. `store` and `endpoints` default to what the settings name,
    `listen` (HOST:PORT) to what the redirect URI says. `browser` names a browser by its command; with `open_browser`
    False the authorize URL is only told. `switch_user` has Withings ask who one is, `demo` is for its demo user.
    `pasted` yields what the person pastes instead of letting the browser come back, a whole address or its query each;
    with `paste_only` nothing listens, and so any redirect URI will do. `tell` gets each line for the person, `show` a
    line that the next one is to replace (empty: nothing). Never reads stdin.

    Raises `ConfigurationError`, `CallbackUnavailable`, `StoreError`, `LoginDenied`, `LoginTimeout`, `WrongAccount`
    (another person, app or service than the profile's, without `replace`), `LoginError` and `ProviderError`.
    """
    if paste_only and pasted is None:
        raise ConfigurationError(
            "paste_only needs `pasted`, which yields what the person pastes", hint="give both, or neither"
        )
    settings = read_settings()
    attempt = Attempt(
        app=app,
        profile=checked_profile(profile),
        store=settings.open_store() if store is None else store,
        endpoints=settings.endpoints if endpoints is None else endpoints,
        where=resolve_addresses(app.redirect_uri, listen, paste_only=paste_only),
        timeout=timeout,
        replace=replace,
        switch_user=switch_user,
        demo=demo,
        open_browser=open_browser,
        browser=browser,
        pasted=pasted,
        paste_only=paste_only,
        tell=tell,
        show=show,
    )
    if attempt.where.open_to_the_network:
        tell(messages.open_to_the_network(attempt.where.bind_to, attempt.where.port))
    with ExitStack() as held:
        place = "waiting for a paste" if paste_only else f"listening at {attempt.where.origin}"
        held.enter_context(reserve_login(attempt.store, attempt.profile, place))
        await in_thread(attempt.prepare)
        opened = [] if paste_only else listen_on(attempt.where)
        sockets = [held.enter_context(listening) for listening in opened]
        try:
            grant = await _wait_and_finish(attempt, sockets)
        except ConfigurationError:  # Withings does not know the app: what was saved of it is no good
            await in_thread(lambda: forget_refused(attempt.store, attempt.app))
            raise
    await _introduce(attempt, grant)
    return grant.token


def login_sync(app: App, **options: Unpack[LoginOptions]) -> Token:
    """Does what `login` does, for code that blocks; where a loop is running (a notebook), from another thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(login(app, **options))
    cancel: list[Callable[[], object]] = []

    async def cancellable() -> Token:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        if task is not None:
            cancel.append(lambda: loop.call_soon_threadsafe(task.cancel))
        return await login(app, **options)

    call = Call(lambda: asyncio.run(cancellable()))
    threading.Thread(target=call, name="withings-auth login", daemon=True).start()
    try:
        call.finished()
    except BaseException:  # an interrupt: the port must not stay open behind it
        for stop in cancel:
            stop()
        call.finished(INTERRUPT_SECONDS)
        raise
    return call.result()


async def _wait_and_finish(attempt: Attempt, sockets: list[socket.socket]) -> Grant:
    """From listening sockets to a saved grant, with the browser's tab told how it ended."""
    pending = Pending(attempt.expectation, attempt.authorize_url, lambda reason: attempt.tell(messages.ignored(reason)))
    failed = asyncio.Event()
    browser_opened = open_the_browser(attempt, failed)
    # Imported while the browser starts: whatever it asks meanwhile waits in the kernel's queue.
    from withings_auth.authorization.server import serve

    async with serve(sockets, pending.answer, pending.ignore):
        watch = asyncio.ensure_future(watch_browser(attempt, pending, failed)) if browser_opened else None
        try:
            async with take_pastes(attempt, pending):
                return await _decide(attempt, pending)
        finally:
            if watch is not None:
                watch.cancel()
            pending.settle(pages.ended())


async def _decide(attempt: Attempt, pending: Pending) -> Grant:
    try:
        async with asyncio.timeout(attempt.timeout), count_down(attempt.timeout, attempt.show, attempt.waiting):
            decision = await pending.decision()
    except TimeoutError:
        if attempt.paste_only:
            raise messages.nothing_pasted(attempt.profile, attempt.app.redirect_uri, attempt.timeout) from None
        raise messages.nobody_came(
            attempt.profile, attempt.app.redirect_uri, attempt.timeout, pending.ignored
        ) from None
    match decision:
        case Refused(reason):
            pending.settle(pages.refused())
            raise LoginDenied(
                f"access was not allowed ({reason})",
                hint=f"nothing was saved; to try again, {login_hint(attempt.profile)}",
            )
        case Granted(code):
            return await _finish(attempt, pending, code)


async def _finish(attempt: Attempt, pending: Pending, code: str) -> Grant:
    """Exchanges and saves; success is said, on the page and to the person, only after both."""
    from withings_auth.tokens.code_exchange import exchange_code

    def exchange_and_save() -> Grant:
        grant = exchange_code(attempt.app, code, attempt.endpoints.token_url)
        save_login(attempt.store, attempt.profile, attempt.app, grant, replace=attempt.replace)
        return grant

    finishing = asyncio.ensure_future(in_thread(exchange_and_save))
    try:
        grant = await asyncio.shield(finishing)
    except asyncio.CancelledError:
        await asyncio.wait({finishing}, timeout=LAST_MOMENTS_SECONDS)
        if finishing.done() and finishing.exception() is None:
            _celebrate(attempt, pending, finishing.result())
        raise
    except WithingsAuthError as error:
        pending.settle(_page_for(error, attempt.profile))
        raise
    _celebrate(attempt, pending, grant)
    return grant


def _celebrate(attempt: Attempt, pending: Pending, grant: Grant) -> None:
    place = attempt.store.description
    pending.settle(pages.signed_in(userid=grant.userid, profile=attempt.profile, store=place))
    attempt.tell_all(messages.success(attempt.profile, grant, place))
    warning = messages.missing_scopes(attempt.app.scopes, grant.scopes)
    if warning:
        attempt.tell(warning)


async def _introduce(attempt: Attempt, grant: Grant) -> None:
    """Tells what a person recognises the account by, if Withings says it soon; that it does not changes nothing."""
    from withings_auth.authorization.devices import describe_devices

    line = await in_thread(lambda: describe_devices(grant))
    if line is not None:
        attempt.tell(line)


def _page_for(error: WithingsAuthError, profile: str) -> pages.Page:
    match error:
        case WrongAccount(userid=userid, owner=owner) if userid:
            return pages.wrong_account(userid=userid, owner=owner, profile=profile)
        case WrongAccount():
            return pages.ended()
        case StoreError() | LockBusy():
            return pages.save_failed()
        case _:
            return pages.exchange_failed()
