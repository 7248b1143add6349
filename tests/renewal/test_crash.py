"""A real process is killed at each step of a renewal, and another one asks after a while."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from tests.renewal.scene import HOUR, Scene
from tests.support.programs import Cli
from withings_auth.errors import LoginRequired

# Stops, and says so, at the step that is its first argument.
VICTIM = """
import sys, time
from contextlib import contextmanager
from pathlib import Path
from withings_auth.exchange import post
from withings_auth.renewal import World, renew
from withings_auth.store.file_store import FileStore
from withings_auth.wanted import Wanted

step, directory, now = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])

def pass_by(place):
    if place == step:
        print("here", flush=True)
        time.sleep(60)

class Store(FileStore):
    @contextmanager
    def lock(self, name, timeout):
        pass_by("before the lock")
        with super().lock(name, timeout) as notes:
            pass_by("under the lock")
            yield notes

    def save(self, name, text):
        pass_by("before the save")
        super().save(name, text)
        pass_by("after the save")

def ask(url, form):
    pass_by("before the request")
    outcome = post(url, form)
    pass_by("after the answer")
    return outcome

world = World(post=ask, now=lambda: now)
renew(Store(directory), "default", Wanted(min_valid=60), secret_for=lambda grant: None, world=world)
"""
HARMLESS = ("before the lock", "under the lock", "before the request", "after the save")
BETWEEN = ("after the answer", "before the save")


@pytest.fixture
def kill_at(cli: Cli, file_scene: Scene, directory: Path) -> object:
    """`kill_at(step)`: a process begins to renew and is killed at the step."""

    def kill(step: str) -> None:
        program = cli.using(sys.executable, "-c").start(VICTIM, step, str(directory), str(file_scene.clock()))
        program.stdout.line("here")
        program.signal(signal.SIGKILL)
        assert program.wait().returncode == -signal.SIGKILL

    return kill


@pytest.mark.parametrize("later", [0, 7 * HOUR, 9 * HOUR])
@pytest.mark.parametrize("step", HARMLESS)
def test_killed_where_nothing_is_at_stake(file_scene: Scene, kill_at: object, step: str, later: int) -> None:
    """Before the request nothing was used up, after the save nothing is missing; the lock is free again."""
    assert callable(kill_at)
    file_scene.log_in()
    kill_at(step)
    file_scene.clock.at += later
    assert file_scene.works(file_scene.renew())


@pytest.mark.parametrize("later", [0, 11, 7 * HOUR])
@pytest.mark.parametrize("step", BETWEEN)
def test_killed_between_the_answer_and_the_save(file_scene: Scene, kill_at: object, step: str, later: int) -> None:
    """Nothing is lost if somebody asks again within eight hours; the guard of the dead process is kept."""
    assert callable(kill_at)
    file_scene.log_in()
    kill_at(step)
    assert file_scene.sandbox.counters.refreshes == 1
    file_scene.clock.at += later
    assert file_scene.works(file_scene.renew())
    assert file_scene.clock.waited == (11 if later == 0 else 0)
    assert file_scene.sandbox.counters.refusals == 0


@pytest.mark.parametrize("step", BETWEEN)
def test_killed_between_the_answer_and_the_save_and_nobody_asks_for_eight_hours(
    file_scene: Scene, kill_at: object, step: str
) -> None:
    """Withings' own limit: then only a new login helps, what is stored stays, and Withings' words say so."""
    assert callable(kill_at)
    old = file_scene.log_in()
    kill_at(step)
    file_scene.clock.at += 9 * HOUR
    with pytest.raises(LoginRequired, match="invalid refresh_token"):
        file_scene.renew()
    assert file_scene.stored == old


def test_killed_while_it_waits_for_the_answer(file_scene: Scene, cli: Cli, directory: Path) -> None:
    """The renewal is made and nobody hears the answer: the same safety net holds."""
    file_scene.log_in()
    file_scene.sandbox.fail_next("slow", seconds=30.0)
    program = cli.using(sys.executable, "-c").start(VICTIM, "", str(directory), str(file_scene.clock()))
    deadline = time.monotonic() + 20
    while file_scene.sandbox.counters.refreshes == 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    program.signal(signal.SIGKILL)
    program.wait()
    file_scene.clock.at += 7 * HOUR
    assert file_scene.works(file_scene.renew())
