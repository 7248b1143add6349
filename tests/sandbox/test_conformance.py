"""The provider does what Withings does: each test quotes the fact that it holds the provider to.

"Documented" is Withings' own documentation, "seen" a report by somebody who talked to the real service.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from withings_auth.sandbox.values import DEMO_PERSON, PEOPLE, Fields

if TYPE_CHECKING:
    from tests.sandbox.conftest import Bench, MakeBench

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
        """Seen: the code is 40 hex characters; here behind a prefix that says whose it is."""
        assert re.fullmatch(r"sandbox-[0-9a-f]{40}", bench.code())

    def test_a_redirect_uri_with_a_query_keeps_it(self, make_bench: MakeBench) -> None:
        """Documented: the registered address is used character for character."""
        uri = "http://localhost:8000/cb?app=1"
        bench = make_bench(app={"redirect_uris": (uri,)})

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
    def test_an_unregistered_redirect_uri_is_found_out_at_the_end(self, bench: Bench, uri: str | None) -> None:
        """Seen, many: after Allow the browser shows the JSON complaint, and is not sent back."""
        ticket = bench.ticket(redirect_uri=uri)  # the consent page comes as if nothing were wrong

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
        bench.provider.register_redirect_uri("http://127.0.0.1:9000/callback")

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
    def test_the_parameters_are_those_of_the_list(
        self, bench: Bench, changes: dict[str, str | None], complaint: str
    ) -> None:
        """Documented: response_type `code`; scope names joined by commas; mode only `demo`."""
        reply = bench.authorize(**changes)

        assert json.loads(reply.body)["errors"][0]["message"].startswith(complaint)

    def test_a_repeated_parameter_is_refused(self, bench: Bench) -> None:
        """Documented (RFC 6749, 3.1): parameters must not be included more than once."""
        query = "response_type=code&client_id=sandbox-app&state=a&state=b&scope=user.info"

        found = bench.provider.authorize_page.visit(Fields.parse(query))

        assert "state is repeated" in repr(found)

    def test_the_scopes_are_shown_in_plain_words(self, bench: Bench) -> None:
        """Documented: four scopes; the person sees which of them the app wants."""
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
        """The sandbox's own: nobody but the page that was shown can answer for the person."""
        ticket = bench.ticket()

        assert bench.answer(ticket).http_status == 302
        assert "begin again" in bench.answer(ticket).body.decode()
        assert "begin again" in bench.answer("sandbox-guessed").body.decode()

    def test_a_consent_form_grows_old(self, bench: Bench) -> None:
        """The sandbox's own: an hour is enough to press a button."""
        ticket = bench.ticket()
        bench.advance(HOUR)

        assert "Location" not in bench.answer(ticket).headers

    def test_a_restricted_app_has_ten_linked_people(self, make_bench: MakeBench) -> None:
        """Documented: apps with local addresses run in restricted mode, with at most 10 linked users."""
        for production, may in ((False, False), (True, True)):
            bench = make_bench(app={"production": production, "redirect_uris": ("https://app.example/cb",)})
            for number in range(10):
                bench.provider.ledger.issue(number, ("user.info",))

            reply = bench.consent(redirect_uri="https://app.example/cb")

            assert ("Location" in reply.headers) == may

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
    def test_signing_out_goes_nowhere_else(self, bench: Bench, address: str) -> None:
        """The sandbox's own: it is no open redirect."""
        assert "Location" not in bench.request("/logout", method="GET", query={"r": address}).headers


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

    def test_fewer_scopes_may_be_granted_than_asked(self, bench: Bench) -> None:
        """Seen: `scope` may be fewer than asked."""
        bench.provider.grant_at_most(["user.metrics"])

        assert bench.login()["scope"] == "user.metrics"

    def test_a_code_lives_thirty_seconds(self, bench: Bench) -> None:
        """Documented: the code is valid for 30 seconds."""
        young, old = bench.code(), bench.code()
        bench.advance(29)
        assert bench.exchange(young)["status"] == 0
        bench.advance(1)
        assert _refusal(bench.exchange(old)) == (503, "Invalid Params: invalid code")

    def test_a_code_is_used_once(self, bench: Bench) -> None:
        """Documented: the code is single use."""
        code = bench.code()
        assert bench.exchange(code)["status"] == 0
        bench.advance(10)

        assert _refusal(bench.exchange(code)) == (503, "Invalid Params: invalid code")

    def test_the_redirect_uri_must_be_the_one_of_authorize(self, bench: Bench) -> None:
        """Seen: 293 `Wrong redirect_uri - Please use same ...`, also for another registered address."""
        bench.provider.register_redirect_uri("http://localhost:9000")
        code = bench.code()

        status, text = _refusal(bench.exchange(code, redirect_uri="http://localhost:9000"))

        assert status == 293
        assert text.startswith("Wrong redirect_uri - Please use same ")
        assert bench.exchange(code)["status"] == 503  # the attempt has used it up


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
        assert _refusal(bench.refresh("sandbox-none")) == (503, "Invalid Params: invalid refresh_token")

    def test_neither_secret_nor_signature(self, bench: Bench) -> None:
        """Documented: the client secret, or nonce and signature."""
        answer = bench.token(action="requesttoken", grant_type="refresh_token", client_id="sandbox-app")

        assert _refusal(answer) == (503, "Invalid Params: invalid client id/secret")

    def test_only_a_form_is_read(self, bench: Bench) -> None:
        """Documented: the body is form-encoded."""
        reply = bench.request("/v2/oauth2", content={"action": "requesttoken"})

        assert json.loads(reply.body)["status"] == 2554

    def test_the_parameters_stand_in_the_body(self, bench: Bench) -> None:
        """Documented: POST with a form-encoded body; nothing says that a query is read."""
        reply = bench.request("/v2/oauth2", query={"action": "requesttoken"}, form={})

        assert json.loads(reply.body)["status"] == 2554

    def test_a_repeated_parameter(self, bench: Bench) -> None:
        """Documented (RFC 6749, 3.2): parameters must not be included more than once."""
        with pytest.raises(Exception, match="invalid code"):
            bench.provider.tokens.answer(Fields.parse("action=requesttoken&code=a&code=b"))


