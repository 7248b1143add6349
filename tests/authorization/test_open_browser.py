"""The browser of a login: what it is given, and what the user is told if it fails or does not come."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.logins import Desk
from tests.support.visitor import VISITOR, visit


def test_a_browser_that_ends_with_an_error_is_noticed(desk: Desk) -> None:
    """Statement 21: the user gets the address as soon as the browser has failed, and its output reaches neither of
    our streams."""
    program = desk.cli.start("login", env={**desk.env, "BROWSER": "sh -c 'echo noise; echo noise >&2; exit 3' sh %s"})
    program.stderr.expect("The browser ended with an error.")
    visit(program.stderr.line(r"^http\S+"))
    finished = program.wait()
    assert finished.returncode == 0
    assert "noise" not in finished.stdout + finished.stderr


@pytest.mark.parametrize("browser", ["/nowhere/browser", "no-such-browser %s &", "'unbalanced"])
def test_a_browser_that_does_not_start_is_noticed(desk: Desk, browser: str) -> None:
    """A named browser is tried, and if it cannot be started the address is printed at once."""
    program = desk.cli.start("login", "--browser", browser, env=desk.env)
    program.stderr.expect("No browser was opened")
    visit(program.stderr.line(r"^http\S+"))
    assert program.wait().returncode == 0


def test_without_a_display_no_browser_is_tried(desk: Desk) -> None:
    """On a machine without a screen the address is printed with the reason."""
    program = desk.cli.start("login", env=desk.env)
    program.stderr.expect(r"No browser was opened \((there is no display|this is a container)\)")
    visit(program.stderr.line(r"^http\S+"))
    assert program.wait().returncode == 0


def test_the_browser_is_given_no_secret(desk: Desk, home: Path) -> None:
    """Statements 20 and 25: neither `state` nor the client secret reach the browser's arguments or environment."""
    seen = home / "seen"
    spy = f"sh -c 'echo $0 $@ > {seen}; env >> {seen}; exec {VISITOR} $1' sh %s"
    finished = desk.run("login", BROWSER=spy)
    assert finished.returncode == 0
    text = seen.read_text()
    assert f"http://localhost:{desk.port}/start/" in text
    assert "state=" not in text
    assert desk.sandbox.client_secret not in text


def test_the_browser_is_started_before_aiohttp_is_loaded(desk: Desk) -> None:
    """Loading it takes longer than all else: the browser starts meanwhile, and the kernel keeps what comes."""
    spy = (
        "import contextlib, sys; from withings_auth import login_sync\n"
        "from withings_auth.authorization import browser; from withings_auth.errors import LoginTimeout\n"
        "def start(url, **_):\n"
        "    print('loaded' if 'aiohttp' in sys.modules else 'not yet', flush=True)\n"
        "browser.start = start\n"
        "with contextlib.suppress(LoginTimeout): login_sync(timeout=0.1)"
    )
    finished = desk.cli.using(sys.executable)("-c", spy, env=desk.env)
    assert finished.stdout == "not yet\n"


def test_a_browser_that_does_not_come_is_noticed(desk: Desk) -> None:
    """Statement 20: if nobody visits the short address within ten seconds, the address is printed."""
    program = desk.cli.start("login", env={**desk.env, "BROWSER": "sh -c 'sleep 12' sh %s"})
    program.stderr.expect("The browser has not come yet.")
    visit(program.stderr.line(r"^http\S+"))
    assert program.wait().returncode == 0
