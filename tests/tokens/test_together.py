"""Real processes, threads and tasks that all ask for a token at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.canaries import Canaries
from tests.support.keyring_daemon import SecretService
from tests.support.programs import Cli, Program
from tests.tokens import crowd
from tests.tokens.combinations import OF_REFUSALS, OF_REPETITIONS, Combinations
from tests.tokens.scene import LIFE, Clock, Scene
from withings_auth.config.settings import open_store
from withings_auth.model import Grant
from withings_auth.sandbox import Sandbox
from withings_auth.sandbox.faults import FaultKind
from withings_auth.store.base import SecretStore

pytestmark = pytest.mark.usefixtures("unmeasured")

PROGRAMS = 16
CALLERS = 16  # each with four threads of four tasks
FORKS = 3
THREADS = 6
STARTS = pytest.mark.parametrize("rejected", [False, True], ids=["expired", "rejected"])


@pytest.fixture
def busy(canaries: Canaries) -> Iterator[Sandbox]:
    """A Withings in real time."""
    with Sandbox() as sandbox:
        yield sandbox
        for number, secret in enumerate(sorted(sandbox.secrets)):
            canaries.plant(f"the sandbox's secret {number}", secret)


@pytest.fixture(params=["file", "Secret Service"])
def store(request: pytest.FixtureRequest, directory: Path, monkeypatch: pytest.MonkeyPatch) -> SecretStore:
    """A store that processes share, named by the environment."""
    name = f"file:{directory}"
    if request.param != "file":
        service: SecretService = request.getfixturevalue("secret_service")
        service.enter(monkeypatch)
        name = "keyring"
    monkeypatch.setenv("WITHINGS_AUTH_STORE", name)
    return open_store()


def log_in(scene: Scene, *, rejected: bool) -> Grant:
    """A login in real time with an access token that has expired, or that only Withings knows is dead."""
    obtained_at = int(time.time()) - (LIFE // 2 if rejected else LIFE)
    grant = replace(scene.log_in(age=0), obtained_at=obtained_at, expires_at=obtained_at + LIFE)
    scene.save(grant)
    scene.sandbox.expire_access_token()
    return grant


def start(cli: Cli, *arguments: str) -> Program:
    return cli.by(Path(crowd.__file__).read_text()).start(*arguments, stdin=True)


@STARTS
def test_sixteen_programs_of_sixteen_callers_cause_exactly_one_refresh(
    busy: Sandbox, store: SecretStore, cli: Cli, rejected: bool
) -> None:
    """Statement 28: everybody gets the stored token, and it works, even if all report one as rejected.

    Each program is a process of its own, as people and cron start it, and has four threads of four tasks.
    """
    scene = Scene(store, busy, Clock())
    grant = log_in(scene, rejected=rejected)
    programs = [start(cli) for _ in range(PROGRAMS)]
    for program in programs:
        program.stdout.line("ready", seconds=300)
    for program in programs:
        program.type(f"{grant.access_token if rejected else ''}\n")
    ended = [program.wait(seconds=300) for program in programs]
    assert {(one.returncode, one.stderr) for one in ended} == {(0, "")}
    assert busy.counters.token_requests == busy.counters.refreshes == 1
    said = [line for one in ended for line in one.stdout.split()[1:]]
    assert len(said) == PROGRAMS * CALLERS
    stored = scene.stored
    assert set(said) == {crowd.told(stored.access_token)}
    assert stored.access_token != grant.access_token
    assert scene.works(stored)


@STARTS
def test_a_crowd_under_every_combination_of_answers(
    everywhere_on_disk: Combinations,
    directory: Path,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    rejected: bool,
) -> None:
    """Statement 28: exactly one refresh for forks of one program, however Withings behaves.

    Nothing is refused or repeated here; the next test covers what is refused or lost.
    """
    monkeypatch.setenv("WITHINGS_AUTH_STORE", f"file:{directory}")
    program = start(cli, str(FORKS))
    program.stdout.line("ready")
    for combination in everywhere_on_disk.without(*OF_REFUSALS, *OF_REPETITIONS):
        with combination as scene:
            grant = log_in(scene, rejected=rejected)
            before = scene.sandbox.counters
            program.type(f"{grant.access_token if rejected else ''}\n")
            said = [program.stdout.line(seconds=300) for _ in range(FORKS * CALLERS + 1)]
            after, stored = scene.sandbox.counters, scene.stored
            assert said == [crowd.told(stored.access_token)] * FORKS * CALLERS + ["over"]
            assert after.token_requests - before.token_requests == after.refreshes - before.refreshes == 1
            assert scene.works(stored)
    program.end_input()
    assert program.wait().returncode == 0


@pytest.mark.parametrize("fault", ["lost", "truncated", "too_many"])
def test_threads_whose_first_answer_is_of_no_use(everywhere: Combinations, fault: FaultKind) -> None:
    """Statement 28: one process sends the refresh and one repeats it; the others wait, and all get the same token."""
    for combination in everywhere.without(*OF_REFUSALS):
        with combination as scene, ThreadPoolExecutor(THREADS) as threads:
            scene.log_in()
            scene.sandbox.fail_next(fault)
            together = threading.Barrier(THREADS)

            def ask(_: int, scene: Scene = scene, together: threading.Barrier = together) -> Grant:
                together.wait(60)
                return scene.renew()

            found = set(threads.map(ask, range(THREADS)))
            assert found == {scene.stored}
            assert len(scene.sent) == 2
            assert scene.nobody_was_hasty()
            assert scene.works(scene.stored)
