"""What a signal does to a command: it ends it soon, with the exit code that shells expect, and without a traceback."""

from __future__ import annotations

import signal
import sys
from collections.abc import Coroutine
from types import FrameType
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


class Terminated(BaseException):
    """SIGTERM came."""


def raise_on_signals() -> None:
    """Makes SIGINT and SIGTERM exceptions, so that whatever is open is closed."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _raise_terminated)


def _raise_terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated


def run_interruptible(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine that the first SIGINT or SIGTERM cancels. Raises KeyboardInterrupt or `Terminated` then."""
    import asyncio  # here, because a valid token is handed out without loading it

    received: list[int] = []

    async def main() -> T:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()

        def cancel(number: int) -> None:
            received.append(number)
            if task is not None:
                task.cancel()

        if sys.platform != "win32":  # whose loops know no signal handlers; Ctrl-C works there all the same
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, cancel, number)
        return await coroutine

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        if received[:1] == [signal.SIGTERM]:
            raise Terminated from None
        raise KeyboardInterrupt from None
    finally:
        raise_on_signals()