class TestDuplicates:
    def test_the_same_refresh_within_ten_seconds(self, bench: Bench) -> None:
        """Seen: 601 `Same arguments in less than 10 seconds`, and the body may hold `wait_seconds`."""
        token = bench.login()["refresh_token"]
        bench.refresh(token)
        bench.advance(3)

        answer = bench.refresh(token)

        assert _refusal(answer) == (601, "Same arguments in less than 10 seconds")
        assert answer["body"] == {"wait_seconds": 7}

    def test_nothing_happens_before_the_refusal(self, bench: Bench) -> None:
        """Seen: the 601 comes before anything happens."""
        first = bench.login()
        second = body = bench.refresh(first["refresh_token"])["body"]
        bench.refresh(first["refresh_token"])

        assert bench.world.counters.refreshes == 1
        assert bench.refresh(second["refresh_token"])["status"] == 0
        assert body["access_token"] != first["access_token"]

    def test_it_is_over_after_ten_seconds(self, bench: Bench) -> None:
        """Seen: less than 10 seconds; a refused repetition does not begin the ten seconds anew."""
        token = bench.login()["refresh_token"]
        bench.refresh(token)
        bench.advance(9.5)
        assert bench.refresh(token)["status"] == 601
        bench.advance(0.5)
        assert bench.refresh(token)["status"] == 0

    def test_a_failing_call_counts_too(self, bench: Bench) -> None:
        """Seen: the same doomed refresh again gives 601, no longer 503."""
        assert bench.refresh("sandbox-none")["status"] == 503
        assert bench.refresh("sandbox-none")["status"] == 601

    def test_other_arguments_are_another_request(self, bench: Bench) -> None:
        """Seen: successors may follow at once."""
        pair = bench.login()
        for _ in range(5):
            pair = bench.refresh(pair["refresh_token"])["body"]

    def test_it_hits_data_calls_too(self, bench: Bench) -> None:
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
        """Seen: `userid` is a number on refresh, and no `csrf_token` comes."""
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

    def test_a_refused_call_is_no_use(self, bench: Bench) -> None:
        """Documented: used means accepted; a call with another, dead token ends nothing."""
        first = bench.login()
        bench.refresh(first["refresh_token"])
        bench.advance(10)
        bench.use(first["access_token"])

        assert bench.refresh(first["refresh_token"])["status"] == 0

    def test_a_lost_refresh_token_needs_a_new_login(self, bench: Bench) -> None:
        """Documented: a lost refresh token is not recovered; a new login helps."""
        bench.provider.kill_refresh_token()

        assert bench.refresh(bench.login()["refresh_token"])["status"] == 0


