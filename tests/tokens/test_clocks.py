"""Clocks that are set forward or back, and computers that sleep for a day, between renewals and during one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.stores import Busy
from tests.tokens.combinations import OF_REFUSALS, OF_REPETITIONS, Combinations
from tests.tokens.processes import Processes
from tests.tokens.scene import HOUR, LIFE, Clock, Scene, digest
from withings_auth.errors import LockBusy, LoginRequired, ProviderUnavailable
from withings_auth.model import Grant
from withings_auth.provider.replies import Outcome, Post
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.records import LOCK_PATIENCE_SECONDS

DAY = 24 * HOUR
JUMPS = (-400 * DAY, -DAY, -HOUR, -5, 5, HOUR, DAY, 400 * DAY)


class Wrong:
    """This computer's wall clock, a settable number of seconds ahead of the true one or behind it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.ahead = 0.0

    def __call__(self) -> float:
        return self._clock() + self.ahead


@pytest.fixture
def store() -> MemoryStore:
    """No store looks at the clock that is wrong here."""
    return MemoryStore()


@pytest.fixture
def wrong(clock: Clock) -> Wrong:
    return Wrong(clock)


def works_in_the_end(scene: Scene, now: Callable[[], float], **how: object) -> Grant:
    """Does what a program does: asks for a token, uses it, and reports it once if it is rejected."""
    grant = scene.renew(now=now, **how)  # type: ignore[arg-type]  # as `Scene.renew` takes them
    if not scene.works(grant):
        grant = scene.renew(rejected=grant.access_token, now=now, **how)  # type: ignore[arg-type]  # as above
        assert scene.works(grant)
    return grant


class TestBetweenRenewals:
    @pytest.mark.parametrize("age", [0, HOUR, LIFE - 61, LIFE, DAY + 600])
    @pytest.mark.parametrize("jump", JUMPS)
    def test_set_forward_or_back(self, scene: Scene, wrong: Wrong, age: int, jump: int) -> None:
        """Statement 33: whatever the clock says, a caller that reports a rejected token gets one that works.

        A jump costs one renewal at most, and none once the clock is right again.
        """
        scene.log_in(age=age)
        wrong.ahead = jump
        grant = works_in_the_end(scene, wrong)
        assert scene.sandbox.counters.refreshes <= 1
        assert scene.renew(now=wrong) == grant
        assert scene.sandbox.counters.refreshes <= 1

    @pytest.mark.parametrize("jump", JUMPS)
    def test_and_set_right_again(self, scene: Scene, wrong: Wrong, jump: int) -> None:
        """A pair that was saved with a wrong clock does no harm once the clock is right."""
        scene.log_in()
        wrong.ahead = jump
        works_in_the_end(scene, wrong)
        wrong.ahead = 0
        scene.clock.at += 61
        works_in_the_end(scene, wrong)
        assert scene.stored.seconds_left(scene.clock()) > 0

    def test_a_clock_that_slept_with_the_computer(self, scene: Scene, wrong: Wrong) -> None:
        """Statement 33: after a suspend that the clock missed, a dead token looks alive; it is renewed once."""
        old = scene.log_in(age=HOUR)
        scene.clock.at += DAY
        wrong.ahead = -DAY
        assert scene.renew(now=wrong) == old
        assert not scene.works(old)
        new = scene.renew(rejected=old.access_token, now=wrong)
        assert scene.works(new)
        assert scene.sandbox.counters.refreshes == 1

    def test_set_back_to_just_after_the_issue(self, scene: Scene, wrong: Wrong) -> None:
        """Statement 33: a token that seems to have been rejected within 60 seconds of its issue is renewed at once."""
        old = scene.log_in(age=DAY)
        wrong.ahead = -DAY
        assert scene.works(scene.renew(rejected=old.access_token, now=wrong))

    def test_a_process_whose_clock_is_wrong(
        self, file_scene: Scene, processes: Processes, directory: Path, wrong: Wrong, clock: Clock
    ) -> None:
        """One process saves with a clock that is a day ahead; another, with the right time, renews what it saved."""
        file_scene.log_in()
        wrong.ahead = DAY
        ahead = file_scene.renew(now=wrong)
        told = processes(f"file:{directory}", clock)
        assert told.digest == digest(file_scene.stored) != digest(ahead)
        assert file_scene.works(file_scene.stored)


