"""Waits always end, and no thread keeps a process from ending."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.waiting import wait_until
from withings_auth.threads import Call, StillRunning, Worker, in_thread

if TYPE_CHECKING:
    from tests.support.programs import Cli


class TestCall:
    def test_it_brings_back_what_was_raised_and_keeps_no_hold_of_it(self) -> None:
        """Statement 23: an exception, whose traceback leads to secrets, is not kept after it was raised again."""

        def fail() -> None:
            raise KeyError("reason")

        call: Call[None] = Call(fail)
        call()
        with pytest.raises(KeyError, match="reason"):
            call.result()
        assert call.result() is None

    def test_whoever_waits_is_told_when_it_is_done(self) -> None:
        """`finished` waits no longer than said; `when_done` comes after the result is there."""
        go = threading.Event()
        seen: list[bool] = []
        call = Call(lambda: go.wait(60))
        call.when_done = lambda: seen.append(call.finished(0))
        threading.Thread(target=call).start()
        assert not call.finished(0.05)
        go.set()
        assert call.finished(60)
        wait_until(lambda: seen == [True])
        assert call.result() is True


class TestWorker:
    def test_it_does_one_thing_after_another_in_one_thread(self) -> None:
        """Results and exceptions come back; the thread is a daemon and ends after `close`."""
        worker = Worker("a worker")
        thread = worker.do(threading.current_thread, seconds=60)
        assert (thread.name, thread.daemon) == ("a worker", True)
        with pytest.raises(ZeroDivisionError):
            worker.do(lambda: 1 // 0, seconds=60)
        assert worker.do(threading.current_thread, seconds=60) is thread
        worker.close()
        wait_until(lambda: not thread.is_alive())

    def test_a_wait_ends_in_time_and_the_call_goes_on(self) -> None:
        """Statement 32: after the limit the caller goes on; what was asked for later is done after the slow call."""
        worker = Worker("a worker")
        go = threading.Event()
        done: list[str] = []

        def slow() -> None:
            go.wait(60)
            done.append("slow")

        began = time.monotonic()
        with pytest.raises(StillRunning):
            worker.do(slow, seconds=0.2)
        assert 0.15 < time.monotonic() - began < 30
        worker.later(lambda: done.append("later"))
        worker.close()
        time.sleep(0.05)
        assert done == []
        go.set()
        wait_until(lambda: done == ["slow", "later"])
        wait_until(lambda: all(thread.name != "a worker" for thread in threading.enumerate()))

    def test_a_time_out_of_the_call_itself_is_not_ours(self) -> None:
        """A TimeoutError that the function raised comes back as what it is."""
        worker = Worker("a worker")

        def fail() -> None:
            raise TimeoutError("its own")

        with pytest.raises(TimeoutError, match="its own"):
            worker.do(fail, seconds=60)
        worker.close()

    def test_nobody_is_told_of_a_short_wait(self) -> None:
        """`meanwhile` is for waits that a user notices, even if the limit is shorter than that."""
        told: list[str] = []
        worker = Worker("a worker")
        assert worker.do(lambda: 1, seconds=60, meanwhile=lambda: told.append("quick")) == 1
        assert told == []
        go = threading.Event()
        with pytest.raises(StillRunning):
            worker.do(lambda: go.wait(60), seconds=0.1, meanwhile=lambda: told.append("slow"))
        go.set()
        assert told == ["slow"]
        worker.close()


class TestInThread:
    def test_a_cancellation_does_not_stop_the_call(self) -> None:
        """The caller of a save can go away; the save goes on."""
        go, saved = threading.Event(), threading.Event()

        def save() -> None:
            go.wait(60)
            saved.set()

        async def main() -> None:
            waiting = asyncio.ensure_future(in_thread(save))
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

        asyncio.run(main())
        assert not saved.is_set()
        go.set()  # the loop is closed by now: the thread must not stumble over that
        assert saved.wait(60)

    def test_it_brings_back_results_and_exceptions(self) -> None:
        """Awaiting it is like calling the function."""

        async def main() -> None:
            assert await in_thread(lambda: 7) == 7
            with pytest.raises(ZeroDivisionError):
                await in_thread(lambda: 1 // 0)

        asyncio.run(main())


HANGING = {
    "a worker": """
from withings_auth.threads import Worker, StillRunning
try:
    Worker("a worker").do(lambda: time.sleep(60), seconds=0.1)
except StillRunning:
    print("still running")
""",
    "a coroutine": """
import asyncio
from withings_auth.threads import in_thread
async def main():
    try:
        await asyncio.wait_for(in_thread(lambda: time.sleep(60)), 0.1)
    except TimeoutError:
        print("still running")
asyncio.run(main())
""",
}


@pytest.mark.parametrize("code", HANGING.values(), ids=HANGING)
def test_a_process_ends_though_a_call_hangs(cli: Cli, code: str) -> None:
    """Statement 32: whatever hangs in a thread of ours, the process ends at once when its work is done."""
    ran = cli.using(sys.executable, "-c")(f"import time\n{code}")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "still running\n", "")
    assert ran.seconds < 50


AFTER_THE_MAIN_THREAD = """
import sys, threading
from withings_auth.threads import Worker
worker = Worker("a worker")
def late():
    threading.main_thread().join()
    print(worker.do(lambda: "saved", seconds=60))
threading.Thread(target=late).start()
"""
NEWER = sorted(Path.home().glob(".pyenv/versions/3.1[2-9].*/bin/python"))


@pytest.mark.parametrize("python", [Path(sys.executable), *NEWER], ids=lambda path: path.parts[-3])
def test_a_hand_works_after_the_main_thread_has_ended(cli: Cli, python: Path) -> None:
    """A transaction that began in time saves, though the main thread has ended, and no thread can be started then."""
    ran = cli.using(str(python), "-c")(AFTER_THE_MAIN_THREAD, env={"PYTHONPATH": os.fspath(Path(__file__).parents[1])})
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "saved\n", "")


START_NONE = """
import sys, threading
from withings_auth.errors import OutOfResources
from withings_auth.threads import Worker
def refuse(thread):
    raise RuntimeError("can't start new thread")
start, threading.Thread.start = threading.Thread.start, refuse
def ask():
    try: Worker("late")
    except OutOfResources as error: print(error.hint)
def late():
    threading.main_thread().join()
    ask()
ask()
start(threading.Thread(target=late))
"""


@pytest.mark.parametrize("python", [Path(sys.executable), *NEWER], ids=lambda path: path.parts[-3])
def test_the_hint_names_the_end_of_the_main_thread_only_after_it(cli: Cli, python: Path) -> None:
    """At the command line, and before Python 3.12, it would only confuse."""
    ran = cli.using(str(python), "-c")(START_NONE, env={"PYTHONPATH": os.fspath(Path(__file__).parents[1])})
    before, after = ran.stdout.splitlines()
    assert before == "end some programs, or allow more threads (ulimit -u), and try again"
    assert after.startswith("ask before the main thread has ended") == (python in NEWER or sys.version_info >= (3, 12))
