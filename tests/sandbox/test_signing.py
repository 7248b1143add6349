"""Signed calls need a fresh nonce and the right signature, as at Withings.

Each test quotes the fact that it holds the sandbox to: "documented" by Withings itself, or "seen" by somebody who
talked to the real service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.bench import read_body
from withings_auth.sandbox import PEOPLE

if TYPE_CHECKING:
    from tests.sandbox.bench import Bench
    from tests.sandbox.conftest import MakeBench

REDIRECT_URI = "http://localhost:8000"
MARIE, JONAS = (str(person.userid) for person in PEOPLE)


class TestSigning:
    def test_a_signed_exchange(self, bench: Bench) -> None:
        """Documented: nonce and signature instead of the client secret."""
        answer = bench.signed(
            "requesttoken", grant_type="authorization_code", code=bench.code(), redirect_uri=REDIRECT_URI
        )

        assert answer["status"] == 0

    def test_the_signature_is_hmac_sha256_over_the_values(self, bench: Bench) -> None:
        """Documented: hex HMAC-SHA256 over `action,client_id,timestamp` with the client secret as key.

        The digest was computed with `openssl dgst -sha256 -hmac`, not with the sandbox's own code.
        """
        digest = "b1bf6e3590da73a4e9a638b7bd93f13827f2e910b06e0a95db8d612e8e2c750f"

        assert bench.ask_nonce(timestamp="1700000000", signature=digest)["status"] == 0

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({"signature": "0" * 64}, 342),
            ({"signature": ""}, 342),
            ({"timestamp": "1700000001"}, 342),
            ({"timestamp": "now"}, 503),
            ({"client_id": "sandbox-other"}, 503),
            ({"action": "other"}, 2554),
        ],
    )
    def test_a_wrong_request_for_a_nonce_is_refused(self, bench: Bench, changes: dict[str, str], status: int) -> None:
        """Documented: 342 and 343 for a wrong signature or nonce."""
        assert bench.ask_nonce(**changes)["status"] == status

    def test_a_nonce_is_good_once(self, make_bench: MakeBench) -> None:
        """Documented: a nonce has one use."""
        bench = make_bench(revoke_open_to_free_apps=True)
        nonce = read_body(bench.ask_nonce())["nonce"]

        first = bench.signed("revoke", nonce=nonce, userid=MARIE)
        second = bench.signed("revoke", nonce=nonce, userid=JONAS)

        assert (first["status"], second["status"]) == (0, 343)

    def test_a_nonce_lives_thirty_minutes(self, make_bench: MakeBench) -> None:
        """Documented: a nonce lives 30 minutes."""
        for seconds, status in ((1799, 0), (1800, 343)):
            bench = make_bench(revoke_open_to_free_apps=True)
            nonce = read_body(bench.ask_nonce())["nonce"]
            bench.advance(seconds)

            assert bench.signed("revoke", nonce=nonce, userid=MARIE)["status"] == status

    def test_a_wrong_signature_does_not_spend_the_nonce(self, make_bench: MakeBench) -> None:
        """The sandbox's own rule: nobody can use up a nonce without knowing the secret."""
        bench = make_bench(revoke_open_to_free_apps=True)
        nonce = read_body(bench.ask_nonce())["nonce"]

        wrong = bench.signed("revoke", nonce=nonce, signature="0" * 64, userid=MARIE)
        right = bench.signed("revoke", nonce=nonce, userid=MARIE)

        assert (wrong["status"], right["status"]) == (342, 0)

    def test_a_wrong_client_is_refused_before_its_nonce(self, make_bench: MakeBench) -> None:
        """Documented: the client id is one of the signed values."""
        bench = make_bench(revoke_open_to_free_apps=True)

        assert bench.signed("revoke", client_id="sandbox-other", userid=MARIE)["status"] == 503


class TestRevoke:
    def test_it_ends_the_tokens_and_notifications_of_the_person(self, make_bench: MakeBench) -> None:
        """Documented: access and refresh tokens of that user become invalid, notifications are unsubscribed."""
        bench = make_bench(revoke_open_to_free_apps=True)
        gone, stays = bench.login(), bench.login(userid=PEOPLE[1].userid)
        for pair in (gone, stays):
            bench.data(
                "/notify", pair["access_token"], action="subscribe", callbackurl="https://app.example", appli="1"
            )

        answer = bench.signed("revoke", userid=MARIE)

        assert answer == {"status": 0, "body": {}}
        assert bench.use(gone["access_token"]) == 401
        assert bench.refresh(gone["refresh_token"])["status"] == 503
        assert bench.use(stays["access_token"]) == 0
        again = bench.login()
        listed = [bench.data("/notify", one["access_token"], action="list")["body"] for one in (again, stays)]
        assert [len(one["profiles"]) for one in listed] == [0, 1]

    @pytest.mark.parametrize("userid", ["", "1", "all", "²"])
    def test_it_needs_a_known_person(self, make_bench: MakeBench, userid: str) -> None:
        """Documented: 353 is an unknown userid."""
        bench = make_bench(revoke_open_to_free_apps=True)

        assert bench.signed("revoke", userid=userid)["status"] == 353