class TestOldEndpoint:
    def test_closed_it_leads_to_a_website(self, bench: Bench) -> None:
        """Seen: 302 to the developer site: HTML with HTTP 200 for a client that follows redirects."""
        reply = bench.request("/oauth2/token", form={"grant_type": "refresh_token"})
        page = bench.request(urlsplit(reply.headers["Location"]).path, method="GET")

        assert (reply.http_status, page.http_status, page.media_type) == (302, 200, "text/html")

    def test_open_it_answers_flat(self, make_bench: MakeBench) -> None:
        """Seen in old scripts: flat RFC 6749 JSON, no action and no envelope."""
        bench = make_bench(old_token_endpoint_open=True)

        answer = _flat(bench, grant_type="authorization_code", code=bench.code(), redirect_uri=REDIRECT_URI)
        again = _flat(bench, grant_type="refresh_token", refresh_token=answer["refresh_token"])

        assert "status" not in answer
        assert again["access_token"] != answer["access_token"]

    def test_open_it_complains_in_its_own_shape(self, make_bench: MakeBench) -> None:
        """Seen: errors as `{"errors": [{"message": ...}]}`."""
        bench = make_bench(old_token_endpoint_open=True)

        answer = _flat(bench, grant_type="refresh_token", refresh_token="sandbox-none")

        assert answer == {"errors": [{"message": "Invalid Params: invalid refresh_token"}]}


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
    def test_a_wrong_request_for_a_nonce(self, bench: Bench, changes: dict[str, str], status: int) -> None:
        """Documented: 342 and 343 for a wrong signature or nonce."""
        assert bench.ask_nonce(**changes)["status"] == status

    def test_a_nonce_is_good_once(self, make_bench: MakeBench) -> None:
        """Documented: a nonce has one use."""
        bench = make_bench(app={"contract": True})
        nonce = bench.ask_nonce()["body"]["nonce"]

        first = bench.signed("getdemoaccess", nonce=nonce, scope_oauth2="user.info")
        second = bench.signed("getdemoaccess", nonce=nonce, scope_oauth2="user.metrics")

        assert (first["status"], second["status"]) == (0, 343)

    def test_a_nonce_lives_thirty_minutes(self, make_bench: MakeBench) -> None:
        """Documented: a nonce lives 30 minutes."""
        for seconds, status in ((1799, 0), (1800, 343)):
            bench = make_bench(app={"contract": True})
            nonce = bench.ask_nonce()["body"]["nonce"]
            bench.advance(seconds)

            assert bench.signed("getdemoaccess", nonce=nonce, scope_oauth2="user.info")["status"] == status

    def test_a_wrong_signature_does_not_spend_the_nonce(self, make_bench: MakeBench) -> None:
        """The sandbox's own: who does not know the secret cannot use up somebody else's nonce."""
        bench = make_bench(app={"contract": True})
        nonce = bench.ask_nonce()["body"]["nonce"]

        wrong = bench.signed("getdemoaccess", nonce=nonce, signature="0" * 64, scope_oauth2="user.info")
        right = bench.signed("getdemoaccess", nonce=nonce, scope_oauth2="user.info")

        assert (wrong["status"], right["status"]) == (342, 0)


