"""What must hold of a renewal, as long as nobody dies: each test is one promise."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.support.canaries import Canaries
from tests.support.stores import (
    Busy,
    Unlockable,
    Unnotable,
    Unsavable,
    Wrapped,
    clear_record,
    save_record,
    save_record_without_lock,
)
from tests.tokens.scene import HOUR, LIFE, Scene, answer, refusal, tokens
from withings_auth.errors import (
    ConfigurationError,
    LockBusy,
    LoginRequired,
    ProtocolViolation,
    ProviderError,
    ProviderUnavailable,
    StoreError,
    StoreNotDurable,
    StoreUnavailable,
    WithingsAuthError,
)
from withings_auth.model import App, Grant
from withings_auth.provider.replies import Answer, AnswerLost, NotSent, Outcome
from withings_auth.store.base import HeldName
from withings_auth.store.records import LOCK_PATIENCE_SECONDS, app_name, token_name

LOST = AnswerLost(why="closed")
NOT_SENT = NotSent(why="Connection refused")


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
                scene.renew(post=scene.script(ending, ending))
            scene.clock.at += 20
        assert scene.works(scene.renew())

    def test_a_bug_while_asking_leaves_the_outcome_unknown(self, scene: Scene) -> None:
        """Whatever `post` raises, the next process keeps the guard and knows the deadline."""
        scene.log_in()
        began = scene.clock()
        with pytest.raises(MemoryError):
            scene.renew(post=scene.script(MemoryError()))
        with pytest.raises(ProviderUnavailable, match="only before 2023-11-15 09:13"):
            scene.renew(post=scene.script(NOT_SENT))
        assert scene.clock() == began + 11


class TestRejected:
    """“A token rejected within 60 s of its issue is not renewed again”; any other is, once."""

    def test_a_rejected_token_is_renewed_though_it_looks_alive(self, scene: Scene) -> None:
        """Statement 33: clocks jump and tokens are revoked; what the server refused is renewed once."""
        old = scene.log_in(age=HOUR)
        scene.sandbox.expire_access_token()
        new = scene.renew(rejected=old.access_token)
        assert scene.works(new)

    def test_all_who_report_the_same_token_get_the_same_successor(self, scene: Scene) -> None:
        old = scene.log_in(age=HOUR)
        assert len({scene.renew(rejected=old.access_token) for _ in range(3)}) == 1
        assert len(scene.sent) == 1

    def test_a_token_rejected_within_60_seconds_of_its_issue_is_not_renewed_again(self, scene: Scene) -> None:
        """Whatever is wrong then, a newer token would not mend it; a loop of renewals would lock people out."""
        scene.log_in()
        new = scene.renew()
        scene.clock.at += 45
        with pytest.raises(ProviderUnavailable, match="issued 45 seconds ago") as caught:
            scene.renew(rejected=new.access_token)
        assert caught.value.retry_after == 15
        assert len(scene.sent) == 1
        scene.clock.at += 15
        assert scene.renew(rejected=new.access_token) != new

    def test_a_renewal_that_brings_the_rejected_token_again_is_no_renewal(self, scene: Scene) -> None:
        """What came is saved, since its refresh token may be the only one; the token is not handed out."""
        old = scene.log_in(age=HOUR)
        same = tokens(access_token=old.access_token)
        with pytest.raises(ProviderUnavailable, match="refused an access token that it issued 0 seconds ago"):
            scene.renew(rejected=old.access_token, post=scene.script(same))
        assert scene.stored.refresh_token == "refresh-2"

    def test_a_rejected_token_is_not_handed_out_when_renewing_fails(self, scene: Scene) -> None:
        old = scene.log_in(age=HOUR)
        with pytest.raises(ProviderUnavailable):
            scene.renew(rejected=old.access_token, post=scene.script(NOT_SENT))

    def test_an_old_report_costs_nothing(self, scene: Scene) -> None:
        """A token that is not the stored one any more was rejected rightly; the stored one is handed out."""
        old = scene.log_in(age=HOUR)
        assert scene.renew(rejected="long-gone") == old
        assert scene.sent == []


class TestMinValid:
    """“A token that was just renewed satisfies any caller.”"""

    def test_a_token_that_was_just_renewed_satisfies_any_caller(self, scene: Scene) -> None:
        """Where Withings grants less life than is asked for, asking again would never end."""
        scene.log_in()
        new = scene.renew(min_valid=9000, post=scene.script(tokens(expires_in=600)))
        scene.clock.at += 59
        assert scene.renew(min_valid=9000) == new
        scene.clock.at += 1
        with pytest.raises(StopIteration):  # Withings is asked, and the script has no more
            scene.renew(min_valid=9000, post=scene.script())

    def test_but_not_once_it_is_dead(self, scene: Scene) -> None:
        scene.log_in()
        scene.renew(post=scene.script(tokens(expires_in=5)))
        scene.clock.at += 5
        assert scene.renew(post=scene.script(tokens(access_token="access-3"))).access_token == "access-3"

    @pytest.mark.parametrize(("left", "renewed"), [(61, False), (60, False), (59, True), (0, True)])
    def test_the_least_life_is_exact(self, scene: Scene, left: int, renewed: bool) -> None:
        scene.log_in(age=LIFE - left)
        scene.renew(min_valid=60)
        assert (len(scene.sent) == 1) is renewed


class TestClock:
    """“Life left never exceeds life granted; a clock before `obtained_at` means expired.”"""

    def test_life_counts_from_the_moment_before_the_request(self, scene: Scene) -> None:
        """Statement 33: a slow answer does not make a token look younger than it is."""
        scene.log_in()
        asked = scene.clock()

        def slow(url: str, form: Mapping[str, str], **_: object) -> Outcome:
            outcome = scene.post(url, form)
            scene.clock.at += 15
            return outcome

        new = scene.renew(post=slow)
        assert (new.obtained_at, new.expires_at) == (asked, asked + LIFE)

    def test_a_clock_before_the_issue_means_expired(self, scene: Scene) -> None:
        """Statement 33: a clock that was set back does not give a dead token a second life."""
        old = scene.log_in(age=-HOUR)
        new = scene.renew()
        assert new != old
        assert new.obtained_at == scene.clock()
        assert scene.renew() == new

    def test_the_guard_holds_where_the_clock_was_set_back(self, scene: Scene) -> None:
        """An attempt in the future is waited out as if it had been made just now, and not for an hour."""
        scene.log_in(age=LIFE + HOUR)
        with pytest.raises(ProviderUnavailable):
            scene.renew(post=scene.script(LOST, LOST))
        scene.clock.at -= HOUR
        scene.clock.waits.clear()
        scene.renew(post=scene.script(tokens()))
        assert scene.clock.waited == 11

    def test_a_clock_far_ahead_costs_one_renewal(self, scene: Scene) -> None:
        scene.log_in(age=400 * 86_400)
        assert scene.renew(post=scene.script(tokens())).seconds_left(scene.clock()) == LIFE
        scene.renew(post=scene.script())


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
        assert "not known" not in str(error)

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
        with pytest.raises(ProviderUnavailable, match="not known"):
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
        assert "not known" not in str(caught.value)
        scene.renew()
        assert scene.clock.waited == 0


class TestTemporary:
    """“A temporary failure hands out the stored token while it has life, unless it is the rejected one.”"""

    TEMPORARY = (
        [NOT_SENT],
        [LOST, LOST],
        [LOST, NOT_SENT],
        [refusal(601, wait_seconds=60)],
        [refusal(601), refusal(601)],
        [refusal(522)],
        [Answer(http_status=500, body=b"")],
        [Answer(http_status=302, body=b"")],
        [Answer(http_status=200, body=b"<html>")],
        [Answer(http_status=429, body=b""), Answer(http_status=429, body=b"")],
    )

    @pytest.mark.parametrize("outcomes", TEMPORARY)
    def test_the_stored_token_is_handed_out_while_it_has_life(self, scene: Scene, outcomes: list[Outcome]) -> None:
        """Statement 31: transport errors, 5xx, HTML, 522, 601 are not a reason to fail who can be served."""
        old = scene.log_in(age=LIFE - 600)
        assert scene.renew(min_valid=900, post=scene.script(*outcomes)) == old

    @pytest.mark.parametrize("outcomes", TEMPORARY)
    def test_without_life_it_is_a_temporary_error(self, scene: Scene, outcomes: list[Outcome]) -> None:
        """Statement 31: exit 4, never “log in again”. Statement 30: nothing stored is touched."""
        old = scene.log_in()
        with pytest.raises(ProviderUnavailable) as caught:
            scene.renew(post=scene.script(*outcomes))
        assert (caught.value.exit_code, caught.value.temporary) == (4, True)
        assert scene.stored == old

    def test_a_token_that_died_while_waiting_is_not_handed_out(self, scene: Scene) -> None:
        scene.log_in(age=LIFE - 10)
        with pytest.raises(ProviderUnavailable):
            scene.renew(post=scene.script(LOST, LOST))


class TestRefusal:
    """“A definite refusal is `LoginRequired` with Withings' words. Neither deletes anything.”"""

    def test_a_definite_refusal_means_log_in_and_deletes_nothing(self, scene: Scene) -> None:
        """Statement 30: with Withings' words, and what was stored is still there."""
        old = scene.log_in()
        scene.sandbox.kill_refresh_token()
        with pytest.raises(LoginRequired, match="status 503: Invalid Params: invalid refresh_token") as caught:
            scene.renew()
        assert caught.value.hint == "log in: withings-auth login"
        assert scene.stored == old
        assert scene.store.load(app_name(old.client_id)) is not None

    def test_a_dead_refresh_token_is_told_even_while_the_access_token_lives(self, scene: Scene) -> None:
        scene.log_in(age=LIFE - 600)
        with pytest.raises(LoginRequired):
            scene.renew(min_valid=900, post=scene.script(refusal(503, "Invalid Params: invalid refresh_token")))

    def test_the_store_is_read_again_before_it_is_believed(self, scene: Scene) -> None:
        """Statement 31: a program that knows no lock may have saved a newer pair; that one is adopted."""
        old = scene.log_in()
        newer = replace(old, access_token="newer", refresh_token="newer", expires_at=int(scene.clock()) + LIFE)

        def overtaken(_url: str, _form: Mapping[str, str], **_: object) -> Outcome:
            save_record_without_lock(scene.store, token_name("default"), newer.written())
            return refusal(503, "Invalid Params: invalid refresh_token")

        assert scene.renew(post=overtaken) == newer

    @pytest.mark.parametrize(
        ("outcome", "error_class", "exit_code"),
        [
            (refusal(503, "Invalid Params: invalid client id/secret"), ConfigurationError, 2),
            (refusal(503, "Invalid Params: invalid grant_type"), ProviderError, 1),
            (refusal(2554, "Not implemented"), ProviderError, 1),
            (refusal(342, "wrong signature"), ProviderError, 1),
        ],
    )
    def test_another_refusal_is_what_it_is(
        self, scene: Scene, outcome: Answer, error_class: type[WithingsAuthError], exit_code: int
    ) -> None:
        """Statement 31: it does not send anybody to the browser, and leaves nothing unknown."""
        old = scene.log_in()
        with pytest.raises(error_class) as caught:
            scene.renew(post=scene.script(outcome))
        assert type(caught.value) is error_class
        assert caught.value.exit_code == exit_code
        assert "not known" not in str(caught.value)
        assert scene.stored == old

    def test_nobody_logged_in(self, scene: Scene) -> None:
        with pytest.raises(LoginRequired, match="nobody is logged in as profile default"):
            scene.renew()

    def test_logged_out_while_waiting_for_the_lock(self, scene: Scene) -> None:
        scene.log_in()
        clear_record(scene.store, token_name("default"))
        with pytest.raises(LoginRequired):
            scene.renew()
        assert scene.sent == []

    @pytest.mark.parametrize("age", [LIFE - 600, LIFE])
    def test_nothing_that_fails_deletes_or_overwrites(self, scene: Scene, age: int) -> None:
        """Statement 30: after every failure there is, all records are what they were, to the letter."""
        old = scene.log_in(age=age)
        names = scene.store.names()
        before = [scene.store.load(name) for name in names]
        for outcome in (
            *(LOST, NOT_SENT, refusal(503, "invalid refresh_token"), refusal(503, "invalid client id/secret")),
            *(refusal(601), refusal(522), refusal(2554), refusal(0), tokens(userid=666), tokens(expires_in="soon")),
            *(Answer(http_status=502, body=b""), Answer(http_status=200, body=b"<html>"), answer([])),
        ):
            with pytest.raises(WithingsAuthError):
                scene.renew(rejected=old.access_token, post=scene.script(outcome, outcome))
            scene.clock.at += 20
        assert scene.store.names() == names
        assert [scene.store.load(name) for name in names] == before


