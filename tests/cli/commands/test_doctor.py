"""`withings-auth doctor` as a user, a bug tracker and a program see it; and what it says about Withings."""

from __future__ import annotations

import getpass
import re
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands.doctor_report import (
    BROWSER,
    failures,
    files,
    findings,
    steady_environment,
    verdicts,
)
from tests.support.logins import Sandbox, set_up_desk
from tests.support.ports import free_port

if TYPE_CHECKING:
    from tests.support.canaries import Canaries
    from tests.support.logins import Desk
    from tests.support.programs import Cli


@pytest.fixture(autouse=True)
def _steady_environment(desk: Desk) -> None:
    desk.env |= steady_environment()


REPORT = """\
ok       Python        CPython N.N.N (PYTHON) on MACHINE
ok       Packages      withings-auth N.N.N; PACKAGES
ok       Machine       WHERE
ok       Browser       PYTHON, named by BROWSER
warning  Settings      no ~/.config/withings-auth/config.toml; variables set: BROWSER, DBUS_SESSION_BUS_ADDRESS, \
PYTHON_KEYRING_BACKEND, WITHINGS_AUTH_API_URL, WITHINGS_AUTH_AUTHORIZE_URL, WITHINGS_AUTH_PROFILE, \
WITHINGS_AUTH_STORE, WITHINGS_CLIENT_ID, WITHINGS_CLIENT_SECRET, WITHINGS_REDIRECT_URI; the service is SANDBOX, not \
Withings'
         hint: unset WITHINGS_AUTH_API_URL if you did not mean to set it
ok       Store         files in ~/store, as configured; no keyring is used
ok       Store works   saved, read and removed a record in N ms
ok       Permissions   files in ~/store are for you alone (2 records)
ok       Lock          a lock in ~/store keeps others out (TYPE)
skipped  Session bus   files need no session bus
ok       App           client id sand…; its client secret is in the environment
ok       Redirect URI  http://localhost:PORT; a login listens on 127.0.0.1:PORT and [::1]:PORT
ok       Port          127.0.0.1:PORT and [::1]:PORT free
ok       Clock         agrees with Withings' to the second
ok       Credentials   Withings accepts this client id with this client secret
ok       Login         user 3821…, user.info, user.metrics, user.activity, user.sleepevents; lasts until DATE
ok       Token         Withings accepts the access token

17 checks: 15 ok, 1 to look at, 1 skipped
"""


def named(text: str, desk: Desk) -> str:
    """The text with names for what differs between machines and runs."""
    text = text.replace(desk.sandbox.url, "SANDBOX").replace(str(desk.port), "PORT")
    text = text.replace(Path(BROWSER).name, "PYTHON")
    text = re.sub(r"(CPython \S+ \()[\w.]+(\) on )\w+", r"\1PYTHON\2MACHINE", text)
    text = re.sub(r"(Machine +).*", r"\1WHERE", text)
    text = re.sub(r"keeps others out( \([\w.]+\))?\n", "keeps others out (TYPE)\n", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "DATE", text)
    text = re.sub(r"in \d+ ms(, which is slow)?", "in N ms", text)
    text = re.sub(r"withings-auth [\d.]+; .*", "withings-auth N.N.N; PACKAGES", text)
    return re.sub(r"CPython [\d.]+\w*", "CPython N.N.N", text)


@pytest.mark.skipif(sys.platform != "linux", reason="the report is of Linux")
def test_the_report_of_a_machine_that_is_well(desk: Desk, home: Path) -> None:
    """A line for each check, only the answer on stdout, exit 0; and nothing in the user's home changes."""
    desk.put_login()
    assert desk.run("status").returncode == 0  # which creates the lock of the login, as any command does
    before = files(home)
    finished = desk.run("doctor")
    assert named(finished.stdout, desk) == REPORT
    assert (finished.stderr, finished.returncode) == ("", 0)
    assert files(home) == before


def test_the_report_does_not_identify_the_user(desk: Desk, home: Path) -> None:
    """Statement 23: no secret, no whole id, no home directory, no name of the user or the machine."""
    grant = desk.put_login()
    desk.env["WITHINGS_REDIRECT_URI"] = "https://weight.annas-domain.example/back"
    (home / "store" / "token" / "default.json").chmod(0o644)
    for flags in ([], ["--json"]):
        shown = desk.run("doctor", *flags).stdout
        for private in (
            grant.userid,
            grant.client_id,
            str(home),
            socket.gethostname(),
            f"/{getpass.getuser()}/",
            "annas-domain",
        ):
            assert private not in shown
        assert "https://HOST/back" in shown


def test_a_fresh_machine_has_no_failures(cli: Cli, home: Path, sandbox: Sandbox) -> None:
    """No app, nobody logged in: warnings with the command to type, exit 0."""
    before = files(home)
    finished = cli(
        "doctor",
        "--json",
        env={
            "WITHINGS_AUTH_STORE": f"file:{home / 'store'}",
            "WITHINGS_AUTH_API_URL": sandbox.url,
            "WITHINGS_REDIRECT_URI": f"http://localhost:{free_port()}",
        },
    )
    found = findings(finished)
    assert found["App"]["remedy"] == "set up your app's credentials: withings-auth configure"
    assert found["Login"]["remedy"] == "log in: withings-auth login"
    assert verdicts(finished, "App", "Credentials", "Login", "Token") == ("warning", "skipped", "warning", "skipped")
    assert finished.returncode == 0
    assert files(home) == before


