"""`withings-auth token`: its output formats, `--renew`, `--rejected-stdin` and `--wait`."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.conftest import Require
from tests.support.logins import Desk
from tests.support.programs import Finished

FORMS = ["--json", "--header", "--env"]


def printed(desk: Desk, *flags: str, stdin: str | None = None, **env: str | None) -> Finished:
    """Runs the command to its end; it may print live access tokens, but nothing else that is secret."""
    may: list[str] = []
    finished = desk.cli("token", *flags, env={**desk.env, **env}, stdin=stdin, allow=may)
    may += desk.sandbox.live_access_tokens
    return finished


class TestForms:
    def test_json_has_what_a_program_may_want_to_know(self, desk: Desk) -> None:
        """Statement 27: but never the refresh token."""
        grant = desk.put_login()
        finished = printed(desk, "--json")
        content = json.loads(finished.stdout)
        assert 10_100 < content.pop("seconds_left") <= 10_200
        assert content == {
            "format_version": 1,
            "access_token": grant.access_token,
            "token_type": "Bearer",
            "expires_at": grant.expires_at,
            "scopes": ["user.info", "user.metrics", "user.activity", "user.sleepevents"],
            "userid": "38210457",
            "service": desk.sandbox.url,
        }
        assert (finished.returncode, finished.stderr) == (0, "")

    def test_the_header_is_what_curl_reads(self, desk: Desk, require: Require) -> None:
        """Statement 25: the token is in no process's arguments."""
        require("curl", shutil.which("curl"), "it must take the header as it is printed")
        grant = desk.put_login()
        header = printed(desk, "--header").stdout
        assert header == f"Authorization: Bearer {grant.access_token}\n"
        url = f"{desk.sandbox.url}/measure"
        form = ("-d", "action=getmeas", "-d", "meastype=1")
        answer = desk.cli.using("curl")("--silent", "-H", "@-", url, *form, stdin=header)
        assert json.loads(answer.stdout)["status"] == 0

    @pytest.mark.parametrize(
        ("flags", "shell", "line"),
        [
            ((), None, "export WITHINGS_ACCESS_TOKEN='{}'\n"),
            ((), "/usr/bin/fish", "set -gx WITHINGS_ACCESS_TOKEN '{}'\n"),
            (("--shell", "zsh"), "/usr/bin/fish", "export WITHINGS_ACCESS_TOKEN='{}'\n"),
            (("--shell", "powershell"), "/bin/bash", "$env:WITHINGS_ACCESS_TOKEN = '{}'\n"),
        ],
    )
    def test_env_is_a_line_for_the_shell(
        self, desk: Desk, flags: tuple[str, ...], shell: str | None, line: str
    ) -> None:
        grant = desk.put_login()
        assert printed(desk, "--env", *flags, SHELL=shell).stdout == line.format(grant.access_token)

    @pytest.mark.parametrize("form", FORMS)
    def test_every_form_renews(self, desk: Desk, form: str) -> None:
        desk.put_login(age=10_800)
        finished = printed(desk, form)
        assert desk.sandbox.live_access_tokens[-1] in finished.stdout
        assert desk.sandbox.counters.refreshes == 1

    @pytest.mark.parametrize("flags", [("--json", "--header"), ("--json", "--env"), ("--env", "--header")])
    def test_only_one_form_at_a_time(self, desk: Desk, flags: tuple[str, ...]) -> None:
        finished = printed(desk, *flags)
        assert (finished.returncode, finished.stdout) == (2, "")

    def test_a_shell_is_for_env(self, desk: Desk) -> None:
        finished = printed(desk, "--shell", "fish")
        assert (finished.returncode, finished.stdout) == (2, "")
        assert "hint: withings-auth token --env --shell fish" in finished.stderr

    def test_an_unknown_shell_is_refused(self, desk: Desk) -> None:
        finished = printed(desk, "--env", "--shell", "tcsh")
        assert (finished.returncode, finished.stdout) == (2, "")
        assert "argument --shell: “tcsh” is not one of bash, zsh, fish, powershell\nhint: " in finished.stderr

    @pytest.mark.parametrize("form", FORMS)
    def test_an_error_prints_no_form(self, desk: Desk, form: str) -> None:
        finished = printed(desk, form)
        assert (finished.returncode, finished.stdout) == (3, "")


class TestRenew:
    def test_it_renews_a_token_that_is_still_valid(self, desk: Desk) -> None:
        grant = desk.put_login()
        finished = printed(desk, "--renew")
        assert finished.stdout == f"{desk.sandbox.live_access_tokens[-1]}\n"
        assert finished.stdout.strip() != grant.access_token
        assert (desk.sandbox.counters.refreshes, finished.stderr) == (1, "")

    def test_a_new_one_is_not_renewed_and_it_says_so(self, desk: Desk) -> None:
        grant = desk.put_login(age=30)
        finished = printed(desk, "--renew")
        assert finished.stdout == f"{grant.access_token}\n"
        assert finished.stderr == "This token is less than a minute old, so it was not renewed.\n"
        assert desk.sandbox.counters.refreshes == 0

    def test_a_minute_is_enough(self, desk: Desk) -> None:
        desk.put_login(age=61)
        assert printed(desk, "--renew").returncode == 0
        assert desk.sandbox.counters.refreshes == 1

    def test_one_from_the_future_is_renewed(self, desk: Desk) -> None:
        """Statement 33: a clock that was set back does not make a token new."""
        desk.put_login(age=-500)
        assert printed(desk, "--renew").stdout == f"{desk.sandbox.live_access_tokens[-1]}\n"
        assert desk.sandbox.counters.refreshes == 1

    def test_an_expired_one_is_renewed_once(self, desk: Desk) -> None:
        desk.put_login(age=10_800)
        finished = printed(desk, "--renew")
        assert (desk.sandbox.counters.refreshes, finished.returncode, finished.stderr) == (1, 0, "")

    def test_the_old_one_is_not_printed_if_the_renewal_fails(self, desk: Desk) -> None:
        """A user who asks for a new one must not silently get the old one."""
        desk.put_login()
        desk.sandbox.fail_next("bad_gateway")
        finished = printed(desk, "--renew")
        assert (finished.returncode, finished.stdout) == (4, "")
        assert "Withings is not available" in finished.stderr

    def test_the_form_is_kept(self, desk: Desk) -> None:
        desk.put_login()
        assert json.loads(printed(desk, "--renew", "--json").stdout)["seconds_left"] > 10_700

    def test_nobody_is_logged_in(self, desk: Desk) -> None:
        assert printed(desk, "--renew").returncode == 3

    def test_it_is_the_named_profile_that_is_renewed(self, desk: Desk) -> None:
        desk.put_login()
        assert printed(desk, "--renew", "--profile", "other").returncode == 3
        assert desk.sandbox.counters.refreshes == 0