class TestReply:
    def test_tokens_of_another_person_are_not_saved(self, scene: Scene) -> None:
        old = scene.log_in()
        with pytest.raises(ProtocolViolation, match="tokens of user 666"):
            scene.renew(post=scene.script(tokens(userid=666)))
        assert scene.stored == old

    def test_what_the_reply_leaves_out_stays_as_it_was(self, scene: Scene) -> None:
        old = scene.log_in()
        new = scene.renew(post=scene.script(tokens(userid=None, scope=None, refresh_token=None)))
        assert (new.userid, new.scopes, new.refresh_token) == (old.userid, old.scopes, old.refresh_token)
        assert scene.stored == new

    def test_after_a_reply_without_a_refresh_token_nothing_is_unknown(self, scene: Scene) -> None:
        """The refresh token stays, and what was noted of it is settled by the tokens that were saved."""
        scene.log_in()
        new = scene.renew(post=scene.script(LOST, tokens(refresh_token=None)))
        scene.clock.at = new.expires_at
        with pytest.raises(ProviderUnavailable) as caught:
            scene.renew(post=scene.script(NOT_SENT))
        assert "not known" not in str(caught.value)

    def test_a_pair_that_has_grown_old_is_saved_and_renewed_in_turn(self, scene: Scene) -> None:
        """A repetition hours later may bring the pair of the first answer: its refresh token must not be lost."""
        scene.log_in()
        new = scene.renew(post=scene.script(tokens(expires_in=0), tokens(access_token="a3", refresh_token="r3")))
        assert [sent.form["refresh_token"] for sent in scene.sent][1:] == ["refresh-2"]
        assert scene.stored == new
        assert scene.clock.waited == 0

    def test_tokens_without_life_are_not_asked_for_without_end(self, scene: Scene) -> None:
        scene.log_in()
        with pytest.raises(ProtocolViolation, match="already expired"):
            scene.renew(post=scene.script(tokens(expires_in=0), tokens(expires_in=0, refresh_token="refresh-3")))
        assert scene.stored.refresh_token == "refresh-3"

    def test_fewer_scopes_are_what_is_stored(self, scene: Scene) -> None:
        scene.log_in()
        assert scene.renew(post=scene.script(tokens(scope="user.info"))).scopes == ("user.info",)

    @pytest.mark.parametrize("changes", [{"access_token": "a\nb"}, {"scope": "\x1b[2J"}, {"userid": "../x"}])
    def test_what_matches_no_alphabet_is_not_saved(self, scene: Scene, changes: dict[str, object]) -> None:
        """Statement 36: a reply that cannot be believed changes nothing, and the record stays readable."""
        old = scene.log_in()
        with pytest.raises(ProtocolViolation):
            scene.renew(post=scene.script(tokens(**changes)))
        assert scene.stored == old


