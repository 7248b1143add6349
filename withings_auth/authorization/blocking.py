"""Lets blocking code call a coroutine function, even in a notebook."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from withings_auth.threads import Call, run_coroutine, start_daemon

P = ParamSpec("P")
T = TypeVar("T")

INTERRUPT_SECONDS = 2.0


def blocking(function: Callable[P, Coroutine[Any, Any, T]], name: str) -> Callable[P, T]:
    """Returns a function of this name that does what the coroutine function does, and blocks until it is done.

    If a loop is running (a notebook), the coroutine runs in another thread; an interrupt cancels it there.
    """

    @wraps(function)
    def call(*args: P.args, **keywords: P.kwargs) -> T:
        run = _run_in_thread if _a_loop_is_running() else run_coroutine
        return run(lambda: function(*args, **keywords))

    call.__name__ = call.__qualname__ = name
    return call


def _a_loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _run_in_thread(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    cancel: list[Callable[[], object]] = []

    async def cancellable() -> T:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        if task is not None:
            cancel.append(lambda: loop.call_soon_threadsafe(task.cancel))
        return await make()

    call = Call(lambda: run_coroutine(cancellable))
    start_daemon(call, "withings-auth login")
    try:
        call.finished()
    except BaseException:  # an interrupt, which must not leave the port open
        for stop in cancel:
            stop()
        call.finished(INTERRUPT_SECONDS)
        raise
    return call.result()