class TestRejected:
    def test_the_rejected_one_is_renewed(self, desk: Desk) -> None:
        """Statement 33: although it still looks valid."""
        grant = desk.put_login()
        finished = printed(desk, "--rejected-stdin", stdin=f"{grant.access_token}\n")
        assert finished.stdout == f"{desk.sandbox.live_access_tokens[-1]}\n"
        assert (desk.sandbox.counters.refreshes, finished.stdout.strip() == grant.access_token) == (1, False)

    def test_one_that_is_not_the_stored_one_was_renewed_already(self, desk: Desk) -> None:
        grant = desk.put_login()
        finished = printed(desk, "--rejected-stdin", stdin="an-older-one\n")
        assert (finished.stdout, desk.sandbox.counters.refreshes) == (f"{grant.access_token}\n", 0)

    @pytest.mark.parametrize("form", FORMS)
    def test_it_works_with_every_form(self, desk: Desk, form: str) -> None:
        grant = desk.put_login()
        finished = printed(desk, form, "--rejected-stdin", stdin=grant.access_token)
        assert desk.sandbox.live_access_tokens[-1] in finished.stdout

    @pytest.mark.parametrize("line", ["", "\n", "two words\n", "tök\n", "x" * 5000, "\0\n", "Bearer abc"])
    def test_anything_but_a_token_is_refused(self, desk: Desk, line: str) -> None:
        desk.put_login()
        finished = printed(desk, "--rejected-stdin", stdin=line)
        assert (finished.returncode, finished.stdout, desk.sandbox.counters.refreshes) == (2, "", 0)
        assert "standard input does not contain an access token" in finished.stderr

    def test_a_terminal_asks_for_it_without_showing_it(self, desk: Desk) -> None:
        """Statement 25: what is typed is not shown, and is not an argument."""
        grant = desk.put_login()
        may: list[str] = []
        program = desk.cli.on_terminal("token", "--rejected-stdin", env=desk.env, allow=may)
        program.screen.expect(r"Rejected access token \(not shown\): ")
        program.type(f"{grant.access_token}\n")
        finished = program.wait()
        may += desk.sandbox.live_access_tokens
        assert (finished.returncode, desk.sandbox.counters.refreshes) == (0, 1)
        assert desk.sandbox.live_access_tokens[-1] in finished.screen
        assert grant.access_token not in finished.screen

    def test_not_together_with_renew(self, desk: Desk) -> None:
        assert printed(desk, "--renew", "--rejected-stdin", stdin="abc\n").returncode == 2


class TestWait:
    def test_it_waits_out_a_temporary_failure(self, desk: Desk) -> None:
        desk.put_login(age=10_800)
        desk.sandbox.fail_next("bad_gateway")
        finished = printed(desk, "--wait", "60")
        assert finished.stdout == f"{desk.sandbox.live_access_tokens[-1]}\n"
        assert (finished.returncode, finished.stderr) == (0, "")

    def test_it_ends_with_the_failure_at_the_limit(self, desk: Desk) -> None:
        desk.put_login(age=10_800)
        desk.sandbox.fail_next("html", times=9)
        finished = printed(desk, "--wait", "0.5")
        assert (finished.returncode, finished.stdout) == (4, "")
        assert "Withings is not available" in finished.stderr

    def test_a_permanent_failure_ends_at_once(self, desk: Desk) -> None:
        finished = printed(desk, "--wait")
        assert (finished.returncode, finished.seconds < 60) == (3, True)

    def test_a_user_is_told_and_ctrl_c_ends_it(self, desk: Desk) -> None:
        desk.put_login(age=10_800)
        desk.sandbox.fail_next("bad_gateway", times=9)
        program = desk.cli.on_terminal("token", "--wait", env=desk.env)
        line = program.screen.line("Trying again")
        assert line.startswith("Trying again for 300 seconds (Ctrl-C stops): Withings is not available")
        program.type("\x03")
        assert program.wait(seconds=60).returncode == 130

    def test_it_waits_for_a_new_one_too(self, desk: Desk) -> None:
        desk.put_login()
        desk.sandbox.fail_next("bad_gateway")
        finished = printed(desk, "--wait", "60", "--renew")
        assert (finished.returncode, desk.sandbox.counters.refreshes) == (0, 1)

    @pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "soon"])
    def test_an_invalid_time_is_refused(self, desk: Desk, seconds: str) -> None:
        assert printed(desk, f"--wait={seconds}").returncode == 2
