"""A real process is killed at each step of a renewal, and another one asks for a token later."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.keyring_daemon import SecretService
from tests.support.programs import Cli
from tests.tokens.combinations import OF_REFUSALS, Combinations
from tests.tokens.mortal import replacing_store
from tests.tokens.processes import ANSWER_ON_ITS_WAY, Ended, Processes, await_refresh
from tests.tokens.scene import HOUR, LIFE, Clock, Scene, digest
from withings_auth.config.places import state_directory
from withings_auth.errors import LoginRequired
from withings_auth.sandbox import Sandbox
from withings_auth.store.file_store import FileStore
from withings_auth.store.keyring_store import KeyringStore

LATER = (0, 11, 7 * HOUR, 9 * HOUR)
HARMLESS = (
    "before the lock",
    "under the lock",
    "noting: no name yet",
    "before the request",
    "saving: directory not synced",
    "after the save",
)
AT_STAKE = (
    ANSWER_ON_ITS_WAY,
    "after the answer",
    "before the save",
    "saving: not synced",
    "saving: no name yet",
)

Kill = Callable[[str], None]


@pytest.fixture
def kill_at(processes: Processes, sandbox: Sandbox, clock: Clock, directory: Path) -> Kill:
    """`kill_at(step)` starts a process that renews, and kills it at that step."""
    return partial(processes.kill_at, store=f"file:{directory}", clock=clock, sandbox=sandbox)


@pytest.fixture
def ask(processes: Processes, clock: Clock, directory: Path) -> Callable[[], Ended]:
    """`ask()` starts a process that asks for a token."""
    return lambda: processes(f"file:{directory}", clock)


def test_every_step_is_one(file_scene: Scene, kill_at: Kill, ask: Callable[[], Ended]) -> None:
    """The steps come in the order of the list, as what a killed process leaves behind shows."""
    refreshes = []
    for step in (*HARMLESS[:4], *AT_STAKE, *HARMLESS[4:]):
        old = file_scene.log_in()
        before = file_scene.sandbox.counters.refreshes
        kill_at(step)
        refreshes.append((file_scene.sandbox.counters.refreshes - before, file_scene.stored != old))
        assert ask().returncode == 0
    assert refreshes == [(0, False)] * 4 + [(1, False)] * 5 + [(1, True)] * 2


@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("step", HARMLESS)
def test_killed_where_nothing_is_at_stake(
    file_scene: Scene, kill_at: Kill, ask: Callable[[], Ended], step: str, later: int
) -> None:
    """Before the request nothing is spent, and after the save nothing is missing; the lock is free again."""
    file_scene.log_in()
    kill_at(step)
    file_scene.clock.at += later
    assert ask().digest == digest(file_scene.stored)
    assert file_scene.works(file_scene.stored)
    # If an attempt was noted, the guard is respected even though nothing was sent.
    assert file_scene.clock.waited == (11 if (step, later) == ("before the request", 0) else 0)
    assert file_scene.sandbox.counters.refusals == 0


@pytest.mark.parametrize("later", LATER[:3])
@pytest.mark.parametrize("step", AT_STAKE)
def test_killed_between_renewal_and_save(
    file_scene: Scene, kill_at: Kill, ask: Callable[[], Ended], step: str, later: int
) -> None:
    """A process killed between the answer and the save loses nothing if somebody asks again within eight hours.

    The dead process's guard is respected, and its lock is free.
    """
    file_scene.log_in()
    kill_at(step)
    file_scene.clock.at += later
    assert ask().digest == digest(file_scene.stored)
    assert file_scene.works(file_scene.stored)
    assert file_scene.clock.waited == (11 if later == 0 else 0)
    assert file_scene.sandbox.counters.refusals == 0


@pytest.mark.parametrize("step", AT_STAKE)
def test_killed_between_renewal_and_save_and_nobody_asks_for_eight_hours(
    file_scene: Scene, kill_at: Kill, ask: Callable[[], Ended], step: str
) -> None:
    """Past Withings' own limit only a new login helps: the error quotes Withings, and the record stays.

    Statement 30.
    """
    old = file_scene.log_in()
    kill_at(step)
    file_scene.clock.at += LATER[3]
    assert not file_scene.way_left
    told = ask()
    assert (told.error, told.exit_code) == ("LoginRequired", 3)
    assert "invalid refresh_token" in told.words
    assert "withings-auth login" in told.words
    assert file_scene.stored == old


class TestUnderEveryCombination:
    """Before the request Withings knows of nothing, so no switch can matter to who is killed there.

    From the moment when it has renewed until the save, one step leaves the same behind as another, here and there:
    an old record, an attempt that is noted, and a renewal that nobody knows of. Who asks at once waits for the guard,
    and then asks after eleven seconds too.
    """

    @pytest.mark.parametrize("later", LATER[1:3])
    def test_killed_between_renewal_and_save(self, everywhere_on_disk: Combinations, kill_at: Kill, later: int) -> None:
        """Within eight hours, the next caller gets a token that works."""
        for combination in everywhere_on_disk.without(*OF_REFUSALS):
            with combination as scene:
                scene.log_in()
                kill_at("after the answer")
                scene.clock.at += later
                assert scene.works(scene.renew())

    def test_and_nobody_asks_for_eight_hours(self, everywhere_on_disk: Combinations, kill_at: Kill) -> None:
        """After that the answer is “log in”, and the record is left alone."""
        for combination in everywhere_on_disk.without("wait_seconds_told"):
            with combination as scene:
                old = scene.log_in()
                kill_at("after the answer")
                scene.clock.at += LATER[3]
                assert not scene.way_left
                with pytest.raises(LoginRequired, match="invalid refresh_token"):
                    scene.renew()
                assert scene.stored == old

    def test_killed_twice(self, everywhere_on_disk: Combinations, kill_at: Kill) -> None:
        """The second process to die repeats the first one's refresh; the eight hours count from the first."""
        for combination in everywhere_on_disk.without(*OF_REFUSALS):
            with combination as scene:
                scene.log_in()
                kill_at("after the answer")
                scene.clock.at += 5 * HOUR
                kill_at("before the save")
                scene.clock.at += 3 * HOUR - 1
                new = scene.renew()
                assert scene.works(new)
                scene.clock.at = new.expires_at
                assert scene.works(scene.renew())

    def test_a_token_that_died_of_a_renewal_nobody_knows_of(
        self, everywhere_on_disk: Combinations, processes: Processes, directory: Path
    ) -> None:
        """Statement 33: it looks valid and may be dead at Withings; once rejected, it is renewed."""
        for combination in everywhere_on_disk.without(*OF_REFUSALS):
            with combination as scene:
                old = scene.log_in(age=LIFE - 600)
                died = processes(f"file:{directory}", scene.clock, min_valid=900, die_at="after the answer")
                assert died.returncode == -signal.SIGKILL
                assert scene.renew() == old
                if not scene.works(old):
                    assert scene.works(scene.renew(rejected=old.access_token))


