"""The repeat guard, and what happens if Withings refuses a repetition or an answer is lost."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.tokens.scene import HOUR, LOST, NOT_SENT, Scene, answer, refusal, tokens
from withings_auth.errors import (
    LockBusy,
    ProviderError,
    ProviderUnavailable,
)
from withings_auth.provider.replies import Answer, Outcome
from withings_auth.store.records import token_name


class TestTooManyRequests:
    """“A 601, which refuses before acting, is waited out under the lock (up to 12 s) and asked once more.”"""

    def test_it_is_waited_out_once_under_the_lock(self, scene: Scene) -> None:
        """601 refuses before acting: after the time that it names, and the guard, the same request is right."""
        scene.log_in()
        scene.sandbox.fail_next("too_many", wait_seconds=7)
        assert scene.works(scene.renew())
        assert scene.clock.waited == 11
        assert scene.nobody_was_hasty()
        assert len(scene.sent) == 2

    @pytest.mark.parametrize(("told", "waited"), [(None, 11), (0, 11), (10, 11), (12, 12)])
    def test_the_wait_is_what_was_told_and_never_less_than_the_guard(
        self, scene: Scene, told: int | None, waited: float
    ) -> None:
        scene.log_in()
        body: dict[str, object] = {} if told is None else {"wait_seconds": told}
        scene.renew(post=scene.script(refusal(601, **body), tokens()))
        assert scene.clock.waited == waited

    def test_meanwhile_nobody_else_is_let_in(self, scene: Scene) -> None:
        """Statement 28: the guard and the wait that a 601 asks for are waited out under the lock."""
        scene.log_in()
        scene.sandbox.fail_next("lost")
        scene.sandbox.fail_next("too_many", wait_seconds=12)
        shut_out: list[float] = []

        def wait(seconds: float) -> None:
            if seconds:
                with pytest.raises(LockBusy), scene.store.lock(token_name("default"), 0):
                    pass
                shut_out.append(seconds)
            scene.clock.wait(seconds)

        assert scene.works(scene.renew(wait=wait))
        assert shut_out == [11, 12]

    def test_a_second_one_is_told(self, scene: Scene) -> None:
        """Nothing happened, so no deadline is told either."""
        scene.log_in()
        with pytest.raises(ProviderUnavailable) as caught:
            scene.renew(post=scene.script(refusal(601, "Same arguments", wait_seconds=9), refusal(601, wait_seconds=9)))
        error = caught.value
        assert (error.exit_code, error.status, error.retry_after) == (4, 601, 9)
        assert "unknown" not in str(error)

    def test_one_that_takes_longer_is_not_waited_for(self, scene: Scene) -> None:
        scene.log_in()
        with pytest.raises(ProviderUnavailable) as caught:
            scene.renew(post=scene.script(refusal(601, wait_seconds=13)))
        assert caught.value.retry_after == 13
        assert scene.clock.waited == 0


class TestLostAnswer:
    """“The outcome is unknown: wait out the guard and repeat that refresh once. If that fails too, exit 4.”"""

    def test_it_is_repeated_once_after_the_guard(self, scene: Scene) -> None:
        """Withings keeps the previous refresh token alive for exactly this."""
        scene.log_in()
        scene.sandbox.fail_next("lost")
        new = scene.renew()
        assert scene.stored == new
        assert scene.works(new)
        assert scene.clock.waited == 11
        assert scene.nobody_was_hasty()

    def test_if_that_is_lost_too_the_deadline_is_told(self, scene: Scene) -> None:
        """Exit 4, and the message names the time until which another try can save the login: eight hours."""
        old = scene.log_in()
        scene.sandbox.fail_next("lost", times=2)
        with pytest.raises(ProviderUnavailable, match="only before 2023-11-15 09:13") as caught:
            scene.renew()
        assert caught.value.exit_code == 4
        assert scene.stored == old
        assert len(scene.sent) == 2
        assert scene.works(scene.renew())
        assert scene.nobody_was_hasty()

    def test_the_deadline_counts_from_the_first_try(self, scene: Scene) -> None:
        """Not from the last one: nobody knows whether a repetition begins the eight hours anew."""
        scene.log_in()
        for _ in range(3):
            with pytest.raises(ProviderUnavailable, match="only before 2023-11-15 09:13"):
                scene.renew(post=scene.script(LOST, LOST))
            scene.clock.at += HOUR
        with pytest.raises(ProviderUnavailable, match="only before 2023-11-15 09:13"):
            scene.renew(post=scene.script(NOT_SENT))

    @pytest.mark.parametrize(
        "outcome",
        [
            Answer(http_status=502, body=b"<html>"),
            Answer(http_status=200, body=b"<html>maintenance"),
            Answer(http_status=302, body=b""),
            Answer(http_status=200, body=b'{"status": 0', oversized=True),
            refusal(522, "Timeout"),
            refusal(5001, "An error occurred"),
            tokens(access_token=None),
            answer([]),
        ],
        ids=["502", "HTML", "redirect", "oversized", "522", "an error", "no token", "no object"],
    )
    def test_an_answer_that_says_nothing_is_not_repeated_and_the_deadline_told(
        self, scene: Scene, outcome: Answer
    ) -> None:
        """Who answers is not silent: asking again at once helps nobody. But the renewal may have been made."""
        old = scene.log_in()
        with pytest.raises(ProviderError, match="only before 2023-11-15 09:13"):
            scene.renew(post=scene.script(outcome))
        assert scene.stored == old
        assert len(scene.sent) == 1
        scene.renew(post=scene.script(tokens()))
        assert scene.nobody_was_hasty()

    def test_a_601_for_the_repetition_is_waited_out_too(self, scene: Scene) -> None:
        """A request that arrived late makes the repetition come too early; it refuses before acting."""
        scene.log_in()
        new = scene.renew(post=scene.script(LOST, refusal(601, wait_seconds=5), tokens()))
        assert new.access_token == "access-2"
        assert scene.nobody_was_hasty()

    def test_an_answer_lost_after_a_601_is_repeated_too(self, scene: Scene) -> None:
        scene.log_in()
        new = scene.renew(post=scene.script(refusal(601), LOST, tokens()))
        assert new.access_token == "access-2"
        assert scene.nobody_was_hasty()

    def test_never_more_than_three_requests(self, scene: Scene) -> None:
        scene.log_in()
        with pytest.raises(ProviderUnavailable, match="outcome of the renewal is unknown"):
            scene.renew(post=scene.script(LOST, refusal(601), LOST))
        assert len(scene.sent) == 3

    def test_another_process_keeps_the_guard_of_this_one(self, scene: Scene) -> None:
        scene.log_in()
        with pytest.raises(ProviderUnavailable):
            scene.renew(post=scene.script(LOST, LOST))
        scene.clock.at += 3
        scene.clock.waits.clear()
        scene.renew()
        assert scene.clock.waited == 8
        assert scene.nobody_was_hasty()

    @pytest.mark.parametrize("first", [LOST, refusal(601)])
    def test_the_guard_begins_when_the_attempt_ends(self, scene: Scene, first: Outcome) -> None:
        """A request can be long on its way: nobody knows how many of the 19 seconds before it arrived."""
        scene.log_in()
        coming = scene.script(first, tokens())

        def slow(url: str, form: Mapping[str, str], **_: object) -> Outcome:
            outcome = coming(url, form)
            scene.clock.at += 19
            return outcome

        scene.renew(post=slow)
        assert scene.clock.waited == 11

    def test_another_process_counts_it_from_there_too(self, scene: Scene) -> None:
        scene.log_in()

        def slow(_url: str, _form: Mapping[str, str], **_: object) -> Outcome:
            scene.clock.at += 19
            return LOST

        with pytest.raises(ProviderUnavailable):
            scene.renew(post=slow)
        scene.clock.waits.clear()
        scene.renew()
        assert scene.clock.waited == 11

    def test_what_was_never_sent_needs_no_guard_and_has_no_deadline(self, scene: Scene) -> None:
        scene.log_in()
        with pytest.raises(ProviderUnavailable) as caught:
            scene.renew(post=scene.script(NOT_SENT))
        assert "unknown" not in str(caught.value)
        scene.renew()
        assert scene.clock.waited == 0