class TestWithings:
    def test_offline_nothing_is_asked(self, desk: Desk) -> None:
        desk.put_login()
        desk.env["WITHINGS_AUTH_API_URL"] = f"http://127.0.0.1:{free_port()}"
        finished = desk.run("doctor", "--json", "--offline", WITHINGS_AUTH_API_URL=desk.sandbox.url)
        assert verdicts(finished, "Clock", "Credentials", "Login", "Token") == ("skipped", "skipped", "ok", "skipped")
        assert desk.sandbox.counters.refusals == 0
        assert desk.sandbox.counters.nonces == 0

    def test_without_a_network_one_check_fails_and_the_rest_is_skipped(self, desk: Desk) -> None:
        finished = desk.run("doctor", "--json", WITHINGS_AUTH_API_URL=f"http://127.0.0.1:{free_port()}")
        assert failures(finished) == {"Clock"}
        assert findings(finished)["Clock"]["remedy"].startswith("check the network")
        assert findings(finished)["Credentials"]["words"] == "Withings cannot be reached"

    def test_the_wait_for_a_silent_service_is_short(self, desk: Desk) -> None:
        """Statement 32: five seconds for the first request, and no other follows."""
        desk.sandbox.fail_next("slow", where="signature", seconds=120)
        finished = desk.run("doctor", "--json")
        assert failures(finished) == {"Clock"}
        assert finished.seconds < 60

    def test_a_wrong_clock(self, cli: Cli, canaries: Canaries, home: Path) -> None:
        port = free_port()
        with Sandbox(redirect_uris=[f"http://localhost:{port}"], now=lambda: 1_600_000_000.0) as then:
            other = set_up_desk(cli, canaries, home, then, f"http://localhost:{port}", port)
            found = findings(other.run("doctor", "--json"))["Clock"]
            assert found["verdict"] == "failed"
            assert "ahead of Withings'" in found["words"]
            other.plant_secrets()

    def test_a_wrong_secret(self, desk: Desk, canaries: Canaries) -> None:
        wrong = canaries.plant("a wrong client secret")
        finished = desk.run("doctor", "--json", WITHINGS_CLIENT_SECRET=wrong)
        assert failures(finished) == {"Credentials"}
        assert "withings-auth configure" in findings(finished)["Credentials"]["remedy"]

    def test_an_expired_token_is_renewed_as_any_program_would(self, desk: Desk) -> None:
        desk.put_login(age=10_900)
        desk.sandbox.expire_access_token()
        assert verdicts(desk.run("doctor", "--json"), "Login", "Token") == ("ok", "ok")
        assert desk.sandbox.live_access_tokens

    def test_a_login_that_withings_has_ended(self, desk: Desk) -> None:
        desk.put_login(age=10_900)
        desk.sandbox.revoke_person()
        finished = desk.run("doctor", "--json")
        assert failures(finished) == {"Token"}
        assert findings(finished)["Token"]["remedy"] == (
            "log in: withings-auth login; or take it back from the other program: withings-auth import --replace FILE"
        )

    def test_an_outage_says_nothing_about_the_token(self, desk: Desk) -> None:
        desk.put_login()
        desk.sandbox.fail_next("html", where="measure")
        found = findings(desk.run("doctor", "--json"))["Token"]
        assert (found["verdict"], found["words"][:12]) == ("warning", "cannot tell:")

    def test_scopes_that_allow_no_call(self, desk: Desk) -> None:
        desk.put_login(scopes=("user.activity",))
        found = findings(desk.run("doctor", "--json"))["Token"]
        assert (found["verdict"], found["words"][:12]) == ("ok", "got a token;")


class TestForAUser:
    def test_marks_are_coloured_only_on_a_terminal(self, desk: Desk) -> None:
        """NO_COLOR is respected."""
        coloured = desk.cli.on_terminal("doctor", "--offline", env={**desk.env, "NO_COLOR": None})
        screen = coloured.wait().screen
        assert "\x1b[32mok     \x1b[0m  Python" in screen
        assert "\x1b[33mwarning\x1b[0m  Settings" in screen
        assert "\x1b[1mhint:\x1b[0m " in screen
        plain = desk.cli.on_terminal("doctor", "--offline", env=desk.env)
        assert "\x1b[" not in plain.wait().screen

    def test_a_failure_stands_out_and_is_counted(self, desk: Desk) -> None:
        finished = desk.run("doctor", WITHINGS_AUTH_STORE="file:relative")
        assert (
            "\nFAILED   Store         WITHINGS_AUTH_STORE is “file:relative”, not a store\n         hint: a store is "
            in finished.stdout
        )
        assert finished.stdout.rstrip().splitlines()[-1].startswith("17 checks: ")
        assert ", 1 failed, " in finished.stdout
        assert finished.returncode == 1

    def test_each_line_comes_as_soon_as_it_is_known(self, desk: Desk) -> None:
        desk.sandbox.fail_next("slow", where="signature", seconds=120)
        program = desk.cli.start("doctor", env=desk.env)
        program.stdout.line("Port")
        assert program.running
        program.wait()

    def test_the_help_says_what_is_left_out(self, desk: Desk) -> None:
        shown = desk.run("doctor", "--help").stdout
        assert "can be pasted into a bug report" in shown
        assert "--offline" in shown
