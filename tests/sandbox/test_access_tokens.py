"""The data services accept and refuse access tokens as Withings does.

Each test quotes the fact that it holds the sandbox to: "documented" by Withings itself, or "seen" by somebody who
talked to the real service.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.bench import read_refusal

if TYPE_CHECKING:
    from tests.sandbox.bench import Bench


class TestTokensOnDataCalls:
    DEAD = (401, "XRequestID: Not provided invalid_token: The access token provided is invalid")

    def test_the_token_may_be_in_the_header_the_form_or_the_query(self, bench: Bench) -> None:
        """Documented: `Authorization: Bearer`; old clients use the parameter `access_token`."""
        token = bench.login()["access_token"]
        places: list[dict[str, Any]] = [
            {"form": {"action": "list"}, "authorization": f"Bearer {token}"},
            {"form": {"action": "list", "appli": "1", "access_token": token}},
            {"query": {"action": "list", "appli": "2", "access_token": token}, "method": "GET"},
        ]

        for place in places:
            assert json.loads(bench.request("/notify", **place).body)["status"] == 0

    @pytest.mark.parametrize("header", ["", "Bearer ", "Bearer sandbox-none", "Basic abc"])
    def test_a_dead_token_is_a_401_within_http_200(self, bench: Bench, header: str) -> None:
        """Seen: status 401 with `... invalid_token: The access token provided is invalid`, HTTP 200."""
        reply = bench.request("/measure", form={"action": "getmeas"}, authorization=header)

        assert reply.http_status == 200
        assert read_refusal(json.loads(reply.body)) == self.DEAD

    def test_only_the_bearer_scheme_carries_a_token(self, bench: Bench) -> None:
        """Documented: `Authorization: Bearer <access token>`."""
        token = bench.login()["access_token"]

        reply = bench.request("/notify", form={"action": "list"}, authorization=f"Basic {token}")

        assert json.loads(reply.body)["status"] == 401

    def test_a_refresh_token_is_not_an_access_token(self, bench: Bench) -> None:
        """Documented: the access token is sent on data calls."""
        assert bench.use(bench.login()["refresh_token"]) == 401

    @pytest.mark.parametrize(
        ("scope", "path", "action"), [("user.info", "/measure", "getmeas"), ("user.metrics", "/v2/user", "getdevice")]
    )
    def test_a_missing_scope_is_refused(self, bench: Bench, scope: str, path: str, action: str) -> None:
        """Seen: a status of no family, with words of the standard for bearer tokens (RFC 6750)."""
        token = bench.login(scope=scope)["access_token"]

        answer = bench.data(path, token, action=action)
        assert answer["status"] == 403
        assert "Insufficient_scope" in str(answer["error"])

    @pytest.mark.parametrize("action", ["", "getsleep"])
    def test_an_unknown_action(self, bench: Bench, action: str) -> None:
        """Documented: 2554 is not implemented."""
        assert bench.data("/measure", bench.login()["access_token"], action=action)["status"] == 2554
