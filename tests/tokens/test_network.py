"""A service that is silent, unreachable or unresolvable: the outcome is known, or treated as unknown."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.tokens.combinations import Combinations
from tests.tokens.scene import HOUR, LIFE, Scene, Sent
from withings_auth.errors import ProviderUnavailable
from withings_auth.provider.http import post
from withings_auth.provider.replies import AnswerLost, NotSent, Outcome, Post

HANGS_SECONDS = 30.0
PATIENCE_SECONDS = 0.05


def impatient(scene: Scene, *, times: int) -> Post:
    """Asks a Withings that acts without answering a number of times, and then one that answers."""

    def impatiently(url: str, form: Mapping[str, str], **_: object) -> Outcome:
        if len(scene.sent) >= times:
            return scene.post(url, form)
        scene.sent.append(Sent(at=scene.clock(), url=url, form=form))
        outcome: Outcome = NotSent(why="")
        scene.sandbox.fail_next("slow", times=1000, seconds=HANGS_SECONDS)
        # On a busy machine so short a time may not be enough for a connection, or for more than that. Withings may hear
        # of it all the same, and then of another request; it answers neither in time.
        while isinstance(outcome, NotSent):
            outcome = post(url, form, time_limit_seconds=PATIENCE_SECONDS)
        scene.sandbox.clear_faults()
        assert outcome == AnswerLost(why=f"no answer within {PATIENCE_SECONDS} seconds")
        return outcome

    return impatiently


class TestHanging:
    def test_under_every_combination(self, everywhere: Combinations) -> None:
        """If the answer to a request is lost, the guard is waited out and the refresh repeated once."""
        for combination in everywhere:  # if a request comes late, on a busy machine, it can be refused
            with combination as scene:
                scene.log_in()
                new = scene.renew(post=impatient(scene, times=1))
                assert scene.works(new)
                assert scene.stored == new
                assert scene.nobody_was_hasty()

    @pytest.mark.parametrize("later", [0, 7 * HOUR])
    def test_the_repetition_hangs_too(self, scene: Scene, later: int) -> None:
        """If that fails too: exit 4, and the message names the deadline, eight hours after the first try."""
        old = scene.log_in()
        with pytest.raises(ProviderUnavailable, match="only before 2023-11-15 09:13") as caught:
            scene.renew(post=impatient(scene, times=2))
        assert caught.value.exit_code == 4
        assert scene.stored == old
        scene.clock.at += later
        assert scene.works(scene.renew())
        assert scene.nobody_was_hasty()

    def test_who_can_be_served_is_served(self, scene: Scene) -> None:
        """A temporary failure hands out the stored token while it is valid."""
        old = scene.log_in(age=LIFE - 600)
        assert scene.renew(min_valid=900, post=impatient(scene, times=2)) == old


class TestNoName:
    """Withings does not know about a request that never left, so no switch matters here."""

    def nowhere(self, _url: str, form: Mapping[str, str], **_: object) -> Outcome:
        """Asks a service that has no address."""
        return post("https://withings-auth.invalid/v2/oauth2", {**form, "client_secret": "kept"})

    def test_it_is_temporary_and_leaves_nothing_unknown(self, scene: Scene) -> None:
        """Statement 31: exit 4 at once, no guard, no deadline; once the name resolves, the renewal succeeds."""
        old = scene.log_in()
        with pytest.raises(ProviderUnavailable, match="cannot be resolved") as caught:
            scene.renew(post=self.nowhere)
        assert (caught.value.exit_code, caught.value.temporary) == (4, True)
        assert "unknown" not in str(caught.value)
        assert scene.stored == old
        assert scene.works(scene.renew())
        assert scene.clock.waited == 0

    def test_days_later(self, scene: Scene) -> None:
        """A computer that had no network for a month still has its login."""
        scene.log_in()
        for _ in range(3):
            with pytest.raises(ProviderUnavailable):
                scene.renew(post=self.nowhere)
            scene.clock.at += 240 * HOUR
        assert scene.works(scene.renew())

    def test_the_repetition_of_a_lost_answer_finds_no_name(self, scene: Scene) -> None:
        """If the network goes away in between, the first outcome stays unknown, and the error names its deadline."""
        scene.log_in()
        scene.sandbox.fail_next("lost")

        def post(url: str, form: Mapping[str, str], **_: object) -> Outcome:
            return scene.post(url, form) if not scene.sent else self.nowhere(url, form)

        with pytest.raises(ProviderUnavailable, match="only before 2023-11-15 09:13"):
            scene.renew(post=post)
        scene.clock.at += 7 * HOUR
        assert scene.works(scene.renew())

    def test_who_can_be_served_is_served(self, scene: Scene) -> None:
        """A temporary failure hands out the stored token while it is valid, unless it is the rejected one."""
        old = scene.log_in(age=LIFE - 600)
        assert scene.renew(min_valid=900, post=self.nowhere) == old
        with pytest.raises(ProviderUnavailable):
            scene.renew(rejected=old.access_token, post=self.nowhere)
