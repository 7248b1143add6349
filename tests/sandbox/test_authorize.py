"""The authorize page asks the user and sends the browser back as Withings does.

Each test quotes the fact that it holds the sandbox to: "documented" by Withings itself, or "seen" by somebody who
talked to the real service.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from withings_auth.sandbox import DEMO_PERSON, PEOPLE

if TYPE_CHECKING:
    from tests.sandbox.bench import Bench
    from tests.sandbox.conftest import MakeBench

HOUR = 3600
REDIRECT_URI = "http://localhost:8000"


class TestAuthorize:
    def test_success_goes_back_with_code_and_state(self, bench: Bench) -> None:
        """Documented: 302 to redirect_uri with `code` and `state`, the state unchanged."""
        reply = bench.consent(state="a state & more=ü")

        query = parse_qs(urlsplit(reply.headers["Location"]).query)
        assert reply.http_status == 302
        assert reply.headers["Location"].startswith(f"{REDIRECT_URI}?")
        assert query.keys() == {"code", "state"}
        assert query["state"] == ["a state & more=ü"]

    def test_code_and_state_come_in_either_order(self, bench: Bench) -> None:
        """Seen: `code` before `state`, and `state` before `code`."""
        orders = [
            [name for name, _ in parse_qsl(urlsplit(bench.consent().headers["Location"]).query)] for _ in range(2)
        ]

        assert sorted(orders) == [["code", "state"], ["state", "code"]]

    def test_the_code_is_forty_hex_digits(self, bench: Bench) -> None:
        """Seen: the code is 40 hex characters; here after the prefix `sandbox-`."""
        assert re.fullmatch(r"sandbox-[0-9a-f]{40}", bench.code())

    def test_a_redirect_uri_with_a_query_keeps_it(self, make_bench: MakeBench) -> None:
        """Documented: the registered address is used character for character."""
        uri = "http://localhost:8000/cb?app=1"
        bench = make_bench(redirect_uri=uri)

        assert bench.consent(redirect_uri=uri).headers["Location"].startswith(f"{uri}&")

    @pytest.mark.parametrize(
        "uri",
        [
            "http://localhost:8000/",
            "http://localhost:8001",
            "http://LOCALHOST:8000",
            "http://127.0.0.1:8000",
            "https://localhost:8000",
            "http://localhost:800",
            "",
            None,
        ],
    )
    def test_an_unregistered_redirect_uri_is_noticed_at_the_end(self, bench: Bench, uri: str | None) -> None:
        """Seen often: after Allow the browser shows the JSON complaint, and is not sent back."""
        ticket = bench.ticket(redirect_uri=uri)  # the consent page does not mind

        reply = bench.answer(ticket)

        assert "Location" not in reply.headers
        assert json.loads(reply.body) == {
            "errors": [
                {
                    "message": "redirect_uri_mismatch: The redirect URI provided is missing or does not match "
                    "partner callback url"
                }
            ]
        }

    def test_several_addresses_can_be_registered(self, bench: Bench) -> None:
        """Documented: several addresses may be registered."""
        bench.state.register_redirect_uri("http://127.0.0.1:9000/callback")

        assert bench.consent(redirect_uri="http://127.0.0.1:9000/callback").http_status == 302
        assert bench.consent(redirect_uri=REDIRECT_URI).http_status == 302

    @pytest.mark.parametrize("client_id", ["sandbox-other", "", None, "SANDBOX-APP"])
    def test_a_wrong_client_id_ends_on_a_bare_page(self, bench: Bench, client_id: str | None) -> None:
        """Seen: a wrong client id ends on a bare page "Invalid clientid"."""
        reply = bench.authorize(client_id=client_id)

        assert b"<body>Invalid clientid</body>" in reply.body

    @pytest.mark.parametrize(
        ("changes", "complaint"),
        [
            ({"response_type": "token"}, "unsupported_response_type"),
            ({"response_type": None}, "unsupported_response_type"),
            ({"scope": "user.info user.metrics"}, "invalid_scope"),
            ({"scope": "user.info,"}, "invalid_scope"),
            ({"scope": None}, "invalid_scope"),
            ({"state": None}, "invalid_request"),
            ({"mode": "live"}, "invalid_request"),
        ],
    )
    def test_other_parameters_are_refused(self, bench: Bench, changes: dict[str, str | None], complaint: str) -> None:
        """Documented: response_type `code`; scope names joined by commas; mode only `demo`."""
        reply = bench.authorize(**changes)

        assert json.loads(reply.body)["errors"][0]["message"].startswith(complaint)

    def test_a_repeated_parameter_is_refused(self, bench: Bench) -> None:
        """Documented (RFC 6749, 3.1): parameters must not be included more than once."""
        query = "response_type=code&client_id=sandbox-app&state=a&state=b&scope=user.info"

        reply = bench.request("/oauth2_user/authorize2", method="GET", query=query)

        assert b"state is repeated" in reply.body

    def test_the_scopes_are_shown_in_plain_words(self, bench: Bench) -> None:
        """Documented: four scopes; the user sees which ones the app asks for."""
        page = bench.authorize(scope="user.metrics,user.sleepevents").body.decode()

        assert "Your weight and body values" in page
        assert "Your sleep" in page
        assert "Your steps" not in page

    def test_an_account_holds_several_people(self, bench: Bench) -> None:
        """Documented: an account can hold several people, and the page asks which one."""
        page = bench.authorize().body.decode()

        assert all(person.name in page for person in PEOPLE)
        assert bench.login(userid=PEOPLE[1].userid)["userid"] == str(PEOPLE[1].userid)

    def test_the_demo_mode_is_the_demo_user(self, bench: Bench) -> None:
        """Documented: `mode=demo` gives the demo user."""
        page = bench.authorize(mode="demo").body.decode()

        assert PEOPLE[0].name not in page
        assert bench.login(userid=DEMO_PERSON.userid, mode="demo")["userid"] == str(DEMO_PERSON.userid)

    def test_the_demo_user_is_in_no_household(self, bench: Bench) -> None:
        """Documented: only `mode=demo` gives the demo user."""
        reply = bench.consent(userid=DEMO_PERSON.userid)

        assert "Location" not in reply.headers

    def test_a_consent_form_is_good_for_one_answer(self, bench: Bench) -> None:
        """The sandbox's own rule: only the page that was shown can answer for the user."""
        ticket = bench.ticket()

        assert bench.answer(ticket).http_status == 302
        assert "begin again" in bench.answer(ticket).body.decode()
        assert "begin again" in bench.answer("sandbox-guessed").body.decode()

    def test_a_consent_form_expires(self, bench: Bench) -> None:
        """The sandbox's own rule: an hour is enough to press a button."""
        ticket = bench.ticket()
        bench.advance(HOUR)

        assert "Location" not in bench.answer(ticket).headers

    def test_signing_in_as_somebody_else_returns_to_the_authorize_page(self, bench: Bench) -> None:
        """Documented: `/logout?r=` with the authorize URL."""
        address = "http://127.0.0.1:8765/oauth2_user/authorize2?client_id=x"

        reply = bench.request("/logout", method="GET", query={"r": address})

        assert reply.headers["Location"] == address

    @pytest.mark.parametrize(
        "address",
        [
            "https://evil.example/oauth2_user/authorize2",
            "http://127.0.0.1:8765@evil.example/oauth2_user/authorize2",
            "http://127.0.0.1:8765/other",
            "//evil.example",
            "",
        ],
    )
    def test_signing_out_leads_nowhere_else(self, bench: Bench, address: str) -> None:
        """The sandbox's own rule: it is not an open redirect."""
        assert "Location" not in bench.request("/logout", method="GET", query={"r": address}).headers
