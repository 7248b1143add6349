"""The token service exchanges a code as Withings does, and refuses in the same words.

Each test quotes the fact that it holds the sandbox to: "documented" by Withings itself, or "seen" by somebody who
talked to the real service.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.bench import read_refusal
from withings_auth.sandbox import PEOPLE

if TYPE_CHECKING:
    from tests.sandbox.bench import Bench

HOUR = 3600


class TestCodeExchange:
    def test_the_answer_has_the_documented_fields(self, bench: Bench) -> None:
        """Documented: `{"status": 0, "body": {userid, access_token, refresh_token, expires_in, scope, ...}}`."""
        answer = bench.exchange(bench.code())

        assert answer.keys() == {"status", "body"}
        assert answer["body"].keys() == {
            "userid",
            "access_token",
            "refresh_token",
            "expires_in",
            "scope",
            "token_type",
            "csrf_token",
        }
        assert answer["body"]["token_type"] == "Bearer"

    def test_the_userid_is_text(self, bench: Bench) -> None:
        """Seen: `userid` is a JSON string on the code exchange."""
        assert bench.login()["userid"] == str(PEOPLE[0].userid)

    def test_the_access_token_lives_three_hours(self, bench: Bench) -> None:
        """Documented: `expires_in` is 10800."""
        pair = bench.login()
        assert pair["expires_in"] == 10800

        bench.advance(3 * HOUR - 1)
        assert bench.use(pair["access_token"]) == 0
        bench.advance(1)
        assert bench.use(pair["access_token"]) == 401

    def test_scope_is_one_text_with_commas(self, bench: Bench) -> None:
        """Seen: `scope` is one comma-separated string."""
        assert bench.login()["scope"] == "user.info,user.metrics"

    def test_fewer_scopes_may_be_granted_than_were_requested(self, bench: Bench) -> None:
        """Seen: `scope` may be fewer than were requested."""
        bench.state.grantable_scopes = ("user.metrics",)

        assert bench.login()["scope"] == "user.metrics"

    def test_a_code_lives_thirty_seconds(self, bench: Bench) -> None:
        """Documented: the code is valid for 30 seconds."""
        young, old = bench.code(), bench.code()
        bench.advance(29)
        assert bench.exchange(young)["status"] == 0
        bench.advance(1)
        assert read_refusal(bench.exchange(old)) == (503, "Invalid Params: invalid code")

    def test_a_code_is_used_once(self, bench: Bench) -> None:
        """Documented: the code is single use."""
        code = bench.code()
        assert bench.exchange(code)["status"] == 0
        bench.advance(10)

        assert read_refusal(bench.exchange(code)) == (503, "Invalid Params: invalid code")

    def test_the_redirect_uri_must_be_the_one_of_authorize(self, bench: Bench) -> None:
        """Seen: 293 `Wrong redirect_uri - Please use same ...`, also for another registered address."""
        bench.state.register_redirect_uri("http://localhost:9000")
        code = bench.code()

        status, text = read_refusal(bench.exchange(code, redirect_uri="http://localhost:9000"))

        assert status == 293
        assert text.startswith("Wrong redirect_uri - Please use same ")
        assert bench.exchange(code)["status"] == 503  # the failed attempt has used it up


class TestRefusals:
    ROWS: tuple[tuple[str, dict[str, str], int, str], ...] = (
        ("an unknown code", {"code": "sandbox-none"}, 503, "Invalid Params: invalid code"),
        ("a wrong secret", {"client_secret": "sandbox-wrong"}, 503, "Invalid Params: invalid client id/secret"),
        ("an empty secret", {"client_secret": ""}, 503, "Invalid Params: invalid client id/secret"),
        ("a wrong client", {"client_id": "sandbox-other"}, 503, "Invalid Params: invalid client id/secret"),
        ("an unknown grant", {"grant_type": "password"}, 503, "Invalid Params: invalid grant_type"),
        ("an unknown action", {"action": "gettoken"}, 2554, "Not implemented"),
        ("no action", {"action": ""}, 2554, "Wrong action or wrong webservice"),
    )

    @pytest.mark.parametrize(("changes", "status", "text"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
    def test_the_token_service_refuses(self, bench: Bench, changes: dict[str, str], status: int, text: str) -> None:
        """Documented and seen: HTTP 200 with `{"status": N, "body": {}, "error": "text"}`."""
        answer = bench.exchange(bench.code(), **changes)

        assert answer == {"status": status, "body": {}, "error": text}

    def test_a_dead_refresh_token(self, bench: Bench) -> None:
        """Seen: 503 `Invalid Params: invalid refresh_token`."""
        assert read_refusal(bench.refresh("sandbox-none")) == (503, "Invalid Params: invalid refresh_token")

    def test_neither_secret_nor_signature(self, bench: Bench) -> None:
        """Documented: the client secret, or nonce and signature."""
        answer = bench.token(action="requesttoken", grant_type="refresh_token", client_id="sandbox-app")

        assert read_refusal(answer) == (503, "Invalid Params: invalid client id/secret")

    def test_the_body_must_be_a_form(self, bench: Bench) -> None:
        """Documented: the body is form-encoded."""
        reply = bench.request("/v2/oauth2", form='{"action": "requesttoken"}', **{"content-type": "application/json"})

        assert json.loads(reply.body)["status"] == 2554

    def test_the_query_is_not_read(self, bench: Bench) -> None:
        """Documented: POST with a form-encoded body; no source says that a query is read."""
        reply = bench.request("/v2/oauth2", query={"action": "requesttoken"}, form={})

        assert json.loads(reply.body)["status"] == 2554

    def test_a_repeated_parameter(self, bench: Bench) -> None:
        """Documented (RFC 6749, 3.2): parameters must not be included more than once."""
        reply = bench.request("/v2/oauth2", form="action=requesttoken&code=a&code=b")

        assert read_refusal(json.loads(reply.body)) == (503, "Invalid Params: invalid code")
