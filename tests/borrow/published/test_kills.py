"""A program is killed, or its run is, at each moment of a call: nothing is lost, and nothing is left."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.borrow.published.borrower import LIFE, Borrower
from tests.borrow.published.programs import PROGRAMS, READS_AT_EACH_LINE, Published
from tests.support.processes import children, shown_to_others
from tests.support.programs import Program
from tests.support.waiting import wait_until, wait_until_gone
from withings_auth.validation import PLACEHOLDER_PREFIX

pytestmark = pytest.mark.usefixtures("unmeasured")

QUICKEST = next(each for each in PROGRAMS if each.name == "withings2intervals")
KILLED = 128 + signal.SIGKILL
TIMES = int(os.environ.get("TIMES", "3"))  # by hand: TIMES=100


def start_slowly(borrower: Borrower, program: Published, *, service: str, seconds: float) -> Program:
    """Starts a program; returns when Withings has done what it was asked, long before its answer comes."""
    sandbox = borrower.desk.sandbox
    sandbox.fail_next("slow", where=service, seconds=seconds)  # type: ignore[arg-type]  # one of the places
    running = borrower.start(program)
    wait_until(lambda: sandbox.counters.faults or not running.running)
    return running


def during_a_call(borrower: Borrower) -> Program:
    """The real token is on its way to Withings."""
    return start_slowly(borrower, QUICKEST, service="api", seconds=60)


def during_the_first_renewal(borrower: Borrower) -> Program:
    """The program has not been started yet."""
    borrower.let_time_pass(LIFE)
    return start_slowly(borrower, QUICKEST, service="token", seconds=60)


def during_a_renewal(borrower: Borrower, *, seconds: float = 60) -> Program:
    """A program that runs for long has made a call with a token that is just over."""
    running = borrower.start(READS_AT_EACH_LINE, stdin=True)
    running.type("\n")
    running.stdout.line("100 weights")
    borrower.let_time_pass(LIFE)
    borrower.desk.sandbox.fail_next("slow", seconds=seconds)
    running.type("\n")
    wait_until(lambda: borrower.desk.sandbox.counters.faults)
    return running


@pytest.mark.parametrize("program", PROGRAMS, ids=[each.name for each in PROGRAMS])
def test_a_program_is_killed_during_a_call(borrower: Borrower, program: Published) -> None:
    """Statement 52: it has no secret, in its arguments and environment neither, and the run ends with it."""
    running = start_slowly(borrower, program, service="api", seconds=60)
    (pid,) = children(running.pid)
    shown = shown_to_others(pid)
    os.kill(pid, signal.SIGKILL)
    assert running.wait().returncode == KILLED
    assert f"HTTPS_PROXY=http://{PLACEHOLDER_PREFIX.partition('-placeholder')[0]}:" in shown
    assert not [secret for secret in borrower.desk.sandbox.secrets if secret in shown]
    assert borrower.secrets_left() == []
    assert borrower.files_of_runs() == []
    assert borrower.has_login()
    borrower.run(program)


def test_a_program_is_killed_during_a_renewal(borrower: Borrower) -> None:
    """The run ends only when the new tokens are saved."""
    running = during_a_renewal(borrower, seconds=2)
    (pid,) = children(running.pid)
    os.kill(pid, signal.SIGKILL)
    assert running.wait().returncode == KILLED
    borrower.happened()
    assert borrower.has_login()
    assert borrower.happened().refreshes == 0
    assert borrower.secrets_left() == []


@pytest.mark.parametrize("moment", [during_the_first_renewal, during_a_renewal, during_a_call])
def test_a_run_is_killed(borrower: Borrower, moment: Callable[[Borrower], Program]) -> None:
    """Statement 52: the login is alive, also if Withings has just renewed it, and the next run cleans up."""
    running = moment(borrower)
    pids = children(running.pid)
    running.signal(signal.SIGKILL)
    wait_until_gone(running.pid)
    running.end_input()
    wait_until_gone(*pids)  # without the proxy, its call fails
    borrower.desk.sandbox.clear_faults()
    assert borrower.secrets_left() == []
    borrower.desk.sandbox.advance(11)  # Withings refuses the same refresh twice within ten seconds
    assert borrower.has_login()
    borrower.run(QUICKEST)
    assert borrower.files_of_runs() == []


@pytest.mark.parametrize("whose", ["program", "run"])
def test_a_kill_at_any_time(borrower: Borrower, whose: str) -> None:
    """Spread over the time of a run that renews."""
    began = time.monotonic()
    borrower.run(QUICKEST)
    whole = time.monotonic() - began
    for number in range(TIMES):
        borrower.let_time_pass(LIFE)
        running = borrower.start(QUICKEST)
        time.sleep(whole * (number + 0.5) / TIMES)
        for pid in children(running.pid) if whose == "program" else [running.pid]:
            with contextlib.suppress(ProcessLookupError):  # the program was already over
                os.kill(pid, signal.SIGKILL)
        running.destroy()
        assert borrower.secrets_left() == []
        borrower.desk.sandbox.advance(11)
        assert borrower.has_login()
    borrower.run(QUICKEST)
    assert borrower.files_of_runs() == []
