"""Signals end a command promptly, with the exit code that shells expect and without a traceback."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, TypeVar

from withings_auth.cli.ui.terminal import is_terminal, tell
from withings_auth.threads import run_coroutine

T = TypeVar("T")

INTERRUPTED = 130
NOTICED_SECONDS = 1.0  # how late a signal may be noticed


class Terminated(BaseException):
    """The process received SIGTERM."""


class HungUp(BaseException):
    """The process received SIGHUP: its terminal was closed, or its connection was dropped."""


_EXCEPTIONS: dict[int, type[BaseException]] = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}
if hasattr(signal, "SIGHUP"):  # not on Windows
    _EXCEPTIONS[signal.SIGHUP] = HungUp

_received: list[int] = []  # kept, since a library can swallow the exception while it is imported

_cancel: list[Callable[[], object]] = []  # what a signal cancels in `noting_signals`


def received() -> type[BaseException] | None:
    """Returns the exception for the first signal that came; None if none did."""
    return _EXCEPTIONS[_received[0]] if _received else None


def raise_on_signals() -> None:
    """Turns SIGINT, SIGTERM and SIGHUP into exceptions, so that everything open is closed."""
    _received.clear()
    _handle_with(_raise)


def ignore_signals() -> None:
    """Ignores these signals while the process ends, so that a renewal under way is finished and saved."""
    _handle_with(signal.SIG_IGN)


def _handle_with(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in _EXCEPTIONS:
        # Under `nohup` SIGHUP stays ignored.
        if number in {signal.SIGINT, signal.SIGTERM} or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _raise(number: int, _frame: FrameType | None) -> NoReturn:
    _received.append(number)
    raise _EXCEPTIONS[number]


@contextmanager
def waking_for_signals() -> Iterator[None]:
    """Lets a block that waits, for input perhaps, notice every signal within a second.

    Python handles a signal between two of its own steps. One that comes after the last of them, just before the system
    call that waits, would be noticed only when that call returns. So an alarm interrupts it once a second.
    """
    if sys.platform == "win32":  # which has no such alarm
        yield
        return
    handler = signal.signal(signal.SIGALRM, lambda *_: None)
    timer = signal.setitimer(signal.ITIMER_REAL, NOTICED_SECONDS, NOTICED_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *timer)


def serve_until_ctrl_c(last_words: str) -> int:
    """Waits for Ctrl-C while another thread serves. Returns the exit code; Ctrl-C is how it ends, and no error."""
    try:
        with waking_for_signals():
            while True:
                time.sleep(3600)  # not `Event.wait`, which Ctrl-C does not end on Windows before Python 3.14
    except KeyboardInterrupt:
        tell(f"\n{last_words}" if is_terminal() else last_words)  # after the ^C of the terminal
    return INTERRUPTED


@contextmanager
def noting_signals() -> Iterator[None]:
    """Lets no signal handler raise in the block: a signal ends its `run_interruptible`, and that at its first wait.

    So no import is left half done, and no coroutine unawaited, whenever the signal comes.
    """

    def note(number: int, _frame: FrameType | None) -> None:
        _received.append(number)
        for call in _cancel:
            call()

    _handle_with(note)
    try:
        yield
    finally:
        raise_on_signals()


def run_interruptible(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs the coroutine that `make` returns, cancelled by the first SIGINT, SIGTERM or SIGHUP.

    Then raises KeyboardInterrupt, `Terminated` or `HungUp`, with the notes of the cancellation. After a signal that
    came before, the coroutine is cancelled at its first wait.
    """
    with noting_signals():
        import asyncio  # here, because printing a valid token must not load it

        async def main() -> T:
            task, loop = asyncio.current_task(), asyncio.get_running_loop()
            if task is not None:
                _cancel.append(lambda: loop.call_soon_threadsafe(task.cancel))
                if _received:
                    task.cancel()
            try:
                return await make()
            finally:
                _cancel.clear()

        try:
            return run_coroutine(main)
        except asyncio.CancelledError as error:
            ended = _EXCEPTIONS.get(next(iter(_received), signal.SIGINT), KeyboardInterrupt)()
            for hint in getattr(error, "__notes__", ()):
                ended.add_note(hint)
            raise ended from None
