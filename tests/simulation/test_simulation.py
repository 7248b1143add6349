"""Thousands of schedules in which everything goes wrong, none of which breaks a promise of the renewal.

`make simulate` tries a million.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.mutations import MUTATIONS, Mutation, renew_mutated
from tests.simulation.results import replay, simulate
from tests.simulation.schedule import drawn, drawn_with_server
from tests.simulation.server_mutations import SERVER_MUTATIONS

pytestmark = pytest.mark.usefixtures("unmeasured", "silent")

ROOT = Path(__file__).parents[2]
SCHEDULES = 3_000  # each of `MUTATIONS` shows itself in the first three hundred, most of them in the first hundred
SCHEDULES_WITH_SERVER = 1_000  # each of `SERVER_MUTATIONS` shows itself in the first five hundred

# What must happen often enough: a simulation in which none of this occurs proves nothing.
HAPPENS = (
    *("asks", "refreshes", "renewals saved", "tokens returned", "tokens accepted", "tokens refused"),
    *("kills", "kills before the answer is heard", "kills between answer and save", "kills after the save"),
    *(
        "unheard renewals repeated",
        "renewals after a 601",
        "stored tokens returned after a failed renewal",
        "waits for the lock",
    ),
    *("logins lost by Withings' rules", "logins that the user ended", "logins", "logouts", "deadlines told"),
    *(
        "renewals by a program without the lock",
        "sleeps of the machine",
        "jumps of the clock",
        "ended because nobody waited",
    ),
    *("answers: lost", "answers: lost_before", "answers: truncated", "answers: not_sent", "answers: slow"),
    *("answers: too_many", "answers: bad_gateway", "answers: html", "answers: timeout_status"),
    *("answers: wrong_shape", "answers: status", "answers: another_user"),
    *("store: load: unavailable", "store: lock: unavailable", "store: note: unavailable", "store: save: unavailable"),
    *("store: save: nothing saved", "store: save: saved, but raises"),
    *("error LoginRequired", "error ProtocolViolation", "error ProviderError", "error ProviderUnavailable"),
    *("error LockBusy", "error StoreNotDurable", "error StoreUnavailable"),
)

HAPPENS_TO_A_SERVER = (
    *("locks lost", "locks lost with a request on its way", "locks lost after the answer", "times the server was away"),
    *("store: load: lost", "store: lock: lost", "store: note: lost", "store: note: done, but lost"),
    *("store: save: lost", "store: save: done, but lost", "error LockLost", "unheard renewals repeated"),
    *("stored tokens returned after a failed renewal", "deadlines told", "waits for the lock", "kills"),
)


@pytest.fixture
def silent() -> Iterator[None]:
    """Nothing is logged, which would take a third of the time: no promise is about that, and these secrets are none."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def test_no_schedule_breaks_a_promise() -> None:
    """Statements 28 to 31 and 33: whatever happens to three processes and their machine, in whatever order.

    Everything that can happen does.
    """
    counts: Counter[str] = Counter()
    for found in simulate(range(SCHEDULES), counts):
        pytest.fail(found.written(), pytrace=False)
    assert [what for what in HAPPENS if counts[what] < 3] == []


def test_no_schedule_breaks_a_promise_if_the_lock_can_be_lost() -> None:
    """The store is on a server, which ends sessions and goes away; the clocks of all machines differ.

    Everything that can happen to a server does.
    """
    counts: Counter[str] = Counter()
    for found in simulate(range(SCHEDULES_WITH_SERVER), counts, draw=drawn_with_server):
        pytest.fail(found.written(), pytrace=False)
    assert [what for what in HAPPENS_TO_A_SERVER if counts[what] < 3] == []


@pytest.mark.parametrize("one", MUTATIONS, ids=lambda one: one.name)
def test_a_broken_transaction_is_found(one: Mutation) -> None:
    """Each rule of the transaction has a reason: without it, a promise is broken."""
    every = simulate(range(SCHEDULES), Counter(), renew=renew_mutated(one))
    assert any(one.promise in str(found.promise) for found in every)


@pytest.mark.parametrize("one", SERVER_MUTATIONS, ids=lambda one: one.name)
def test_a_transaction_that_trusts_a_lost_lock_is_found(one: Mutation) -> None:
    every = simulate(range(SCHEDULES_WITH_SERVER), Counter(), renew=renew_mutated(one), draw=drawn_with_server)
    assert any(one.promise in str(found.promise) for found in every)


def test_a_seed_repeats_the_same_simulation() -> None:
    for seed in range(50):
        once, again = (replay(drawn(seed)) for _ in range(2))
        assert once == again
        assert len(once.trace) > 2


def test_a_failure_says_what_happened_and_how_to_repeat_it() -> None:
    """The schedule, each step with its time, the broken promise, and the command; no token in full."""
    keeps_none = renew_mutated(next(one for one in MUTATIONS if one.name == "keeps the old refresh token"))
    found = next(simulate(range(SCHEDULES), Counter(), renew=keeps_none)).written()
    assert f"schedule {0}" in found
    assert "A  sends the refresh token #2" in found
    assert "BROKEN: a login is replaced with something else than its successor" in found
    assert found.endswith("-m tests.simulation.run --replay 0")
    assert "sandbox-" not in found


def test_a_failure_with_a_server_shows_its_clocks() -> None:
    found = replay(drawn_with_server(1)).written()
    assert "  clocks:   +3600 s on the server; +0 s, +0 s, -3600 s on the machines of A, B and C" in found
    assert found.endswith("-m tests.simulation.run --replay 1 --server")


@pytest.mark.parametrize(
    ("arguments", "last"),
    [
        ("--seeds 5:105", "schedules that broke a promise"),
        ("--server --seeds 5:55", "schedules that broke a promise"),
        ("--replay 7", "--replay 7"),
    ],
)
def test_it_runs_from_the_command_line(arguments: str, last: str) -> None:
    command = [sys.executable, "-m", "tests.simulation.run", *arguments.split()]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert last in run.stdout.splitlines()[-1]
    assert run.stderr == ""
