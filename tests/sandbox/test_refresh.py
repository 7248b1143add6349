"""The token service refreshes as Withings does, and refuses requests that come too often.

Each test quotes the fact that it holds the sandbox to: "documented" by Withings itself, or "seen" by somebody who
talked to the real service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sandbox.bench import read_refusal
from withings_auth.sandbox import PEOPLE

if TYPE_CHECKING:
    from tests.sandbox.bench import Bench

HOUR = 3600


class TestRefresh:
    def test_it_gives_a_new_pair(self, bench: Bench) -> None:
        """Documented: every refresh returns a new refresh token."""
        first = bench.login()
        second = bench.refresh(first["refresh_token"])["body"]

        assert second["refresh_token"] != first["refresh_token"]
        assert second["access_token"] != first["access_token"]
        assert second["expires_in"] == 10800
        assert second["scope"] == first["scope"]
        assert bench.use(second["access_token"]) == 0

    def test_the_userid_is_a_number(self, bench: Bench) -> None:
        """Seen: `userid` is a number on refresh, and there is no `csrf_token`."""
        second = bench.refresh(bench.login()["refresh_token"])["body"]

        assert second["userid"] == PEOPLE[0].userid
        assert "csrf_token" not in second

    def test_refreshing_early_works(self, bench: Bench) -> None:
        """Seen: refreshing early works."""
        pair = bench.login()

        assert bench.refresh(pair["refresh_token"])["status"] == 0

    def test_the_refresh_token_lives_one_year(self, bench: Bench) -> None:
        """Documented: refresh token 1 year."""
        kept, late = bench.login(), bench.login(userid=PEOPLE[1].userid)
        bench.advance(365 * 24 * HOUR - 1)
        assert bench.refresh(kept["refresh_token"])["status"] == 0
        bench.advance(1)
        assert bench.refresh(late["refresh_token"])["status"] == 503

    def test_the_previous_refresh_token_lives_eight_hours_more(self, bench: Bench) -> None:
        """Documented: the previous refresh token dies 8 hours after the new issue ..."""
        for hours, status in ((8 * HOUR - 1, 0), (8 * HOUR, 503)):
            bench.advance(60)
            first = bench.login()
            bench.refresh(first["refresh_token"])
            bench.advance(hours)

            assert bench.refresh(first["refresh_token"])["status"] == status

    def test_the_previous_refresh_token_dies_on_first_use(self, bench: Bench) -> None:
        """Documented: ... or as soon as the new access token is first used, whichever comes first."""
        first = bench.login()
        second = bench.refresh(first["refresh_token"])["body"]
        bench.advance(10)
        bench.use(second["access_token"])

        assert bench.refresh(first["refresh_token"])["status"] == 503
        assert bench.refresh(second["refresh_token"])["status"] == 0

    def test_a_refused_call_does_not_count_as_use(self, bench: Bench) -> None:
        """Documented: used means accepted; a call with another, dead token kills nothing."""
        first = bench.login()
        bench.refresh(first["refresh_token"])
        bench.advance(10)
        bench.use(first["access_token"])

        assert bench.refresh(first["refresh_token"])["status"] == 0

    def test_a_lost_refresh_token_needs_a_new_login(self, bench: Bench) -> None:
        """Documented: a lost refresh token is not recovered; a new login helps."""
        bench.withings.ledger.kill_refresh_token()

        assert bench.refresh(bench.login()["refresh_token"])["status"] == 0


class TestTooOften:
    def test_the_same_refresh_within_ten_seconds(self, bench: Bench) -> None:
        """Seen: 601 `Same arguments in less than 10 seconds`, and the body may hold `wait_seconds`."""
        token = bench.login()["refresh_token"]
        bench.refresh(token)
        bench.advance(3)

        answer = bench.refresh(token)

        assert read_refusal(answer) == (601, "Same arguments in less than 10 seconds")
        assert answer["body"] == {"wait_seconds": 7}

    def test_nothing_happens_before_theread_refusal(self, bench: Bench) -> None:
        """Seen: a 601 comes before anything happens."""
        first = bench.login()
        second = body = bench.refresh(first["refresh_token"])["body"]
        bench.refresh(first["refresh_token"])

        assert bench.state.counters.refreshes == 1
        assert bench.refresh(second["refresh_token"])["status"] == 0
        assert body["access_token"] != first["access_token"]

    def test_it_ends_after_ten_seconds(self, bench: Bench) -> None:
        """Seen: less than 10 seconds; a refused repetition does not start the ten seconds again."""
        token = bench.login()["refresh_token"]
        bench.refresh(token)
        bench.advance(9.5)
        assert bench.refresh(token)["status"] == 601
        bench.advance(0.5)
        assert bench.refresh(token)["status"] == 0

    def test_a_failed_call_counts_too(self, bench: Bench) -> None:
        """Seen: the same doomed refresh again gives 601, no longer 503."""
        assert bench.refresh("sandbox-none")["status"] == 503
        assert bench.refresh("sandbox-none")["status"] == 601

    def test_other_arguments_are_another_request(self, bench: Bench) -> None:
        """Seen: successors may follow at once."""
        pair = bench.login()
        for _ in range(5):
            pair = bench.refresh(pair["refresh_token"])["body"]

    def test_it_applies_to_data_calls_too(self, bench: Bench) -> None:
        """Seen: the same data call within ten seconds."""
        token = bench.login()["access_token"]

        assert bench.data("/v2/user", token, action="getdevice")["status"] == 0
        assert bench.data("/v2/user", token, action="getdevice")["status"] == 601

    def test_120_requests_a_minute(self, bench: Bench) -> None:
        """Documented: 120 requests a minute per application, then 601."""
        token = bench.login()["access_token"]  # one request

        statuses = [bench.use(token) for _ in range(120)]
        bench.advance(60)

        assert statuses == [0] * 119 + [601]
        assert bench.use(token) == 0
