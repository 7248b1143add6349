"""Another process can move the sandbox, and no page in a browser can."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from withings_auth.sandbox.values import Request

if TYPE_CHECKING:
    from tests.sandbox.conftest import Bench


def _command(bench: Bench, name: str, **arguments: object) -> dict[str, Any]:
    reply = bench.request(f"/_sandbox/{name}", content=arguments)
    read: dict[str, Any] = json.loads(reply.body)
    assert reply.http_status == 200, read
    return read


def test_advance(bench: Bench) -> None:
    before = bench.world.clock.now()

    state = _command(bench, "advance", seconds=10800)["state"]

    assert state["offset_seconds"] == 10800
    assert bench.world.clock.now() == before + 10800


def test_fail_next_and_clear_faults(bench: Bench) -> None:
    state = _command(bench, "fail_next", kind="too_many", times=3, where="api", wait_seconds=2)["state"]
    assert state["faults"] == [
        {"kind": "too_many", "where": "api", "times": 3, "performs": False, "details": {"wait_seconds": 2}}
    ]

    assert _command(bench, "clear_faults")["state"]["faults"] == []


@pytest.mark.parametrize("command", ["expire_access_token", "kill_refresh_token", "revoke_person"])
def test_the_ends_of_tokens(bench: Bench, command: str) -> None:
    bench.provider.issue_pair()

    assert _command(bench, command)["result"] == 1


def test_one_token_by_name(bench: Bench) -> None:
    one, other = bench.provider.issue_pair(), bench.provider.issue_pair()

    assert _command(bench, "expire_access_token", access_token=one.access_token)["result"] == 1
    assert _command(bench, "kill_refresh_token", refresh_token=one.refresh_token)["result"] == 1
    assert _command(bench, "revoke_person", userid=other.userid)["result"] == 1


def test_switches(bench: Bench) -> None:
    state = _command(bench, "switches", denial="with_state", unknown_parameters_refused=False)["state"]

    assert (state["switches"]["denial"], state["switches"]["unknown_parameters_refused"]) == ("with_state", False)


def test_registration_and_grants(bench: Bench) -> None:
    _command(bench, "register_redirect_uri", uri="http://localhost:9999")
    _command(bench, "grant_at_most", scopes=["user.info"])

    assert bench.world.app.redirect_uris[-1] == "http://localhost:9999"
    assert bench.login()["scope"] == "user.info"


def test_the_state_tells_what_happened_and_no_secret(bench: Bench) -> None:
    """Security bar 23: the state and the events hold no code, token or secret."""
    pair = bench.login()
    bench.refresh(pair["refresh_token"])
    bench.refresh("sandbox-none")

    reply = bench.request("/_sandbox/state", method="GET")
    state = json.loads(reply.body)

    assert state["counters"]["exchanges"] == 1
    assert state["counters"]["refreshes"] == 1
    assert [event["what"] for event in state["events"]] == ["allow", "exchange", "refresh", "refusal"]
    assert state["people"][0]["name"] == "Marie Laurent"
    assert len(bench.world.secrets) > 5
    assert not [secret for secret in bench.world.secrets if secret.encode() in reply.body]


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("advance", {"seconds": "soon"}, "seconds cannot be"),
        ("advance", {"seconds": -5}, "advanced"),
        ("advance", {"seconds": True}, "seconds cannot be"),
        ("advance", {}, "seconds"),
        ("advance", {"seconds": 1, "unit": "h"}, "unit"),
        ("fail_next", {"kind": "fire"}, "no fault is called 'fire'"),
        ("fail_next", {"kind": "lost", "where": ["token"]}, "where cannot be"),
        ("fail_next", {"kind": ["lost"]}, "kind cannot be"),
        ("switches", {"deny": 1}, "no switch is called 'deny'"),
        ("grant_at_most", {"scopes": ["user.all"]}, "no such scope: user.all"),
        ("grant_at_most", {"scopes": 7}, "scopes"),
        ("register_redirect_uri", {"uri": "no address"}, "not an address"),
        ("register_redirect_uri", {"uri": 7}, "uri cannot be"),
        ("register_redirect_uri", {"uri": "http://localhost:port"}, "Port"),
        ("revoke_person", {"userid": ["all"]}, "userid"),
        ("expire_access_token", {"access_token": ["all"]}, "access_token"),
        ("kill_refresh_token", {"refresh_token": {}}, "refresh_token"),
    ],
)
def test_a_wrong_command_is_a_clear_400(bench: Bench, name: str, arguments: dict[str, object], words: str) -> None:
    reply = bench.request(f"/_sandbox/{name}", content=arguments)

    assert reply.http_status == 400
    assert words in json.loads(reply.body)["error"]


@pytest.mark.parametrize("body", [b"not json", b"[1]", b"7", b"\xff"])
def test_a_body_that_is_no_object(bench: Bench, body: bytes) -> None:
    headers = {"host": "127.0.0.1:8765", "content-type": "application/json"}
    request = Request(
        method="POST", path="/_sandbox/advance", origin="http://127.0.0.1:8765", body=body, headers=headers
    )

    assert bench.routes.answer(request).http_status == 400


def test_an_unknown_command(bench: Bench) -> None:
    reply = bench.request("/_sandbox/explode", content={})

    assert reply.http_status == 404
    assert "advance" in json.loads(reply.body)["error"]


def test_no_page_in_a_browser_can_give_commands(bench: Bench) -> None:
    """A foreign page can send forms and plain text without being asked, but not application/json."""
    for content_type in ("application/x-www-form-urlencoded", "text/plain", ""):
        headers: dict[str, Any] = {"content-type": content_type}
        assert bench.request("/_sandbox/advance", content={"seconds": 1}, **headers).http_status == 415
    preflight = bench.request("/_sandbox/advance", method="OPTIONS", origin="https://evil.example")
    assert preflight.http_status == 405
    assert not [name for name in preflight.headers if name.lower().startswith("access-control")]
    assert bench.world.clock.offset_seconds == 0


@pytest.mark.parametrize("host", ["evil.example:8765", "127.0.0.1", "127.0.0.1:80", "", "localhost:8765.evil.example"])
def test_no_foreign_name_leads_here(bench: Bench, host: str) -> None:
    """A name that was bent to the loopback address (DNS rebinding) gets nothing."""
    assert bench.request("/_sandbox/state", method="GET", host=host).http_status == 421
    assert bench.authorize().http_status == 200
