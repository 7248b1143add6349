"""A login up to its browser, in steps that block.

The user waits for them, so they load little: no event loop, no aiohttp, and no page. The store proves writable before
anything listens, or seems to be; the sockets listen before the browser starts.
"""

from __future__ import annotations

import math
import socket
from contextlib import ExitStack
from dataclasses import replace
from typing import NamedTuple

from withings_auth.authorization import invitation
from withings_auth.authorization.addresses import resolve_addresses
from withings_auth.authorization.open_browser import BrowserStart, open_browser
from withings_auth.authorization.options import LoginOptions, LoginRequest
from withings_auth.authorization.single_login import reserve_login
from withings_auth.authorization.sockets import listen
from withings_auth.config.settings import checked_profile, known_app, read_settings
from withings_auth.errors import ConfigurationError, hints_for
from withings_auth.provider.variables import refuse_unusable_variables
from withings_auth.store.base import checked_store, seems_writable
from withings_auth.store.ownership import prove_writable, refuse_other_owner
from withings_auth.store.records import stored_grant


class Opened(NamedTuple):
    """A login whose browser was started, or whose address was told: it waits for an answer."""

    request: LoginRequest
    sockets: list[socket.socket]
    browser: BrowserStart | None  # None if no browser was started
    app_is_saved: bool


def make_request(options: LoginOptions) -> LoginRequest:
    """Returns the request that options and settings make. Blocks. Raises `ConfigurationError` and `StoreError`."""
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


def reserve(request: LoginRequest, held: ExitStack) -> None:
    """Reserves the profile for this login as long as `held`. Raises what `reserve_login` raises."""
    if request.addresses.open_to_the_network:
        request.options.tell(invitation.open_to_the_network(request.addresses.bind_to, request.addresses.port))
    held.enter_context(hints_for(request.profile, usual=request.usual_profile))
    place = "waiting for a paste" if request.options.paste_only else f"listening at {request.addresses.origin}"
    held.enter_context(reserve_login(request.store, request.profile, place))


def prepare(request: LoginRequest) -> bool:
    """Checks variables, who owns the profile, and that the store can be written to. Blocks.

    Returns whether it has saved the app to find that out. If not, the store seems to be writable, and `finish_login`
    saves the app while the browser starts.
    """
    refuse_unusable_variables(request.endpoints.token_url)
    owner = None if request.options.replace else stored_grant(request.store, request.profile)
    if owner is not None:
        refuse_other_owner(request.profile, owner, request.app.client_id, request.endpoints.token_url)
        request.options.tell(invitation.already_signed_in(request.profile, owner))
    if seems_writable(request.store):
        return False
    prove_writable(request.store, request.app)
    return True


def open_login(request: LoginRequest, held: ExitStack, *, app_is_saved: bool) -> Opened:
    """Listens as long as `held`, and starts the browser or tells the address. Raises `CallbackUnavailable`."""
    opened = [] if request.options.paste_only else listen(request.addresses)
    sockets = [held.enter_context(listening) for listening in opened]
    return Opened(request=request, sockets=sockets, browser=open_browser(request), app_is_saved=app_is_saved)
