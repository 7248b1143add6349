"""Threads that never keep a process from ending, and waits that always end.

The default executors of asyncio and concurrent.futures are joined at exit, so one hanging call hangs the process.
A `Worker` is a daemon thread of our own, and callers wait for it only as long as they said.

No thread outlives what it was started for, unless that hangs: Python 3.12 and newer warn a program that forks beside
other threads, and the caller may fork next.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from typing import Any, Generic, TypeVar

from withings_auth.errors import OutOfResources

T = TypeVar("T")

NOTICEABLE_SECONDS = 2.0
ABANDONED_WAIT_SECONDS = 0.5  # how long a wait may outlive its caller
_DESCRIPTORS_OF_A_LOOP = 3
_LAST_STEPS_SECONDS = 1.0  # far more than a thread needs to end once its work is done
_GLANCE_SECONDS = 0.0001


class StillRunning(Exception):
    """A call did not return in time and is still running (no TimeoutError: the call itself may raise that)."""


class _Abandoned(BaseException):
    """Nobody wants the transaction's result any more, so it ends where it waits."""


class Call(Generic[T]):
    """One function call in another thread."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._done = threading.Event()
        self._value: T | None = None
        self._error: BaseException | None = None
        self.when_done: Callable[[], None] = lambda: None

    def __call__(self) -> None:
        """Makes the call; keeps whatever it raises for `result`."""
        try:
            self._value = self._function()
        except BaseException as error:  # noqa: BLE001  `result` raises it again
            self._error = error
        self._done.set()
        self.when_done()
        del self  # the error's traceback refers to this frame: if nobody asks for it, the cycle would keep secrets

    def finished(self, seconds: float | None = None) -> bool:
        """Waits up to `seconds`; returns whether the call has returned."""
        return self._done.wait(seconds)

    def result(self) -> T:
        """Returns what the finished call returned, or raises what it raised."""
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # its traceback refers to this frame: the cycle would keep secrets in memory
        return self._value  # type: ignore[return-value]  # None only if T allows it


class Worker:
    """A daemon thread that makes one call after another until it is closed.

    Start it before a transaction and keep it to the end: once the main thread has ended, no thread can be started
    (Python 3.12), and a save may still be due.
    """

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._busy = False
        self._thread = start_daemon(self._work, name)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            del call  # an idle thread keeps nothing alive

    def do(self, function: Callable[[], T], *, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> T:
        """Returns what the function returns. Raises `StillRunning` after `seconds`, and the call goes on.

        Calls `meanwhile` as often as the wait has become long enough for a user to wonder.
        """
        call = Call(function)
        self._busy = True
        self._calls.put(call)
        left = seconds
        while not call.finished(min(left, NOTICEABLE_SECONDS)):
            meanwhile()
            left -= NOTICEABLE_SECONDS
            if left <= 0:
                raise StillRunning
        self._busy = False
        return call.result()

    def later(self, function: Callable[[], None]) -> None:
        """Calls the function after everything that was asked for before; nobody waits for it."""
        self._calls.put(function)

    def close(self) -> None:
        """Ends the thread once it has done what it was asked to do; waits for that unless a call is still running."""
        self._calls.put(None)
        if not self._busy:
            _see_off(self._thread)


def interruptibly(function: Callable[[], T], name: str) -> T:
    """Makes the call in a thread of this name: a signal ends the caller's wait at once. Raises `OutOfResources`.

    The call itself goes on; a signal would otherwise leave its event loop half closed.
    """
    call = Call(function)
    thread = start_daemon(call, name)
    call.finished()
    _see_off(thread)
    return call.result()


def run_coroutine(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs the coroutine that `make` returns in an event loop of its own. Raises `OutOfResources`."""
    import asyncio  # here, because a valid token is returned without loading it

    with ExitStack() as stack:
        try:
            # A loop that is only half made when the descriptors run out prints a traceback when it is collected.
            with ExitStack() as probes:
                for _ in range(_DESCRIPTORS_OF_A_LOOP):
                    probes.callback(os.close, os.open(os.devnull, os.O_RDONLY))
            runner = stack.enter_context(asyncio.Runner())
        except OSError as error:
            raise OutOfResources(
                f"no event loop can be made: {os.strerror(error.errno or 0)}",
                hint="close some programs, or allow more open files (ulimit -n), and try again",
            ) from error
        return runner.run(make())