class TestOtherSignedServices:
    def test_revoke_ends_the_tokens_and_notifications_of_the_person(self, make_bench: MakeBench) -> None:
        """Documented: access and refresh tokens of that user become invalid, notifications are unsubscribed."""
        bench = make_bench(app={"contract": True})
        gone, stays = bench.login(), bench.login(userid=PEOPLE[1].userid)
        for pair in (gone, stays):
            bench.data(
                "/notify", pair["access_token"], action="subscribe", callbackurl="https://app.example", appli="1"
            )

        answer = bench.signed("revoke", userid=str(PEOPLE[0].userid))

        assert answer == {"status": 0, "body": {}}
        assert bench.use(gone["access_token"]) == 401
        assert bench.refresh(gone["refresh_token"])["status"] == 503
        assert bench.use(stays["access_token"]) == 0
        again = bench.login()
        listed = [bench.data("/notify", one["access_token"], action="list")["body"] for one in (again, stays)]
        assert [len(one["profiles"]) for one in listed] == [0, 1]

    @pytest.mark.parametrize("userid", ["", "1", "all", "²"])
    def test_revoke_needs_a_known_person(self, make_bench: MakeBench, userid: str) -> None:
        """Documented: 353 is an unknown userid."""
        bench = make_bench(app={"contract": True})

        assert bench.signed("revoke", userid=userid)["status"] == 353

    def test_demo_access_names_no_userid(self, make_bench: MakeBench) -> None:
        """Documented: demo tokens without a browser, no userid in the reply."""
        bench = make_bench(app={"contract": True})

        pair = bench.signed("getdemoaccess", scope_oauth2="user.info,user.metrics")["body"]

        assert "userid" not in pair
        assert bench.use(pair["access_token"]) == 0
        assert bench.refresh(pair["refresh_token"])["status"] == 0

    @pytest.mark.parametrize("scopes", ["", "user.everything"])
    def test_demo_access_needs_known_scopes(self, make_bench: MakeBench, scopes: str) -> None:
        """Documented: `scope_oauth2` is required."""
        bench = make_bench(app={"contract": True})

        assert bench.signed("getdemoaccess", scope_oauth2=scopes)["status"] == 503


class TestTokensOnDataCalls:
    DEAD = (401, "XRequestID: Not provided invalid_token: The access token provided is invalid")

    def test_the_token_may_stand_in_the_header_the_form_or_the_query(self, bench: Bench) -> None:
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
        assert _refusal(json.loads(reply.body)) == self.DEAD

    def test_only_the_bearer_scheme_carries_a_token(self, bench: Bench) -> None:
        """Documented: `Authorization: Bearer <access token>`."""
        token = bench.login()["access_token"]

        reply = bench.request("/notify", form={"action": "list"}, authorization=f"Basic {token}")

        assert json.loads(reply.body)["status"] == 401

    def test_a_refresh_token_is_no_access_token(self, bench: Bench) -> None:
        """Documented: the access token is sent on data calls."""
        assert bench.use(bench.login()["refresh_token"]) == 401

    @pytest.mark.parametrize(
        ("scope", "path", "action"), [("user.info", "/measure", "getmeas"), ("user.metrics", "/v2/user", "getdevice")]
    )
    def test_a_missing_scope_is_unauthorized(self, bench: Bench, scope: str, path: str, action: str) -> None:
        """Documented: the family "unauthorized" is 214, 277, 2553, 2555."""
        token = bench.login(scope=scope)["access_token"]

        assert bench.data(path, token, action=action)["status"] in {214, 277, 2553, 2555}

    @pytest.mark.parametrize("action", ["", "getsleep"])
    def test_an_unknown_action(self, bench: Bench, action: str) -> None:
        """Documented: 2554 is not implemented."""
        assert bench.data("/measure", bench.login()["access_token"], action=action)["status"] == 2554


def _refusal(answer: dict[str, Any]) -> tuple[int, str]:
    return answer["status"], answer["error"]


def _flat(bench: Bench, **form: str) -> dict[str, Any]:
    app = {"client_id": "sandbox-app", "client_secret": "sandbox-app-secret"}
    read: dict[str, Any] = json.loads(bench.request("/oauth2/token", form={**app, **form}).body)
    return read
