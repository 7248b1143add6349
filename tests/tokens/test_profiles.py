"""Two profiles at once do not wait for each other: measured by what comes first, not by seconds."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from tests.tokens.combinations import OF_REPETITIONS, Combinations
from tests.tokens.processes import Processes, await_refresh
from tests.tokens.scene import Scene, digest
from withings_auth.model import Grant
from withings_auth.provider.replies import Outcome
from withings_auth.store.records import load_grant


def test_under_every_combination(everywhere: Combinations) -> None:
    """While one profile's answer is on its way the other one is renewed; both tokens work, and their successors."""
    for combination in everywhere.without(*OF_REPETITIONS):
        with combination as scene:
            scene.log_in(profile="one")
            scene.log_in(profile="two")
            one, two = renew_at_once(scene)
            assert scene.works(one)
            assert scene.works(two)
            scene.clock.at = one.expires_at
            assert scene.works(scene.renew(profile="one"))
            assert scene.works(scene.renew(profile="two"))


def renew_at_once(scene: Scene) -> tuple[Grant, Grant]:
    """Renews the second profile between the first one's answer and its save."""
    found: list[Grant] = []

    def other_meanwhile(url: str, form: Mapping[str, str], **_: object) -> Outcome:
        outcome = scene.post(url, form)
        found.append(scene.renew(profile="two"))
        return outcome

    return scene.renew(profile="one", post=other_meanwhile), found[0]


def test_two_processes(file_scene: Scene, directory: Path, processes: Processes) -> None:
    """One process's answer is held at Withings; meanwhile another one asks for the other profile, and has its token.

    Statement 28: the lock is one per profile.
    """
    store, clock = f"file:{directory}", file_scene.clock
    file_scene.log_in(profile="one")
    file_scene.log_in(profile="two")
    file_scene.sandbox.fail_next("slow", seconds=30.0)
    with Processes() as others:
        held = others.begin(store, clock, profile="one")
        await_refresh(file_scene.sandbox)
        told = processes(store, clock, profile="two")
        two = load_grant(file_scene.store, "two")
        assert told.digest == digest(two)
        assert file_scene.works(two)
        os.kill(held, signal.SIGKILL)
        assert others.end(clock).returncode == -signal.SIGKILL  # until now it was waiting
    assert processes(store, clock, profile="one").digest == digest(load_grant(file_scene.store, "one"))
    assert file_scene.works(load_grant(file_scene.store, "one"))
    assert file_scene.clock.waited == 11


def test_a_profile_whose_process_was_killed_does_not_hold_up_the_other(
    file_scene: Scene, directory: Path, processes: Processes
) -> None:
    """The guard that a dead process left is one profile's alone."""
    store, clock = f"file:{directory}", file_scene.clock
    file_scene.log_in(profile="one")
    file_scene.log_in(profile="two")
    died = processes(store, clock, profile="one", die_at="after the answer")
    assert died.returncode == -signal.SIGKILL
    assert processes(store, clock, profile="two").digest == digest(load_grant(file_scene.store, "two"))
    assert file_scene.clock.waited == 0