async def in_thread(function: Callable[[], T]) -> T:
    """Awaits a blocking call in a thread of its own, which a cancellation does not stop. Raises `OutOfResources`."""
    import asyncio  # here, because a valid token is returned without loading it

    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not done.done():
            done.set_result(None)

    def report() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is waiting
            loop.call_soon_threadsafe(wake)

    call = Call(function)
    call.when_done = report
    thread = start_daemon(call, "withings-auth")
    await done
    _see_off(thread)
    return call.result()


def run_to_its_end(
    transaction: Callable[[Callable[[float], None]], T],
    abandoned: threading.Event,
    *,
    asker: threading.Thread | None = None,
) -> T:
    """Runs a transaction in a thread that no signal stops half way.

    The transaction is passed the function by which it waits. If the caller is interrupted, sets `abandoned`, or ends
    with the process, the transaction ends at its next wait. After its last wait the caller waits for it, at most for
    one request and one save. `asker` is the thread that wants the result, if not this one. Raises `OutOfResources`.
    """
    caller = threading.current_thread()
    asking = asker or caller

    def nobody_asks() -> bool:
        # A caller waits below, even if it is the main thread, which counts as ended while `atexit` functions run.
        ended = asking is not caller and not asking.is_alive()
        return ended or (asking.daemon and not threading.main_thread().is_alive())

    def wait(seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            left = max(0.0, until - time.monotonic())
            if abandoned.wait(min(left, ABANDONED_WAIT_SECONDS)) or nobody_asks():
                raise _Abandoned
            if left <= ABANDONED_WAIT_SECONDS:
                return

    def run() -> T:
        wait(0)  # the caller may have been interrupted before this thread was on its way
        return transaction(wait)

    call = Call(run)
    # Not a daemon thread, even if this one is: the interpreter waits for it too if a second signal ends the wait below
    # or the program ends while an async caller's task is running.
    thread = threading.Thread(target=call, name="withings-auth renewal", daemon=False)
    try:
        _start(thread)
        call.finished()  # not `join`: interrupted, it takes the thread for ended (github.com/python/cpython, bpo-45274)
    except BaseException:
        abandoned.set()
        if thread.ident is not None:
            call.finished()
        raise
    _see_off(thread)
    try:
        return call.result()
    except _Abandoned:
        raise SystemExit from None  # ends the daemon thread that asked; any other exception would be printed there


def start_daemon(function: Callable[[], object], name: str) -> threading.Thread:
    """Starts a thread that does not keep the process from ending. Raises `OutOfResources`."""
    thread = threading.Thread(target=function, name=name, daemon=True)
    _start(thread)
    return thread


def _see_off(thread: threading.Thread) -> None:
    """Waits for the end of a thread that has done its work; only its last few instructions are left."""
    thread.join(_LAST_STEPS_SECONDS)
    # The system counts it for a moment longer than `join` waits, above all with Python 3.12. Only Linux has the path.
    until = time.monotonic() + _LAST_STEPS_SECONDS
    while os.path.exists(f"/proc/self/task/{thread.native_id}") and time.monotonic() < until:  # noqa: PTH110  cheap
        time.sleep(_GLANCE_SECONDS)


def _start(thread: threading.Thread) -> None:
    try:
        thread.start()
    except RuntimeError as error:
        hint = "end some programs, or allow more threads (ulimit -u), and try again"
        if sys.version_info >= (3, 12) and not threading.main_thread().is_alive():
            hint = "ask before the main thread has ended: this version of Python may start no thread after it"
        raise OutOfResources("no thread can be started", hint=hint) from error