class TestWithinARenewal:
    @pytest.mark.parametrize("jump", JUMPS)
    def test_between_the_request_and_the_save(self, scene: Scene, wrong: Wrong, jump: int) -> None:
        """No token outlives its grant, and a clock before `obtained_at` means expired: it is renewed again."""
        scene.log_in()

        new = scene.renew(now=wrong, post=setting(scene, wrong, jump))
        assert scene.works(new)
        assert scene.stored == new
        assert 0 < new.seconds_left(wrong()) <= LIFE
        assert len(scene.sent) <= 2
        assert scene.nobody_was_hasty()

    def test_a_suspend_of_a_day_between_the_answer_and_the_save(self, scene: Scene) -> None:
        """The day-old pair is saved and then renewed, since its refresh token lives for a year."""
        scene.log_in()

        def post(url: str, form: Mapping[str, str], **_: object) -> Outcome:
            outcome = scene.post(url, form)
            scene.clock.at += DAY if len(scene.sent) == 1 else 0
            return outcome

        assert scene.works(scene.renew(post=post))
        assert scene.sent[0].form["refresh_token"] != scene.sent[1].form["refresh_token"]

    @pytest.mark.parametrize("jump", JUMPS)
    def test_while_the_guard_is_waited_out(self, scene: Scene, wrong: Wrong, jump: int) -> None:
        """The wait counts seconds and ignores the time of day, so a jump neither shortens nor extends it."""
        scene.log_in()
        scene.sandbox.fail_next("lost")

        def wait(seconds: float) -> None:
            scene.clock.wait(seconds)
            wrong.ahead = jump if seconds else 0

        assert scene.works(scene.renew(now=wrong, wait=wait))
        assert scene.clock.waited == 11
        assert scene.nobody_was_hasty()

    @pytest.mark.parametrize("jump", JUMPS)
    def test_while_an_answer_is_lost(self, scene: Scene, wrong: Wrong, jump: int) -> None:
        """A refresh token is never sent twice within ten seconds, even if the clock jumps in between."""
        scene.log_in()
        scene.sandbox.fail_next("lost")

        assert scene.works(scene.renew(now=wrong, post=setting(scene, wrong, jump)))
        assert scene.clock.waited == 11
        assert scene.nobody_was_hasty()

    def test_a_suspend_of_a_day_while_the_guard_is_waited_out(self, scene: Scene) -> None:
        """After more than eight hours Withings refuses for good: the error quotes it, and the record stays."""
        old = scene.log_in()
        scene.sandbox.fail_next("lost")

        def wait(seconds: float) -> None:
            scene.clock.at += DAY if seconds else 0

        with pytest.raises(LoginRequired, match="invalid refresh_token"):
            scene.renew(wait=wait)
        assert scene.stored == old

    @pytest.mark.parametrize("jump", JUMPS)
    def test_while_waiting_for_the_lock(self, scene: Scene, wrong: Wrong, jump: int) -> None:
        """The wait for a lock is timed by a clock that nobody can set."""
        scene.log_in(age=LIFE + DAY)
        began = scene.clock()

        def wait(_: float) -> None:
            scene.clock.at += 1
            wrong.ahead = jump if scene.clock() > began + 30 else 0

        with pytest.raises(LockBusy):
            scene.renew(now=wrong, store=Busy(scene.store), wait=wait)
        assert LOCK_PATIENCE_SECONDS <= scene.clock() - began <= LOCK_PATIENCE_SECONDS + 1

    def test_a_suspend_of_a_day_while_waiting_for_the_lock(self, scene: Scene) -> None:
        """The token is judged when the lock is acquired, although it was still valid when the wait began."""
        old = scene.log_in(age=HOUR)

        def wait(_: float) -> None:
            scene.clock.at += DAY

        new = scene.renew(wait=wait)
        assert new != old
        assert scene.works(new)

    @pytest.mark.parametrize("jump", JUMPS)
    def test_between_two_processes(self, scene: Scene, wrong: Wrong, jump: int) -> None:
        """A guard written with a wrong clock lasts eleven seconds at most; without it, Withings answers 601."""
        scene.log_in(age=LIFE + DAY)
        wrong.ahead = jump
        scene.sandbox.fail_next("lost", times=2)
        with pytest.raises(ProviderUnavailable):
            scene.renew(now=wrong)
        scene.clock.waits.clear()
        assert scene.works(scene.renew())
        assert scene.clock.waited <= 22


class TestUnderEveryCombination:
    def test_between_renewals(self, everywhere: Combinations, clock: Clock) -> None:
        """Statement 33: forward, back, and a suspend that the clock missed all end with a token that works."""
        for combination in everywhere.without(*OF_REPETITIONS, *OF_REFUSALS):
            with combination as scene:
                wrong = Wrong(clock)
                scene.log_in(age=HOUR)
                for jump in (HOUR * 4, -HOUR * 4, -DAY):
                    wrong.ahead = jump
                    works_in_the_end(scene, wrong)
                    scene.clock.at += LIFE

    def test_within_a_renewal(self, everywhere: Combinations, clock: Clock) -> None:
        """An answer is lost while the clock is set back or forward; the second try gets a token."""
        for combination in everywhere.without(*OF_REFUSALS):
            with combination as scene:
                for jump in (-DAY, DAY):
                    wrong = Wrong(clock)
                    scene.log_in()
                    scene.sandbox.fail_next("lost")
                    new = scene.renew(now=wrong, post=setting(scene, wrong, jump))
                    assert scene.works(new)
                    assert scene.nobody_was_hasty()


def setting(scene: Scene, wrong: Wrong, jump: int) -> Post:
    """Returns a `post` during which the clock jumps."""

    def post(url: str, form: Mapping[str, str], **_: object) -> Outcome:
        outcome = scene.post(url, form)
        wrong.ahead = jump
        return outcome

    return post
