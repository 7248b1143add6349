"""If a caller goes away in the middle, what Withings answers is saved all the same."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.programs import Cli
from tests.support.waiting import wait_until
from tests.tokens.scene import LIFE, START, Clock, Scene
from withings_auth.errors import OutOfResources
from withings_auth.model import Grant
from withings_auth.sandbox import Sandbox
from withings_auth.store.file_store import FileStore
from withings_auth.store.lock import file_lock
from withings_auth.threads import run_to_its_end
from withings_auth.tokens.source import TokenSource

SLOW_SECONDS = 3.0
GRANT = Grant(
    access_token="a",
    refresh_token="r",
    obtained_at=int(START),
    expires_at=int(START) + LIFE,
    scopes=(),
    userid="1",
    client_id="c",
    token_url="https://wbsapi.withings.net/v2/oauth2",
)


@pytest.fixture
def slow() -> Iterator[Sandbox]:
    """A Withings in real time that renews at once and answers late."""
    with Sandbox() as sandbox:
        sandbox.fail_next("slow", seconds=SLOW_SECONDS)
        yield sandbox


@pytest.fixture
def expired(slow: Sandbox, directory: Path) -> Scene:
    """A login in real time whose access token has expired."""
    clock = Clock()
    clock.at = time.time()
    scene = Scene(FileStore(directory), slow, clock)
    grant = scene.log_in(age=0)
    scene.save(replace(grant, obtained_at=grant.obtained_at - LIFE, expires_at=grant.expires_at - LIFE))
    return scene


def await_refresh(sandbox: Sandbox) -> None:
    wait_until(lambda: sandbox.counters.refreshes)


@pytest.mark.parametrize(("number", "returncode"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_in_the_middle_of_a_slow_answer_lets_the_new_pair_be_saved(
    cli: Cli, expired: Scene, directory: Path, number: signal.Signals, returncode: int
) -> None:
    """Ctrl-C ends `withings-auth token` after the save, with nothing printed and the login intact."""
    program = cli.start("token", env={"WITHINGS_AUTH_STORE": f"file:{directory}"})
    await_refresh(expired.sandbox)
    program.signal(number)
    ended = program.wait()
    assert (ended.returncode, ended.stdout) == (returncode, "")
    assert "Traceback" not in ended.stderr
    assert expired.stored.refresh_token == expired.sandbox.live_refresh_tokens[-1]
    assert expired.works(expired.stored)


# Asks for a token, and is interrupted while it waits and again while it ends.
IMPATIENT = """
import signal, sys
from pathlib import Path
from withings_auth import TokenSource
from withings_auth.store.file_store import FileStore

interrupts = []

def interrupt(number, frame):
    interrupts.append(number)
    if len(interrupts) <= 2:
        raise KeyboardInterrupt

source = TokenSource(store=FileStore(Path(sys.argv[1])))
signal.signal(signal.SIGINT, interrupt)
try:
    source.token()
except KeyboardInterrupt:
    print("the end", flush=True)
