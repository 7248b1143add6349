"""The options of a login, and the request that they and the settings make. Does no I/O.

Each option is written down once, as a field of `LoginOptions`. The public functions take them as keywords.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar

from withings_auth.authorization.addresses import Addresses
from withings_auth.model import App, Endpoints
from withings_auth.provider.forms import authorize_url
from withings_auth.store.base import SecretStore

DEFAULT_TIMEOUT_SECONDS = 300.0

P = ParamSpec("P")
Options = TypeVar("Options")
T = TypeVar("T")


def tell_on_stderr(line: str) -> None:
    """Prints a line on stderr, where everything about a login goes."""
    if sys.stderr is not None:  # as in a program without a console; print would use stdout instead
        with suppress(OSError):  # closed
            print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginOptions:
    """How a login runs; `login` says what each option means."""

    app: App | None = field(default=None, kw_only=False)
    profile: str | None = None
    store: SecretStore | None = None
    timeout: float = DEFAULT_TIMEOUT_SECONDS
    endpoints: Endpoints | None = None
    listen: str | None = None
    open_browser: bool = True
    browser: str | None = None
    replace: bool = False
    switch_user: bool = False
    demo: bool = False
    pasted: AsyncIterator[str] | None = field(default=None, repr=False)
    paste_only: bool = False
    client_id_place: str | None = None
    tell: Callable[[str], None] = tell_on_stderr
    show: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRequest:
    """One login: its options, what they left to the settings, and the secrets that it makes for itself.

    `app`, `store`, `endpoints` and `profile` are final; those of the options may be missing or unchecked.
    `usual_profile` is the one that is set, which a command without a flag would log in.
    """

    options: LoginOptions
    app: App
    client_id_place: str
    profile: str
    usual_profile: str
    store: SecretStore
    endpoints: Endpoints
    addresses: Addresses
    state: str = field(repr=False, default_factory=lambda: _unguessable(32))
    ticket: str = field(repr=False, default_factory=lambda: _unguessable(16))

    @property
    def start_path(self) -> str:
        """The path of the short address on our listener that the browser is given; it does not contain `state`."""
        return f"/start/{self.ticket}"

    @property
    def behind_proxy(self) -> bool:
        """Whether the user lets something forward to the listener: a proxy, or the mapped port of a container."""
        return self.options.listen is not None

    def with_new_state(self) -> LoginRequest:
        """Returns the same request, to which no answer that was begun before belongs."""
        return replace(self, state=_unguessable(32))

    @property
    def authorize_url(self) -> str:
        """The page where the user signs in and decides."""
        demo, switch_user = self.options.demo, self.options.switch_user
        return authorize_url(self.endpoints, self.app, state=self.state, demo=demo, switch_user=switch_user)


def _unguessable(size: int) -> str:
    """Returns random text from this many bytes."""
    return os.urandom(size).hex()  # as `secrets` does it, which takes longer to load than everything else here


def takes(
    options: Callable[P, Options],
) -> Callable[[Callable[[Options], Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """Lets a function of one options value be called with its fields: `f(options(…))` becomes `f(…)`.

    Type checkers, `help` and editors see the fields as the function's own parameters.
    """

    def decorate(function: Callable[[Options], Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @wraps(function)
        async def call(*args: P.args, **keywords: P.kwargs) -> T:
            return await function(options(*args, **keywords))

        returns = signature(function).return_annotation
        call.__dict__["__signature__"] = signature(options).replace(return_annotation=returns)
        return call

    return decorate
