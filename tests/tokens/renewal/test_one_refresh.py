"""However many programs ask, one refresh is sent, under a lock that nobody waits for without end."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest

from tests.support.stores import (
    Busy,
    Unlockable,
    Unnotable,
    Wrapped,
)
from tests.tokens.scene import LIFE, LOST, NOT_SENT, Scene, refusal
from withings_auth.errors import (
    LockBusy,
    ProviderUnavailable,
    StoreUnavailable,
    WithingsAuthError,
)
from withings_auth.model import Grant
from withings_auth.provider.replies import Outcome
from withings_auth.store.base import HeldName
from withings_auth.store.records import LOCK_PATIENCE_SECONDS


class TestOneRefresh:
    def test_an_expired_token_is_renewed_and_the_new_pair_is_stored(self, scene: Scene) -> None:
        """Statement 29: what is handed out is what the store holds, and it works."""
        old = scene.log_in()
        new = scene.renew()
        assert scene.stored == new
        assert new.access_token != old.access_token
        assert new.refresh_token in scene.sandbox.live_refresh_tokens
        assert new.seconds_left(scene.clock()) == LIFE
        assert (new.userid, new.scopes, new.client_id, new.token_url) == (
            *(old.userid, old.scopes, old.client_id, old.token_url),
        )
        assert scene.works(new)
        assert scene.sandbox.counters.refreshes == 1

    def test_who_comes_second_gets_what_the_first_one_renewed(self, scene: Scene) -> None:
        """Statement 28: another process was faster, and nothing is asked."""
        scene.log_in()
        new = scene.renew()
        assert scene.renew() == new
        assert len(scene.sent) == 1

    def test_a_good_token_is_not_renewed(self, scene: Scene) -> None:
        old = scene.log_in(age=LIFE - 61)
        assert scene.renew(min_valid=60) == old
        assert scene.sent == []

    def test_threads_take_turns(self, scene: Scene) -> None:
        """Statement 28: one refresh in flight per profile."""
        scene.log_in()
        found: list[Grant] = []
        threads = [threading.Thread(target=lambda: found.append(scene.renew())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8
        assert len(set(found)) == 1
        assert scene.sandbox.counters.token_requests == 1

    def test_two_profiles_do_not_wait_for_each_other(self, scene: Scene) -> None:
        scene.log_in(profile="one")
        scene.log_in(profile="two")

        def other_meanwhile(url: str, form: Mapping[str, str], **_: object) -> Outcome:
            scene.renew(profile="two")
            return scene.post(url, form)

        scene.renew(profile="one", post=other_meanwhile)
        assert scene.sandbox.counters.refreshes == 2

    def test_successors_may_follow_at_once(self, scene: Scene) -> None:
        """“The same refresh token is never sent twice within 10 seconds; successors may follow at once.”"""
        scene.log_in()
        new = scene.renew()
        scene.clock.at = new.expires_at
        scene.renew()
        assert scene.clock.waited == 0

    def test_nothing_comes_between_answer_and_save(self, scene: Scene) -> None:
        """Nothing “comes between the answer and the save”: nobody waits, and nobody is asked, before that."""
        scene.log_in()
        happened: list[str] = []

        class Watched(Wrapped):
            def save(self, held: HeldName, name: str, text: str) -> None:  # noqa: ARG002
                happened.append("save")
                held.save(text)

            def load(self, name: str) -> str | None:
                happened.append("load")
                return self.inner.load(name)

        def post(url: str, form: Mapping[str, str], **_: object) -> Outcome:
            outcome = scene.post(url, form)
            happened.append("answer")
            return outcome

        def wait(_: float) -> None:
            happened.append("wait")

        scene.renew(store=Watched(scene.store), post=post, wait=wait)
        assert happened[happened.index("answer") :] == ["answer", "save"]


class TestLock:
    """The lock “cannot be had: exit 5 before any request”; no wait for it is unbounded."""

    def test_a_lock_that_is_never_free_is_not_waited_for_without_end(self, scene: Scene) -> None:
        """Statement 28: the wait is bounded, and ends as something that helps to try again."""
        scene.log_in()

        def wait(_: float) -> None:
            scene.clock.at += 1

        started = scene.clock()
        with pytest.raises(LockBusy) as caught:
            scene.renew(store=Busy(scene.store), wait=wait)
        assert (caught.value.exit_code, caught.value.temporary) == (4, True)
        assert LOCK_PATIENCE_SECONDS <= scene.clock() - started <= LOCK_PATIENCE_SECONDS + 1
        assert scene.sent == []

    def test_meanwhile_a_token_with_life_will_do(self, scene: Scene) -> None:
        """A lock that is busy is a temporary failure like others: the stored token is handed out."""
        old = scene.log_in(age=LIFE - 600)

        def wait(_: float) -> None:
            scene.clock.at += 10

        assert scene.renew(min_valid=900, store=Busy(scene.store), wait=wait) == old
        with pytest.raises(LockBusy):
            scene.renew(rejected=old.access_token, store=Busy(scene.store), wait=wait)

    def test_a_lock_that_cannot_be_had_is_an_error_before_any_request(self, scene: Scene) -> None:
        scene.log_in()
        with pytest.raises(StoreUnavailable) as caught:
            scene.renew(store=Unlockable(scene.store))
        assert caught.value.exit_code == 5
        assert scene.sent == []

    def test_notes_that_cannot_be_written_are_an_error_before_any_request(self, scene: Scene) -> None:
        """A request that the next process would not know of is not sent."""
        scene.log_in()
        with pytest.raises(StoreUnavailable):
            scene.renew(store=Unnotable(scene.store))
        assert scene.sent == []

    def test_the_lock_is_free_after_every_end(self, scene: Scene) -> None:
        scene.log_in()
        for ending in (LOST, NOT_SENT, refusal(503, "invalid refresh_token"), MemoryError()):
            with pytest.raises((WithingsAuthError, MemoryError)):
                scene.renew(ask_anew=True, post=scene.script(ending, ending))
            scene.clock.at += 20
        assert scene.works(scene.renew(ask_anew=True))

    def test_a_bug_while_asking_leaves_the_outcome_unknown(self, scene: Scene) -> None:
        """Whatever `post` raises, the next process keeps the guard and knows the deadline."""
        scene.log_in()
        began = scene.clock()
        with pytest.raises(MemoryError):
            scene.renew(post=scene.script(MemoryError()))
        with pytest.raises(ProviderUnavailable, match="only before 2023-11-15 09:13"):
            scene.renew(post=scene.script(NOT_SENT))
        assert scene.clock() == began + 11