"""


def test_not_even_a_second_interrupt_comes_between_answer_and_save(cli: Cli, expired: Scene, directory: Path) -> None:
    """The interpreter ends right after the abandoned wait, but not before the save."""
    old = expired.stored
    program = cli.using(sys.executable, "-c").start(IMPATIENT, str(directory))
    await_refresh(expired.sandbox)
    while "the end" not in program.stdout.text:
        assert program.running
        program.signal(signal.SIGINT)
        time.sleep(0.1)
    assert expired.stored == old  # the answer is still on its way
    assert program.wait().returncode == 0
    assert expired.works(expired.stored)


def test_an_interrupt_while_waiting_for_the_lock_ends_the_wait(cli: Cli, expired: Scene, directory: Path) -> None:
    """Before anything is sent there is nothing to wait for, and the process ends at once."""
    with file_lock(directory / "token" / "default.lock", 5):
        program = cli.start("token", env={"WITHINGS_AUTH_STORE": f"file:{directory}"})
        tasks = Path(f"/proc/{program.pid}/task")  # the second one is the renewal, which waits for the lock
        while not tasks.exists() or len(list(tasks.iterdir())) < 2:
            assert program.running
            time.sleep(0.02)
        started = time.monotonic()
        program.signal(signal.SIGINT)
        assert program.wait().returncode == 130
    assert time.monotonic() - started < 60  # the wait for the lock itself would take 120
    assert expired.sandbox.counters.token_requests == 0


# The command, interrupted when the renewal's thread has been made but has not yet run any Python. The main
# thread waits by then: CPython notices a signal that comes just before a wait for a lock only after that wait.
EARLY = """
import os, signal, threading, time
from withings_auth.__main__ import run
bootstrap = threading.Thread._bootstrap
def interrupt(thread):
    if thread.name == "withings-auth renewal":
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    bootstrap(thread)
threading.Thread._bootstrap = interrupt
run()
"""


def test_an_interrupt_while_the_thread_of_the_renewal_starts(cli: Cli, expired: Scene, directory: Path) -> None:
    ended = cli.by(EARLY)("token", env={"WITHINGS_AUTH_STORE": f"file:{directory}"})
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr == "withings-auth: error: interrupted\n"
    assert expired.sandbox.counters.token_requests == 0


def interrupt_soon() -> threading.Event:
    """Sends this process what Ctrl-C sends, once its main thread waits; sets the event when that is done."""
    sent = threading.Event()

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        sent.set()

    threading.Timer(0.1, interrupt).start()
    return sent


class TestRunToItsEnd:
    def test_it_returns_what_the_transaction_returns(self) -> None:
        assert run_to_its_end(lambda _: GRANT, threading.Event()) == GRANT

    def test_it_raises_what_the_transaction_raises(self) -> None:
        def fail(_: Callable[[float], None]) -> Grant:
            raise ValueError("as it was")

        with pytest.raises(ValueError, match="as it was"):
            run_to_its_end(fail, threading.Event())

    def test_an_interrupt_waits_for_what_is_under_way(self) -> None:
        """The caller continues when the transaction is over, not before."""
        ended: list[str] = []

        def transaction(_: Callable[[float], None]) -> Grant:
            assert interrupt_soon().wait(60)
            time.sleep(0.2)  # a caller that did not wait would be back by then
            ended.append("saved")
            return GRANT

        with pytest.raises(KeyboardInterrupt):
            run_to_its_end(transaction, threading.Event())
        assert ended == ["saved"]

    def test_an_interrupt_while_the_thread_starts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What has not begun when the caller goes does not begin any more."""
        gone = threading.Event()
        bootstrap = threading.Thread._bootstrap  # type: ignore[attr-defined]  # typeshed leaves it out

        def interrupt(thread: threading.Thread) -> None:
            time.sleep(0.2)  # as in EARLY
            os.kill(os.getpid(), signal.SIGINT)
            gone.wait(60)
            bootstrap(thread)

        def transaction(_: Callable[[float], None]) -> Grant:
            begun.append(True)
            return GRANT

        begun: list[bool] = []
        before = {*threading.enumerate()}
        monkeypatch.setattr(threading.Thread, "_bootstrap", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_to_its_end(transaction, threading.Event())
        gone.set()
        wait_until(lambda: before.issuperset(threading.enumerate()))
        assert begun == []

    def test_an_interrupt_ends_a_wait(self) -> None:
        """Nobody waits for the guard, a 601 or the lock once the caller has gone."""

        def transaction(wait: Callable[[float], None]) -> Grant:
            wait(0)
            interrupt_soon()
            wait(3600)
            raise AssertionError("it went on")

        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            run_to_its_end(transaction, threading.Event())
        assert time.monotonic() - started < 60

    def test_a_thread_that_cannot_be_started_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(OutOfResources, match="no thread can be started"):
            run_to_its_end(lambda _: GRANT, threading.Event())

    def test_no_reference_to_a_grant_is_left_behind(self) -> None:
        """Statement 23: nothing from the transaction stays alive in the thread or in a reference cycle."""
        before = {*threading.enumerate()}
        run_to_its_end(lambda _: GRANT, threading.Event())
        wait_until(lambda: before.issuperset(threading.enumerate()))


def test_a_source_can_be_asked_again_after_an_interrupt(expired: Scene) -> None:
    """The next caller gets the pair that was saved."""
    source = TokenSource(store=expired.store)

    def interrupt() -> None:
        await_refresh(expired.sandbox)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        source.token()
    assert source.token() == expired.stored.token
    assert expired.sandbox.counters.refreshes == 1
