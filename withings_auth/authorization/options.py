"""The options of a login, each written down once: as a field of `LoginOptions`.

The public functions take them as keywords; inside, they travel as one value.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar

from withings_auth.model import App, Endpoints
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
    """How a login is to run; `login` says what each option means."""

    app: App = field(kw_only=False)
    profile: str = "default"
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
    tell: Callable[[str], None] = tell_on_stderr
    show: Callable[[str], None] = lambda _: None


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
