"""Every unsettled question can be answered either way, and the default is the answer that is worse for a client."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from withings_auth.sandbox import PEOPLE, Switches

if TYPE_CHECKING:
    from tests.sandbox.bench import Bench
    from tests.sandbox.conftest import MakeBench

REDIRECT_URI = "http://localhost:8000"


def test_every_switch_is_tested_here() -> None:
    """A switch without a test in this module may have no effect."""
    tested = "\n".join(name for name in dir(TestBothWays) if name.startswith("test_"))

    missing = [field.name for field in fields(Switches) if f"test_{field.name}" not in tested]

    assert missing == []


class TestBothWays:
    def test_unknown_parameters_refused(self, make_bench: MakeBench) -> None:
        worse, kinder = make_bench(), make_bench(unknown_parameters_refused=False)

        assert b"unknown parameter code_challenge" in worse.authorize(code_challenge="x").body
        assert b"Share your Withings data?" in kinder.authorize(code_challenge="x").body

    def test_denial(self, make_bench: MakeBench) -> None:
        silent, complete, stateless = (
            make_bench(),
            make_bench(denial="with_state"),
            make_bench(denial="without_state"),
        )

        assert "Location" not in silent.consent(answer="deny").headers
        assert b"Access denied" in silent.consent(answer="deny").body
        assert _sent_back(complete) == {"error": ["access_denied"], "state": ["the state"]}
        assert _sent_back(stateless) == {"error": ["access_denied"]}
        assert silent.state.counters.denials == 2

    def test_denial_with_an_unregistered_redirect_uri_goes_nowhere(self, make_bench: MakeBench) -> None:
        bench = make_bench(denial="with_state")

        reply = bench.consent(answer="deny", redirect_uri="https://evil.example")

        assert "Location" not in reply.headers

    def test_redirect_uri_prefix_matches(self, make_bench: MakeBench) -> None:
        worse, kinder = make_bench(), make_bench(redirect_uri_prefix_matches=True)

        assert "Location" not in worse.consent(redirect_uri=f"{REDIRECT_URI}/callback").headers
        assert "Location" in kinder.consent(redirect_uri=f"{REDIRECT_URI}/callback").headers
        assert "Location" not in kinder.consent(redirect_uri="http://localhost:800").headers

    def test_second_consent(self, make_bench: MakeBench) -> None:
        alive_after = {}
        for answer in ("kills_at_consent", "kills_at_exchange", "kills_nothing"):
            bench = make_bench(second_consent=answer)
            first, other = bench.login(), bench.login(userid=PEOPLE[1].userid)
            code = bench.code()
            after_consent = bench.use(first["access_token"]) == 0
            bench.exchange(code)
            alive_after[answer] = (after_consent, bench.use(first["access_token"]) == 0)
            assert bench.use(other["access_token"]) == 0  # another person's login is unaffected

        assert alive_after == {
            "kills_at_consent": (False, False),
            "kills_at_exchange": (True, False),
            "kills_nothing": (True, True),
        }
        assert Switches().second_consent == "kills_at_consent"

    def test_access_token_survives_refresh(self, make_bench: MakeBench) -> None:
        for survives, status in ((False, 401), (True, 0)):
            bench = make_bench(access_token_survives_refresh=survives)
            first = bench.login()
            bench.refresh(first["refresh_token"])

            assert bench.use(first["access_token"]) == status
        assert Switches().access_token_survives_refresh is False

    def test_repeated_refresh_restarts_grace(self, make_bench: MakeBench) -> None:
        for restarts, status in ((False, 503), (True, 0)):
            bench = make_bench(repeated_refresh_restarts_grace=restarts)
            first = bench.login()
            bench.refresh(first["refresh_token"])
            bench.advance(7 * 3600)
            assert bench.refresh(first["refresh_token"])["status"] == 0
            bench.advance(3600)

            assert bench.refresh(first["refresh_token"])["status"] == status
        assert Switches().repeated_refresh_restarts_grace is False

    def test_repeated_refresh_returns_same_pair(self, make_bench: MakeBench) -> None:
        for same in (False, True):
            bench = make_bench(repeated_refresh_returns_same_pair=same)
            first = bench.login()
            answer = bench.refresh(first["refresh_token"])["body"]
            bench.advance(10)
            again = bench.refresh(first["refresh_token"])["body"]

            assert (again["access_token"] == answer["access_token"]) is same
            assert (again["refresh_token"] == answer["refresh_token"]) is same
            assert again["expires_in"] == (10790 if same else 10800)
        assert Switches().repeated_refresh_returns_same_pair is False

    def test_earlier_answer_dies_on_repeat(self, make_bench: MakeBench) -> None:
        for dies, status in ((True, 401), (False, 0)):
            bench = make_bench(earlier_answer_dies_on_repeat=dies)
            first = bench.login()
            lost = bench.refresh(first["refresh_token"])["body"]
            further = bench.refresh(lost["refresh_token"])["body"]
            bench.advance(10)
            kept = bench.refresh(first["refresh_token"])["body"]

            assert bench.use(further["access_token"]) == status
            assert bench.use(kept["access_token"]) == 0
        assert Switches().earlier_answer_dies_on_repeat is True

    def test_revoke_open_to_free_apps(self, make_bench: MakeBench) -> None:
        worse, kinder = make_bench(), make_bench(revoke_open_to_free_apps=True)

        assert worse.signed("revoke", userid=str(PEOPLE[0].userid))["status"] == 214
        assert kinder.signed("revoke", userid=str(PEOPLE[0].userid))["status"] == 0

    def test_same_arguments_refused(self, make_bench: MakeBench) -> None:
        for reach, data_status in (("everywhere", 601), ("token_service", 0)):
            bench = make_bench(same_arguments_refused=reach)
            pair = bench.login()
            bench.data("/v2/user", pair["access_token"], action="getdevice")
            bench.refresh("sandbox-none")

            assert bench.data("/v2/user", pair["access_token"], action="getdevice")["status"] == data_status
            assert bench.refresh("sandbox-none")["status"] == 601
        assert Switches().same_arguments_refused == "everywhere"

    def test_wait_seconds_told(self, make_bench: MakeBench) -> None:
        for told, body in ((True, {"wait_seconds": 10}), (False, {})):
            bench = make_bench(wait_seconds_told=told)
            bench.refresh("sandbox-none")

            assert bench.refresh("sandbox-none")["body"] == body

    def test_failures_carry_body(self, make_bench: MakeBench) -> None:
        worse, kinder = make_bench(failures_carry_body=False), make_bench()

        assert worse.refresh("sandbox-none").keys() == {"status", "error"}
        assert worse.refresh("sandbox-none")["body"] == {"wait_seconds": 10}  # a body with something in it stays
        assert kinder.refresh("sandbox-none").keys() == {"status", "body", "error"}


class TestTurning:
    def test_some_switches_can_be_turned(self) -> None:
        switches = Switches().turn(denial="with_state", unknown_parameters_refused=False)

        assert switches == Switches(denial="with_state", unknown_parameters_refused=False)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"deny": "with_state"}, "there is no switch 'deny'; there are unknown_parameters_refused, denial"),
            ({"denial": "politely"}, "denial is one of no_redirect, with_state, without_state"),
            ({"denial": ["with_state"]}, "denial is one of"),
            ({"wait_seconds_told": "yes"}, "wait_seconds_told is true or false"),
            ({"wait_seconds_told": 1}, "wait_seconds_told is true or false"),
        ],
    )
    def test_unknown_names_and_values_are_refused(self, changes: dict[str, object], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            Switches().turn(**changes)

    def test_switches_can_be_written_as_json(self) -> None:
        values = {field.name: getattr(Switches(), field.name) for field in fields(Switches)}

        assert Switches().turn(**json.loads(json.dumps(values))) == Switches()


def _sent_back(bench: Bench) -> dict[str, list[str]]:
    return parse_qs(urlsplit(bench.consent(answer="deny").headers["Location"]).query)