# Runs the command with a clock that is ahead by a number of seconds. A fork has bound the real one already.
LATER_ON = """
import sys, time
real_time, ahead = time.time, float(sys.argv.pop(1))
time.time = lambda: real_time() + ahead
from withings_auth.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("later", "returncode"), [(11, 0), (7 * HOUR, 0), (9 * HOUR, 3)])
def test_the_command_is_killed_and_run_again(cli: Cli, directory: Path, later: int, returncode: int) -> None:
    """The real command: `withings-auth token` is killed while the answer is on its way."""
    with Sandbox() as sandbox:
        clock = Clock()
        clock.at = sandbox.now() - LIFE
        scene = Scene(FileStore(directory), sandbox, clock)
        old = scene.log_in()
        sandbox.fail_next("slow", seconds=30.0)
        store = {"WITHINGS_AUTH_STORE": f"file:{directory}"}
        victim = cli.start("token", env=store)
        await_refresh(sandbox)
        victim.signal(signal.SIGKILL)
        assert victim.wait().returncode == -signal.SIGKILL
        assert scene.stored == old
        sandbox.advance(later)
        again = cli.using(sys.executable, "-c", LATER_ON)(
            str(later), "token", env=store, allow=sandbox.live_access_tokens
        )
        assert again.returncode == returncode
        if returncode == 0:
            assert again.stdout == f"{scene.stored.access_token}\n"
            assert scene.works(scene.stored)
        else:
            assert "invalid refresh_token" in again.stderr
            assert again.stdout == ""
            assert scene.stored == old


class TestKeyrings:
    @pytest.mark.parametrize("step", ["after the answer", "before the save", "after the save"])
    def test_killed_with_a_real_secret_service(
        self,
        secret_service: SecretService,
        monkeypatch: pytest.MonkeyPatch,
        sandbox: Sandbox,
        clock: Clock,
        processes: Processes,
        step: str,
    ) -> None:
        """The record is in the keyring, lock and notes are in the state directory, and the same holds."""
        secret_service.enter(monkeypatch)
        store = f"keyring:{state_directory()}"
        scene = Scene(KeyringStore(state_directory()), sandbox, clock)
        for later in LATER:
            old = scene.log_in()
            assert processes(store, clock, die_at=step, environ=secret_service.environ).returncode == -signal.SIGKILL
            clock.at += later
            told = processes(store, clock, environ=secret_service.environ)
            if step != "after the save" and later == 9 * HOUR:
                assert told.error == "LoginRequired"
                assert scene.stored == old
            else:
                assert told.digest == digest(scene.stored)
                assert scene.works(scene.stored)

    @pytest.mark.parametrize("change", range(4))
    @pytest.mark.parametrize("later", LATER[:3])
    def test_killed_between_delete_and_add(
        self, home: Path, sandbox: Sandbox, clock: Clock, processes: Processes, change: int, later: int
    ) -> None:
        """Statement 30: even if a keyring replaces by deleting (macOS), a login can be lost at no moment.

        The changes of a save: the new record is put beside, the old one is deleted, the new one is added in its
        place, and what lies beside is deleted.
        """
        store = f"replacing:{home / 'keyring'}"
        scene = Scene(replacing_store(home / "keyring"), sandbox, clock)
        scene.log_in()
        died = processes(store, clock, die_at=f"before change {change} of the keyring")
        assert died.returncode == -signal.SIGKILL
        assert sandbox.counters.refreshes == 1
        clock.at += later
        told = processes(store, clock)
        assert told.digest == digest(scene.stored)
        assert scene.works(scene.stored)
        # After the deletion the new pair is what is read, so nothing is sent until it expires.
        assert sandbox.counters.refreshes == (1 if change >= 2 and later < LIFE else 2)
        clock.at = scene.stored.expires_at
        assert processes(store, clock).returncode == 0
        assert scene.works(scene.stored)
