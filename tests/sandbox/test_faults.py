"""Faults happen when, where, as often and in the way that they were ordered."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any, get_args

import pytest

from tests.support.waiting import wait_until
from withings_auth.sandbox import HOSTILE_TEXT, FaultKind, FaultPlace

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.bench import Bench
    from tests.sandbox.servers import Caller

NOT_PERFORMED = (
    *("html", "bad_gateway", "redirect", "too_many", "timeout_status", "lost_before"),
    *("wrong_shape", "huge", "status", "hostile_text"),
)
PERFORMED = ("slow", "lost", "truncated")


def test_every_kind_is_listed_here() -> None:
    """A new kind of fault must say whether the service does its work before the fault."""
    assert {*NOT_PERFORMED, *PERFORMED} == set(get_args(FaultKind))


class TestBeforeAndAfter:
    @pytest.mark.parametrize("kind", NOT_PERFORMED)
    def test_nothing_has_happened(self, bench: Bench, kind: str) -> None:
        pair = bench.issue_pair()
        bench.withings.faults.order(kind)

        _refresh(bench, pair.refresh_token)

        assert bench.state.counters.refreshes == 0
        assert bench.refresh(pair.refresh_token)["status"] == 0  # not even the ten-second guard has noticed it

    @pytest.mark.parametrize("kind", PERFORMED)
    def test_it_has_happened(self, bench: Bench, kind: str) -> None:
        pair = bench.issue_pair()
        bench.withings.faults.order(kind)

        _refresh(bench, pair.refresh_token)

        assert bench.state.counters.refreshes == 1
        assert bench.refresh(pair.refresh_token)["status"] == 601

    @pytest.mark.parametrize("kind", ["bad_gateway", "html", "wrong_shape", "timeout_status"])
    def test_an_order_can_let_it_happen(self, bench: Bench, kind: str) -> None:
        pair = bench.issue_pair()
        bench.withings.faults.order(kind, performs=True)

        _refresh(bench, pair.refresh_token)

        assert bench.state.counters.refreshes == 1


class TestWhereAndHowOften:
    def test_as_often_as_ordered_and_in_that_order(self, bench: Bench) -> None:
        bench.withings.faults.order("bad_gateway", times=2)
        bench.withings.faults.order("html")

        statuses = [_refresh(bench, f"sandbox-{number}").http_status for number in range(4)]
        types = [_refresh(bench, "sandbox-x").media_type]

        assert statuses == [502, 502, 200, 200]
        assert types == ["application/json"]
        assert bench.state.counters.faults == 3
        assert [event.detail for event in bench.state.events if event.what == "fault"] == [
            "bad_gateway at /v2/oauth2",
            "bad_gateway at /v2/oauth2",
            "html at /v2/oauth2",
        ]

    @pytest.mark.parametrize(
        ("where", "path"),
        [
            ("authorize", "/oauth2_user/authorize2"),
            ("token", "/v2/oauth2"),
            ("signature", "/v2/signature"),
            ("measure", "/measure"),
            ("user", "/v2/user"),
            ("notify", "/notify"),
            ("api", "/notify"),
            ("any", "/v2/signature"),
        ],
    )
    def test_where_it_was_ordered(self, bench: Bench, where: str, path: str) -> None:
        bench.withings.faults.order("bad_gateway", where=where)

        elsewhere = {"token": "/measure", "any": "/"}.get(where, "/v2/oauth2")

        assert bench.request(elsewhere, method="GET").http_status != 502
        assert bench.request(elsewhere, form={}).http_status != 502
        assert bench.request(path, form={}).http_status == 502

    def test_orders_can_be_withdrawn(self, bench: Bench) -> None:
        bench.withings.faults.order("lost", times=5)
        bench.withings.faults.clear()

        assert bench.refresh("sandbox-none")["status"] == 503

    @pytest.mark.parametrize(
        ("order", "words"),
        [
            ({"kind": "fire"}, "there is no fault 'fire'; there are html"),
            ({"kind": "lost", "where": "moon"}, "there is no service 'moon'; there are authorize"),
            ({"kind": "lost", "times": 0}, "times must be 1 or more"),
            ({"kind": "lost", "times": True}, "times must be 1 or more"),
            ({"kind": "lost", "seconds": 3}, "fault lost has no detail 'seconds'; it has none"),
            ({"kind": "slow", "seconds": "long"}, "detail seconds of fault slow cannot be 'long'"),
            ({"kind": "slow", "seconds": -1}, "detail seconds of fault slow cannot be -1"),
            ({"kind": "slow", "performs": False}, "fault slow has no detail 'performs'"),
            ({"kind": "html", "performs": "later"}, "detail performs of fault html cannot be 'later'"),
            ({"kind": "status", "status": "503"}, "detail status"),
        ],
    )
    def test_an_order_without_a_meaning_is_refused(self, bench: Bench, order: dict[str, Any], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            bench.withings.faults.order(**order)
        assert bench.withings.faults.take(*get_args(FaultPlace)) is None


class TestOverASocket:
    """Each kind of fault as a client sees it."""

    def test_html(self, served: Caller) -> None:
        served.sandbox.fail_next("html")
        response, body = served.refresh("sandbox-none")

        assert (response.status, response.headers.get_content_type()) == (200, "text/html")
        assert body.startswith(b"<!doctype html>")

    def test_bad_gateway(self, served: Caller) -> None:
        served.sandbox.fail_next("bad_gateway", http_status=503)
        response, body = served.refresh("sandbox-none")

        assert (response.status, response.headers.get_content_type()) == (503, "text/html")
        assert b"Bad Gateway" in body

    def test_redirect(self, served: Caller) -> None:
        served.sandbox.fail_next("redirect")
        response, _ = served.refresh("sandbox-none")
        location = response.headers["Location"]

        assert response.status == 302
        assert served.request(location, method="GET")[0].headers.get_content_type() == "text/html"

    def test_too_many(self, served: Caller) -> None:
        served.sandbox.fail_next("too_many", wait_seconds=4)

        assert json.loads(served.refresh("sandbox-none")[1]) == {
            "status": 601,
            "body": {"wait_seconds": 4},
            "error": "Same arguments in less than 10 seconds",
        }

    def test_timeout_status(self, served: Caller) -> None:
        served.sandbox.fail_next("timeout_status")

        assert json.loads(served.refresh("sandbox-none")[1])["status"] == 522

    def test_slow(self, served: Caller) -> None:
        pair = served.sandbox.issue_pair()
        served.sandbox.fail_next("slow", seconds=60)

        with pytest.raises(TimeoutError):
            served.refresh(pair.refresh_token, timeout=0.3)
        wait_until(lambda: served.sandbox.counters.refreshes == 1)

    def test_slow_delivers_the_real_answer_in_the_end(self, served: Caller) -> None:
        served.sandbox.fail_next("slow", seconds=0.01)

        assert json.loads(served.refresh(served.sandbox.issue_pair().refresh_token)[1])["status"] == 0

    def test_lost(self, served: Caller) -> None:
        pair = served.sandbox.issue_pair()
        served.sandbox.fail_next("lost")

        with pytest.raises(http.client.RemoteDisconnected):
            served.refresh(pair.refresh_token)
        assert served.sandbox.counters.refreshes == 1
        # The pair in the lost answer exists, and the previous refresh token can still get another.
        assert pair.refresh_token in served.sandbox.live_refresh_tokens
        served.sandbox.advance(10)
        assert json.loads(served.refresh(pair.refresh_token)[1])["status"] == 0

    def test_lost_before(self, served: Caller) -> None:
        pair = served.sandbox.issue_pair()
        served.sandbox.fail_next("lost_before")

        with pytest.raises(http.client.RemoteDisconnected):
            served.refresh(pair.refresh_token)
        assert served.sandbox.counters.refreshes == 0

    def test_wrong_shape(self, served: Caller) -> None:
        served.sandbox.fail_next("wrong_shape")
        served.sandbox.fail_next("wrong_shape", json=["not", "an", "object"])

        assert json.loads(served.refresh("sandbox-none")[1])["body"]["access_token"] == 7
        assert json.loads(served.refresh("sandbox-none")[1]) == ["not", "an", "object"]

    def test_huge(self, served: Caller) -> None:
        served.sandbox.fail_next("huge")

        assert len(served.refresh("sandbox-none")[1]) > 1024 * 1024

    def test_status(self, served: Caller) -> None:
        served.sandbox.fail_next("status", status=3019, error="Something else")

        answer = json.loads(served.refresh("sandbox-none")[1])

        assert answer == {"status": 3019, "body": {}, "error": "Something else"}

    def test_truncated(self, served: Caller) -> None:
        served.sandbox.fail_next("truncated")

        with pytest.raises(http.client.IncompleteRead) as caught:
            served.refresh(served.sandbox.issue_pair().refresh_token)
        assert caught.value.partial.startswith(b'{"status": 0')

    def test_hostile_text(self, served: Caller) -> None:
        served.sandbox.fail_next("hostile_text")

        answer = json.loads(served.refresh("sandbox-none")[1])

        assert answer["error"] == HOSTILE_TEXT
        assert "\x1b" in HOSTILE_TEXT
        assert "\u202e" in HOSTILE_TEXT


class TestEndingTokens:
    """A test can end tokens before their time."""

    def test_an_access_token_expires(self, bench: Bench) -> None:
        one, other = bench.issue_pair(), bench.issue_pair()

        assert bench.withings.ledger.expire_access_token(one.access_token) == 1
        assert (bench.use(one.access_token), bench.use(other.access_token)) == (401, 0)
        assert bench.withings.ledger.expire_access_token() == 1
        assert bench.use(other.access_token) == 401
        assert bench.refresh(one.refresh_token)["status"] == 0

    def test_a_refresh_token_dies(self, bench: Bench) -> None:
        one, other = bench.issue_pair(), bench.issue_pair()

        assert bench.withings.ledger.kill_refresh_token(one.refresh_token) == 1
        assert bench.refresh(one.refresh_token)["status"] == 503
        assert bench.use(one.access_token) == 0
        assert bench.withings.ledger.kill_refresh_token() == 1
        assert bench.refresh(other.refresh_token)["status"] == 503

    def test_a_person_is_revoked(self, bench: Bench) -> None:
        first, second = (bench.issue_pair(person) for person in bench.state.people)

        assert bench.withings.ledger.revoke_person(first.userid) == 1
        assert bench.use(first.access_token) == 401
        assert bench.refresh(first.refresh_token)["status"] == 503
        assert bench.use(second.access_token) == 0
        assert bench.withings.ledger.revoke_person() == 1
        assert bench.use(second.access_token) == 401

    @pytest.mark.parametrize("end", ["expire_access_token", "kill_refresh_token"])
    def test_an_unknown_token_changes_nothing(self, bench: Bench, end: str) -> None:
        bench.issue_pair()
        command: Callable[[str], int] = getattr(bench.withings.ledger, end)

        assert command("sandbox-none") == 0


def _refresh(bench: Bench, refresh_token: str) -> Any:
    form = {"action": "requesttoken", "grant_type": "refresh_token", "refresh_token": refresh_token}
    app = {"client_id": "sandbox-app", "client_secret": "sandbox-app-secret"}
    return bench.request("/v2/oauth2", form={**form, **app})
