"""A real process that renews in a real database is killed or stopped at each step, and another one asks later."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial

import pytest

from tests.support.postgresql import Server
from tests.tokens.processes import ANSWER_ON_ITS_WAY, Processes, await_refresh
from tests.tokens.scene import HOUR, LIFE, Clock, Scene, digest
from withings_auth.errors import LockBusy
from withings_auth.sandbox import Sandbox
from withings_auth.store.records import token_name
from withings_auth.tokens.renewal import LATEST_ARRIVAL_SECONDS

NAME = token_name("default")
EXPIRED = LIFE + 1  # the clock of the server is a little off
NOTED = ("before the request", ANSWER_ON_ITS_WAY, "after the answer", "before the save")

pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.fixture
def kill_at(processes: Processes, sandbox: Sandbox, clock: Clock, name: str) -> Callable[[str], None]:
    """`kill_at(step)` starts a process that renews, and kills it at that step."""
    return partial(processes.kill_at, store=name, clock=clock, sandbox=sandbox)


@pytest.mark.parametrize("later", [0, 7 * HOUR])
@pytest.mark.parametrize("step", ["before the lock", "under the lock", *NOTED, "after the save"])
def test_killed(
    scene: Scene, kill_at: Callable[[str], None], processes: Processes, name: str, step: str, later: int
) -> None:
    """The lock is free at once, nothing is lost within eight hours, and the guard of the dead process is kept."""
    scene.log_in(age=EXPIRED)
    kill_at(step)
    scene.clock.at += later
    assert processes(name, scene.clock).digest == digest(scene.stored)
    assert scene.works(scene.stored)
    waited = LATEST_ARRIVAL_SECONDS + 11 if step in NOTED and later == 0 else 0
    assert scene.clock.waited == pytest.approx(waited, abs=0.5)
    assert scene.sandbox.counters.refusals == 0


def test_a_stopped_holder(scene: Scene, processes: Processes, sandbox: Sandbox, name: str) -> None:
    """It keeps the lock, as far as anybody knows; others wait no longer than they want, until somebody ends it."""
    old = scene.log_in(age=EXPIRED)
    sandbox.fail_next("slow", seconds=30.0)
    holder = processes.begin(name, scene.clock)
    await_refresh(sandbox)
    os.kill(holder, signal.SIGSTOP)
    began = time.monotonic()
    for timeout in (0, 0.3):
        with pytest.raises(LockBusy) as busy, scene.store.lock(NAME, timeout):
            pass
        assert "pg_stat_activity" in busy.value.hint
    assert time.monotonic() - began < 30
    assert scene.stored == old
    os.kill(holder, signal.SIGKILL)
    assert processes.end(scene.clock).returncode == -signal.SIGKILL
    assert scene.works(scene.renew())
    assert scene.nobody_was_hasty()


def test_a_stopped_holder_that_goes_on_later(
    scene: Scene, processes: Processes, sandbox: Sandbox, postgresql: Server, name: str
) -> None:
    """An administrator has ended its session, and another machine has renewed: its own pair is lost, and harmless."""
    scene.log_in(age=EXPIRED)
    sandbox.fail_next("slow", seconds=0.5)
    holder = processes.begin(name, scene.clock)
    await_refresh(sandbox)
    os.kill(holder, signal.SIGSTOP)
    postgresql.end_sessions("FROM pg_locks WHERE locktype = 'advisory'")
    new = scene.renew()
    os.kill(holder, signal.SIGCONT)
    ended = processes.end(scene.clock)
    assert ended.error == "LockLost" or ended.digest == digest(new)
    assert scene.stored == new
    assert scene.works(new)
    assert sandbox.counters.refusals == 0
