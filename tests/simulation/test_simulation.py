"""A hundred thousand schedules in which everything goes wrong, and no promise of the renewal is broken."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.breaks import BREAKS, Break, broken
from tests.simulation.playing import play_all, replay
from tests.simulation.schedule import drawn

ROOT = Path(__file__).parents[2]
SCHEDULES = 100_000
AT_ONCE = 10_000
ENOUGH_TO_SEE_ALL = 3_000

# What gives the promises their weight: a play in which none of this happens shows nothing.
HAPPENS = (
    *("asks", "refreshes", "renewals saved", "tokens handed out", "tokens taken", "tokens refused"),
    *("kills", "kills before the answer is heard", "kills between answer and save", "kills after the save"),
    *("unheard renewals made good", "renewals after a 601", "stored tokens that had to do", "waits for the lock"),
    *("logins lost by Withings' rules", "logins that a person ended", "logins", "logouts", "deadlines told"),
    *("sleeps of the machine", "jumps of the clock", "ended because nobody waited"),
    *("answers: lost", "answers: lost_before", "answers: truncated", "answers: not_sent", "answers: slow"),
    *("answers: too_many", "answers: bad_gateway", "answers: html", "answers: timeout_status"),
    *("answers: wrong_shape", "answers: status"),
    *("store: load: unavailable", "store: lock: unavailable", "store: note: unavailable", "store: save: unavailable"),
    *("store: save: nothing saved", "store: save: saved, and cannot tell"),
    *("told LoginRequired", "told ProtocolViolation", "told ProviderError", "told ProviderUnavailable"),
    *("told LockBusy", "told StoreNotDurable", "told StoreUnavailable"),
)


@pytest.mark.parametrize("first", range(0, SCHEDULES, AT_ONCE))
def test_no_schedule_breaks_a_promise(first: int) -> None:
    """Statements 28 to 31 and 33: whatever happens in whichever order, to three processes and to their machine."""
    for found in play_all(range(first, first + AT_ONCE), Counter()):
        pytest.fail(found.written(), pytrace=False)


def test_everything_that_can_happen_does() -> None:
    tally: Counter[str] = Counter()
    assert not list(play_all(range(ENOUGH_TO_SEE_ALL), tally))
    assert [what for what in HAPPENS if tally[what] < 3] == []


@pytest.mark.parametrize("one", BREAKS, ids=lambda one: one.name)
def test_a_broken_transaction_is_found(one: Break) -> None:
    """Each rule of the transaction is there for a reason, and without it some promise is broken."""
    every = play_all(range(ENOUGH_TO_SEE_ALL), Counter(), renew=broken(one))
    assert any(one.promise in str(found.promise) for found in every)


def test_a_seed_gives_the_same_play_again() -> None:
    for seed in range(50):
        once, again = (replay(drawn(seed)) for _ in range(2))
        assert once == again
        assert len(once.trace) > 2


def test_a_failure_says_all_that_happened_and_how_to_see_it_again() -> None:
    """The schedule, each step with its moment, what was not kept, and the command; no token in full."""
    keeps_none = broken(next(one for one in BREAKS if one.name == "keeps the old refresh token"))
    found = next(play_all(range(ENOUGH_TO_SEE_ALL), Counter(), renew=keeps_none)).written()
    assert f"schedule {0}" in found
    assert "A  sends the refresh token #2" in found
    assert "BROKEN: what is stored is replaced by something else than its successor" in found
    assert found.endswith("-m tests.simulation.run --replay 0")
    assert "sandbox-" not in found


@pytest.mark.parametrize(
    ("arguments", "last"), [("--seeds 5:105", "schedules that broke a promise"), ("--replay 7", "--replay 7")]
)
def test_it_can_be_played_from_the_command_line(arguments: str, last: str) -> None:
    command = [sys.executable, "-m", "tests.simulation.run", *arguments.split()]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert last in run.stdout.splitlines()[-1]
    assert run.stderr == ""
