"""The devices by which users recognise their account; nothing depends on them."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from tests.support.logins import Desk
from withings_auth.authorization.devices import describe_devices
from withings_auth.model import Grant
from withings_auth.provider.replies import Answer, AnswerLost, NotSent, Outcome

GRANT = Grant(
    access_token="a",
    refresh_token="r",
    expires_at=2,
    obtained_at=1,
    scopes=("user.info",),
    userid="1",
    client_id="c",
    token_url="https://wbsapi.withings.net/v2/oauth2",
)
DAY = 86_400


def told(outcome: Outcome, grant: Grant = GRANT) -> str | None:
    return describe_devices(grant, send=lambda *_, **__: outcome)


def devices(*listed: object) -> Answer:
    return Answer(http_status=200, body=json.dumps({"status": 0, "body": {"devices": listed}}).encode())


@pytest.mark.parametrize(("days", "said"), [(0.1, "today"), (1.5, "yesterday"), (3.5, "3 days ago"), (-1, "recently")])
def test_a_device_is_told_with_its_last_visit(days: float, said: str) -> None:
    """A scale that was stepped on today says more than a userid."""
    scale = {"type": "Scale", "model": "Body+", "last_session_date": int(time.time() - days * DAY)}
    assert told(devices(scale)) == f"This account has: Body+ scale, synced {said}."


def test_a_name_that_repeats_the_token_is_masked() -> None:
    """Statement 47: not even a device is called like the access token."""
    answer = replace(devices({"model": f"Body {'t' * 40}"}), sent=("t" * 40,))
    assert told(answer) == "This account has: Body ***."


def test_three_devices_are_enough() -> None:
    """A longer list would be harder to recognise."""
    line = told(devices(*({"model": f"M{number}"} for number in range(5))))
    assert line == "This account has: M0; M1; M2."


@pytest.mark.parametrize(
    "outcome",
    [
        NotSent(why=""),
        AnswerLost(why=""),
        Answer(http_status=502, body=b"{}"),
        Answer(http_status=200, body=b"<html>"),
        Answer(http_status=200, body=b"[" * 100_000),
        Answer(http_status=200, body=b'{"status": 401, "body": {}}'),
        Answer(http_status=200, body=b'{"status": 0, "body": []}'),
        devices(),
        devices(7, {"model": None}, None),
        Answer(http_status=200, body=b"{}", oversized=True),
    ],
    ids=repr,
)
def test_whatever_goes_wrong_nothing_is_told(outcome: Outcome) -> None:
    """It is only a courtesy: no answer, no line, no error."""
    assert told(outcome) is None


@pytest.mark.parametrize("synced", [10**400, -(10**300), "today", None, True])
def test_a_date_that_is_none_is_left_out(synced: object) -> None:
    """Whatever is in the date's place."""
    body = devices({"model": "Body+", "last_session_date": 0}).body.replace(b": 0}", b": " + _json(synced) + b"}")
    assert told(Answer(http_status=200, body=body)) in {"This account has: Body+.", None}


def _json(value: object) -> bytes:
    return json.dumps(value).encode() if not isinstance(value, int) else b"1" + b"0" * 400


def test_a_hostile_name_reaches_no_terminal() -> None:
    """Statement 35: a device's name is text from outside, escaped and cut."""
    line = told(devices({"model": "\x1b[2J" + "x" * 500, "type": "\x07"})) or ""
    assert line.isprintable()
    assert len(line) < 150


def test_without_the_scope_nothing_is_asked(desk: Desk) -> None:
    """Withings would refuse it."""
    finished = desk.log_in("--scope", "user.metrics")
    assert finished.returncode == 0
    assert desk.sandbox.counters.data_requests == 0


@pytest.mark.parametrize("fault", ["bad_gateway", "lost_before", "html"])
def test_its_failure_changes_nothing(desk: Desk, fault: str) -> None:
    """A login is done when it is saved."""
    desk.sandbox.fail_next(fault, where="api")  # type: ignore[arg-type]  # one of the sandbox's faults
    finished = desk.log_in()
    assert finished.returncode == 0
    assert "This account has" not in finished.stderr


def test_it_is_not_waited_for_longer_than_three_seconds(desk: Desk) -> None:
    """A slow answer does not delay the end of a login."""
    login = desk.start()
    desk.sandbox.fail_next("slow", where="api", seconds=100.0)
    login.allow()
    begun = time.monotonic()
    assert login.wait().returncode == 0
    assert time.monotonic() - begun < 60  # the answer would take 100
