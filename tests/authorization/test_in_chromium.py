"""The whole login in a real browser: consent page, callback, the page at the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.browser import Chromium
from tests.support.logins import Desk, Switches


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_allow(make_desk: Callable[..., Desk], chromium: Chromium, host: str) -> None:
    """Statements 18 and 19: after Allow the page tells who is signed in and where it is saved, the code has left the
    address bar and the tab's history, where the consent page comes before it, and the console has no complaint."""
    desk = make_desk(host=host, path="/callback")
    program, short = desk.start_with_browser()
    assert short.startswith(f"http://{host}:{desk.port}/start/")
    page = chromium.page()
    page.goto(short)
    page.get_by_role("button", name="Allow").click()
    page.get_by_role("heading", name="You are signed in").wait_for()
    userid = str(desk.sandbox.people[0].userid)
    assert userid in page.inner_text("main")
    assert str(desk.directory) in page.inner_text("main")
    assert page.url == f"http://{host}:{desk.port}/callback"
    finished = program.wait()
    assert finished.returncode == 0
    assert f"Signed in as Withings user {userid}, profile default." in finished.stderr
    assert chromium.complaints() == []
    assert desk.run("token").returncode == 0
    page.go_back()
    assert page.url.startswith(desk.sandbox.url)


def test_deny(desk: Desk, chromium: Chromium) -> None:
    """If the user says no, the page and the terminal say so, and nothing is saved."""
    program, short = desk.start_with_browser()
    page = chromium.page()
    page.goto(short)
    page.get_by_role("button", name="Deny").click()
    page.get_by_role("heading", name="Access was not allowed").wait_for()
    assert "access_denied" not in page.content()
    finished = program.wait()
    assert (finished.returncode, finished.stdout) == (1, "")
    assert "withings-auth: error: access was not allowed (access_denied)" in finished.stderr
    assert chromium.complaints() == []
    assert desk.run("token").returncode == 3


def test_a_failed_exchange_is_not_called_a_success(desk: Desk, chromium: Chromium) -> None:
    """Statement 19: if Withings does not hand over the tokens the page says so, with a status other than 200."""
    desk.sandbox.fail_next("bad_gateway")
    program, short = desk.start_with_browser()
    page = chromium.page()
    page.goto(short)
    with page.expect_response(lambda response: response.status == 502):
        page.get_by_role("button", name="Allow").click()
    page.get_by_role("heading", name="The sign-in did not complete").wait_for()
    finished = program.wait()
    assert finished.returncode == 4
    assert "HTTP 502" in finished.stderr
    assert chromium.complaints() == []


def test_a_failed_save_is_not_called_a_success(desk: Desk, chromium: Chromium) -> None:
    """Statement 19: a login that cannot be saved here is a failure, and the page says so."""
    program, short = desk.start_with_browser()
    page = chromium.page()
    page.goto(short)
    (desk.directory / "token").rmdir() if (desk.directory / "token").exists() else None
    (desk.directory / "token").write_text("in the way")
    page.get_by_role("button", name="Allow").click()
    page.get_by_role("heading", name="The login could not be saved").wait_for()
    assert program.wait().returncode == 5
    assert chromium.complaints() == []


def test_a_redirect_uri_that_is_not_registered(make_desk: Callable[..., Desk], chromium: Chromium) -> None:
    """Withings shows the error on its own page and never calls back; our time-out explains it."""
    desk = make_desk(switches=Switches())
    program, short = desk.start_with_browser("--redirect-uri", f"http://localhost:{desk.port}/other", "--timeout", "15")
    page = chromium.page()
    page.goto(short)
    page.get_by_role("button", name="Allow").click()
    page.get_by_text("redirect_uri_mismatch").wait_for()
    finished = program.wait()
    assert finished.returncode == 1
    assert "the browser did not come back from Withings within 15 s" in finished.stderr
    assert f"register exactly http://localhost:{desk.port}/other" in finished.stderr


def test_the_short_address_works_once(desk: Desk, chromium: Chromium) -> None:
    """Statement 20: a second visit to the short address is refused and reported on the terminal; the login goes on."""
    program, short = desk.start_with_browser()
    first = chromium.page()
    second = first.context.new_page()
    first.goto(short)
    answer = second.goto(short)
    assert answer is not None
    assert answer.status == 410
    program.stderr.expect("start address, which was already used")
    first.get_by_role("button", name="Allow").click()
    first.get_by_role("heading", name="You are signed in").wait_for()
    assert program.wait().returncode == 0
