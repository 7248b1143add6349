"""Signals end a command promptly, with the exit code that shells expect and without a traceback."""

from __future__ import annotations

import signal
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


class Terminated(BaseException):
    """The process received SIGTERM."""


def raise_on_signals() -> None:
    """Turns SIGINT and SIGTERM into exceptions, so that everything open is closed."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _raise_terminated)


def ignore_signals() -> None:
    """Ignores SIGINT and SIGTERM while the process ends, so that a renewal under way is finished and saved."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _raise_terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated


def run_interruptible(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs the coroutine that `make` returns, cancelled by the first SIGINT or SIGTERM.

    Then raises KeyboardInterrupt or `Terminated`. No signal handler raises, so that no coroutine is left unawaited and
    no import half done, whenever the signal comes.
    """
    import asyncio  # here, because printing a valid token must not load it

    received: list[int] = []
    cancel: list[Callable[[], object]] = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        for call in cancel:
            call()

    async def main() -> T:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        if task is not None:
            cancel.append(lambda: loop.call_soon_threadsafe(task.cancel))
        try:
            if received:
                raise asyncio.CancelledError
            return await make()
        finally:
            cancel.clear()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise (Terminated if received[:1] == [signal.SIGTERM] else KeyboardInterrupt) from None
    finally:
        raise_on_signals()
