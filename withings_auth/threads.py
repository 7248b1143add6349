"""Threads that never keep a process from ending, and waits that always end.

The default executors of asyncio and concurrent.futures are joined at exit, so one call that hangs there hangs the
process. A `Worker` is a daemon thread of our own; whoever asks it for something waits only as long as it said.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")

NOTICEABLE_SECONDS = 2.0
ABANDONED_WAIT_SECONDS = 0.5  # how long a wait goes on at most that nobody needs any more


class StillRunning(Exception):
    """A call has not returned in time and goes on (no TimeoutError: the call itself may raise that)."""


class NoThread(RuntimeError):
    """No thread can be started: there are too many, or (Python 3.12) the main thread has ended."""


class Call(Generic[T]):
    """One function call under way in another thread."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._done = threading.Event()
        self._value: T | None = None
        self._error: BaseException | None = None
        self.when_done: Callable[[], None] = lambda: None

    def __call__(self) -> None:
        """Makes the call; whatever it raises is kept for who waits."""
        try:
            self._value = self._function()
        except BaseException as error:  # noqa: BLE001  it is raised again where somebody waits for it
            self._error = error
        self._done.set()
        self.when_done()
        del self  # the error's traceback leads to this frame: if nobody asks for it, a cycle would keep secrets alive

    def finished(self, seconds: float | None = None) -> bool:
        """Waits up to `seconds` and says whether the call has returned."""
        return self._done.wait(seconds)

    def result(self) -> T:
        """Returns what the finished call returned, or raises what it raised."""
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # the traceback holds this frame: without this a cycle keeps secrets alive
        return self._value  # type: ignore[return-value]  # None only where T allows it


class Worker:
    """A daemon thread that does one thing after another until it is closed.

    Started before a transaction and kept through it, because no thread can be started any more once the main
    thread has ended (Python 3.12), and a save may then still be due.
    """

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        _start(threading.Thread(target=self._work, name=name, daemon=True))

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            del call  # an idle thread keeps nothing alive

    def do(self, function: Callable[[], T], *, seconds: float, announce: Callable[[], None] = lambda: None) -> T:
        """Returns what the function returns. Raises `StillRunning` after `seconds`; the call itself then goes on.

        `announce` is called once if the wait becomes long enough for a person to wonder.
        """
        call = Call(function)
        self._calls.put(call)
        noticeable = min(seconds, NOTICEABLE_SECONDS)
        if not call.finished(noticeable):
            announce()
            if not call.finished(seconds - noticeable):
                raise StillRunning
        return call.result()

    def later(self, function: Callable[[], None]) -> None:
        """Does this after everything that was asked before; nobody waits for it."""
        self._calls.put(function)

    def close(self) -> None:
        """Lets the thread end when it has done what it was asked."""
        self._calls.put(None)


def interruptibly(function: Callable[[], T], name: str) -> T:
    """Makes a call in a thread of this name: a signal to the caller ends its wait at once. Raises `NoThread`.

    The call goes on then, and leaves no event loop half closed, as it would where the signal arrives.
    """
    call = Call(function)
    _start(threading.Thread(target=call, name=name, daemon=True))
    call.finished()
    return call.result()


async def in_thread(function: Callable[[], T]) -> T:
    """Awaits a blocking call in a thread of its own, which a cancellation does not stop. Raises `NoThread`."""
    import asyncio  # here, because a valid token is handed out without loading it

    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not done.done():
            done.set_result(None)

    def report() -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(wake)

    call = Call(function)
    call.when_done = report
    _start(threading.Thread(target=call, name="withings-auth", daemon=True))
    await done
    return call.result()


def run_to_its_end(
    transaction: Callable[[Callable[[float], None]], T],
    abandoned: threading.Event,
    *,
    asker: threading.Thread | None = None,
) -> T:
    """Runs a transaction in a thread that a signal to this one does not stop half way.

    The transaction gets the function by which it waits. When the caller is interrupted, sets `abandoned`, or ends with
    the process, it ends at its next wait; past the last of these it is waited for, at most as long as one request and
    one save take. `asker` is the thread that wants the result, if not this one. Raises `NoThread`.
    """
    caller = threading.current_thread()
    asking = asker or caller

    def nobody_asks() -> bool:
        # Whoever waits below is there, though the main thread counts as ended while the functions of `atexit` run.
        ended = asking is not caller and not asking.is_alive()
        return ended or (asking.daemon and not threading.main_thread().is_alive())

    def wait(seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            left = max(0.0, until - time.monotonic())
            if abandoned.wait(min(left, ABANDONED_WAIT_SECONDS)) or nobody_asks():
                raise SystemExit  # if anybody sees it, it is a daemon thread at the end, and of this it says nothing
            if left <= ABANDONED_WAIT_SECONDS:
                return

    call = Call(lambda: transaction(wait))
    # Not a daemon thread, though this one may be: the interpreter waits for it too, should a second signal end the wait
    # below, or the program end while the errand of an async caller is under way.
    thread = threading.Thread(target=call, name="withings-auth renewal", daemon=False)
    try:
        _start(thread)
        call.finished()  # not `join`: interrupted, it takes the thread for ended (github.com/python/cpython, bpo-45274)
    except BaseException:
        abandoned.set()
        if thread.ident is not None:
            call.finished()
        raise
    return call.result()


def _start(thread: threading.Thread) -> None:
    try:
        thread.start()
    except RuntimeError as error:
        raise NoThread(str(error)) from error