class TestSave:
    """The save “is read back before it counts”; a pair that is not durable is not handed out."""

    @pytest.mark.parametrize("error", [StoreUnavailable("it is locked", hint="unlock it"), StoreNotDurable("it lies")])
    def test_a_failed_save_hands_out_nothing_and_says_until_when(
        self, scene: Scene, canaries: Canaries, error: StoreError
    ) -> None:
        """Statement 29: a pair that is not durable stays inside; the old one is repeated when the store is well."""
        old = scene.log_in()
        with pytest.raises(StoreNotDurable, match="renewed but could not be saved: it") as caught:
            scene.renew(store=Unsavable(scene.store, error))
        assert caught.value.exit_code == 5
        assert "before 2023-11-15 09:13" in caught.value.hint
        assert error.hint in caught.value.hint
        canaries.hear("the error", f"{caught.value} {caught.value.hint}")
        assert scene.stored == old
        assert scene.works(scene.renew())
        assert scene.nobody_was_hasty()

    def test_a_save_that_landed_all_the_same_is_adopted(self, scene: Scene) -> None:
        """A keyring that took too long has the new pair: the next one finds it and asks nobody."""
        scene.log_in()

        class Late(Wrapped):
            def save(self, held: HeldName, name: str, text: str) -> None:  # noqa: ARG002
                held.save(text)
                raise StoreUnavailable("it did not save a record within 10 seconds")

        with pytest.raises(StoreNotDurable):
            scene.renew(store=Late(scene.store))
        assert scene.works(scene.renew())
        assert scene.sandbox.counters.refreshes == 1

    def test_a_store_that_cannot_be_read_is_an_error_before_any_request(self, scene: Scene) -> None:
        scene.log_in()
        save_record(scene.store, token_name("default"), "{not ours")
        with pytest.raises(StoreError):
            scene.renew()
        assert scene.sent == []
        assert scene.store.load(token_name("default")) == "{not ours"


