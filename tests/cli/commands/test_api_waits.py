"""`withings-auth api` waits until Withings answers the same call again, and longer if it is asked to."""

from __future__ import annotations

import json
import signal

import pytest

from tests.support.logins import Desk

WEIGHTS = ("measure", "getmeas", "meastype=1", "startdate=0")
MORE = {"status": 0, "body": {"more": 1, "offset": 100}}


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.put_login()
    return desk


def too_soon(desk: Desk, seconds: int = 0, times: int = 1) -> None:
    """Withings refuses the next call, and asks to wait so long."""
    desk.sandbox.fail_next("too_many", where="measure", times=times, wait_seconds=seconds)


def test_the_same_call_twice(desk: Desk) -> None:
    """Both have the same answer; the sandbox refuses the second for about a second."""
    first = desk.run("api", *WEIGHTS)
    desk.sandbox.advance(9)
    second = desk.run("api", *WEIGHTS)
    assert (second.returncode, second.stderr) == (0, "")
    assert json.loads(second.stdout)["measuregrps"] == json.loads(first.stdout)["measuregrps"]


@pytest.mark.parametrize("form", [(), ("--raw",), ("--paginate",)])
def test_it_is_waited_out(desk: Desk, form: tuple[str, ...]) -> None:
    """In each form; --raw prints only the last answer. Not a word, because nobody watches."""
    too_soon(desk, 1)
    finished = desk.run("api", *WEIGHTS, *form)
    assert (finished.returncode, finished.stderr, desk.sandbox.counters.faults) == (0, "", 1)
    content = json.loads(finished.stdout)
    assert (content["body"] if form == ("--raw",) else content)["measuregrps"]
    assert finished.seconds > 1


def test_once_and_no_more(desk: Desk) -> None:
    too_soon(desk, times=2)
    assert desk.run("api", *WEIGHTS).returncode == 4


def test_between_pages_too(desk: Desk) -> None:
    desk.sandbox.fail_next("wrong_shape", where="measure", json=MORE)
    too_soon(desk)
    finished = desk.run("api", *WEIGHTS, "--paginate")
    assert (finished.returncode, desk.sandbox.counters.faults) == (0, 2)
    assert len(json.loads(finished.stdout)["measuregrps"]) > 150


def test_a_person_is_told(desk: Desk) -> None:
    too_soon(desk, 1)
    finished = desk.cli.on_terminal("api", *WEIGHTS, "--raw", env=desk.env).wait()
    assert finished.screen.startswith('Withings asks to wait 1 s; waiting.\n{\n  "status": 0')


def test_no_wait(desk: Desk) -> None:
    too_soon(desk)
    finished = desk.run("api", *WEIGHTS, "--no-wait", "--raw")
    assert (finished.returncode, json.loads(finished.stdout)["status"], desk.sandbox.counters.faults) == (4, 601, 1)


def test_any_temporary_failure_is_waited_out_if_asked(desk: Desk) -> None:
    """Without --wait, an outage is exit 4 at once: `test_api.py`. What is tried when: `test_retry.py`."""
    desk.sandbox.fail_next("bad_gateway", where="measure")
    program = desk.cli.on_terminal("api", "measure", "getmeas", "--wait", "600", "meastype=1", env=desk.env)
    program.screen.expect(r"Trying again for 600 seconds \(Ctrl-C stops\): Withings is not available")
    program.signal(signal.SIGINT)
    assert program.wait().returncode == 130


def test_what_takes_longer_is_not_begun(desk: Desk) -> None:
    too_soon(desk, 61)
    finished = desk.run("api", *WEIGHTS, "--wait", "60")
    assert (finished.returncode, desk.sandbox.counters.faults) == (4, 1)


def test_ctrl_c_ends_the_wait(desk: Desk) -> None:
    too_soon(desk, 12)
    program = desk.cli.on_terminal("api", *WEIGHTS, env=desk.env)
    program.screen.expect("Withings asks to wait 12 s; waiting.")
    program.signal(signal.SIGINT)
    finished = program.wait()
    assert finished.returncode == 130
    assert finished.screen.endswith("withings-auth: error: interrupted\n")