class TestSecret:
    """“A renewal uses the record's `client_id` and `token_url`”; the secret is the caller's, or the app record's."""

    def test_the_saved_app_is_enough(self, scene: Scene) -> None:
        """Other programs renew without the environment of the login."""
        scene.log_in()
        scene.renew()
        assert scene.sent[0].form["client_secret"] == scene.sandbox.client_secret

    def test_a_secret_that_the_caller_knows_comes_first(self, scene: Scene) -> None:
        """A secret that was made anew at the dashboard works once the environment has it."""
        scene.log_in()
        save_record(
            scene.store,
            app_name(scene.sandbox.client_id),
            App(client_id=scene.sandbox.client_id, client_secret="the-old-one").written(),
        )
        assert scene.works(scene.renew(secret_for=lambda _: scene.sandbox.client_secret))

    def test_no_secret_anywhere_is_an_error_before_any_request(self, scene: Scene) -> None:
        scene.log_in()
        clear_record(scene.store, app_name(scene.sandbox.client_id))
        with pytest.raises(ConfigurationError, match="secret") as caught:
            scene.renew()
        assert caught.value.exit_code == 2
        assert scene.sent == []

    def test_everything_goes_to_the_records_own_service_and_app(self, scene: Scene) -> None:
        """Statement 38: whatever the environment says, the record says where to and as whom."""
        old = scene.log_in()
        elsewhere = replace(old, token_url="http://127.0.0.1:1/v2/oauth2", client_id="another-app")
        scene.save(elsewhere)
        app = App(client_id="another-app", client_secret="its-secret")
        save_record(scene.store, app_name(app.client_id), app.written())
        scene.renew(post=scene.script(tokens()))
        (sent,) = scene.sent
        assert sent.url == "http://127.0.0.1:1/v2/oauth2"
        assert (sent.form["client_id"], sent.form["client_secret"]) == ("another-app", "its-secret")
