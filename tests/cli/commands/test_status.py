"""`status`: what a user reads, a program parses and a monitor checks; never a secret."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.profiles import DAY, YEAR, move_to_keyring, put
from tests.support.stores import clear_record
from withings_auth.store.file_store import FileStore
from withings_auth.store.records import app_name, token_name

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.keyring_daemon import SecretService
    from tests.support.logins import Desk
    from tests.support.programs import Finished

THE_YEAR_IS_OVER = YEAR + DAY


def parsed(finished: Finished) -> dict[str, Any]:
    content = json.loads(finished.stdout)
    assert content["format_version"] == 1
    assert isinstance(content, dict)
    return content


def line(finished: Finished, label: str) -> str:
    """The text after a label on stdout."""
    found = re.search(rf"(?m)^{label} +(.*)$", finished.stdout)
    assert found, finished.stdout
    return found[1]


def lose_two_answers(desk: Desk) -> None:
    """Notes a renewal with an unknown outcome as the transaction does, but without its waits."""
    from withings_auth.store.records import load_grant
    from withings_auth.tokens.journal import Journal

    store = FileStore(desk.directory)
    with store.lock(token_name("default"), 1) as held:
        Journal(held.notes, load_grant(store, "default")).begin(time.time() - 3600)


def files(directory: Path) -> dict[str, tuple[bytes, int]]:
    """Every record in the store, with its modification time."""
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in directory.rglob("*.json")}


class TestForAUser:
    def test_a_fresh_login(self, desk: Desk) -> None:
        """User, scopes, both expiries, store and app, all of it on stdout."""
        put(desk)
        finished = desk.run("status")
        assert (finished.returncode, finished.stderr) == (0, "")
        assert line(finished, "Profile") == "default"
        assert line(finished, "User") == "38210457"
        assert line(finished, "Scopes") == "user.info, user.metrics, user.activity, user.sleepevents"
        assert re.fullmatch(r"valid until [\d-]{10} \d\d:\d\d \(in 2 h (49|50) min\)", line(finished, "Access token"))
        assert re.fullmatch(r"lasts until [\d-]{10} \d\d:\d\d \(in 364 days\), .*", line(finished, "Login"))
        assert line(finished, "Store") == f"files in {desk.directory}"
        assert line(finished, "App") == f"client id {desk.sandbox.client_id}"
        assert "warning" not in finished.stdout

    def test_a_renewal_with_an_unknown_outcome(self, desk: Desk) -> None:
        """It shows until when a retry can save the login."""
        put(desk, age=11_000)
        lose_two_answers(desk)
        finished = desk.run("status")
        assert finished.returncode == 0
        assert re.fullmatch(
            r"warning: the outcome of the last renewal is unknown; a retry is certain to work only before "
            r"[\d-]{10} \d\d:\d\d \(in (6 h 59|7 h 0) min\): withings-auth token",
            line(finished, "Renewal"),
        )

    def test_a_renewal_under_way(self, desk: Desk) -> None:
        """It is not waited for."""
        put(desk)
        with FileStore(desk.directory).lock(token_name("default"), 1):
            finished = desk.run("status")
        assert line(finished, "Renewal").startswith("under way")
        assert finished.returncode == 0

    def test_warnings_are_yellow_on_a_terminal(self, desk: Desk) -> None:
        put(desk, age=YEAR - DAY)
        program = desk.cli.on_terminal("status", env={**desk.env, "NO_COLOR": None})
        program.screen.expect("\x1b\\[33mwarning: ends on ")
        assert program.wait().returncode == 0
        program = desk.cli.on_terminal("status", env={**desk.env, "NO_COLOR": "1"})
        program.screen.expect("warning: ends on ")
        assert "\x1b[33m" not in program.wait().screen

    def test_it_names_the_keyring(self, desk: Desk, secret_service: SecretService) -> None:
        """It names the backend, not just “keyring”."""
        put(desk)
        move_to_keyring(desk, secret_service)
        finished = desk.run("status")
        assert finished.returncode == 0, finished.stderr
        assert line(finished, "Store") == "the keyring of this desktop (Secret Service)"
        assert parsed(desk.run("status", "--json"))["store"] == "keyring"
        secret_service.lock()
        assert desk.run("status").returncode == 5


class TestForAProgram:
    def test_the_whole_object(self, desk: Desk) -> None:
        grant = put(desk)
        assert parsed(desk.run("status", "--json")) == {
            "format_version": 1,
            "profile": "default",
            "logged_in": True,
            "usable": True,
            "userid": "38210457",
            "scopes": ["user.info", "user.metrics", "user.activity", "user.sleepevents"],
            "service": desk.sandbox.url,
            "client_id": desk.sandbox.client_id,
            "client_secret_known": True,
            "access_token_valid": True,
            "access_token_expires_at": grant.expires_at,
            "renewed_at": grant.obtained_at,
            "login_ends_at": grant.obtained_at + YEAR,
            "login_ends_soon": False,
            "renewal_under_way": False,
            "renewal_unknown_until": None,
            "renewal_refused_at": None,
            "accepted": None,
            "store": f"file:{desk.directory}",
            "backend": f"files in {desk.directory}",
        }

    def test_nobody(self, desk: Desk) -> None:
        """An object for the program, and for the user exit 3 and the command to type."""
        finished = desk.run("status", "--json")
        assert (parsed(finished)["logged_in"], parsed(finished)["usable"], finished.returncode) == (False, False, 3)
        assert "hint: log in: withings-auth login" in finished.stderr

    def test_an_unknown_outcome(self, desk: Desk) -> None:
        put(desk, age=11_000)
        lose_two_answers(desk)
        left = parsed(desk.run("status", "--json"))["renewal_unknown_until"] - time.time()
        assert 7 * 3600 - 60 < left <= 7 * 3600

    @pytest.mark.parametrize(("age", "usable", "soon"), [(YEAR - DAY, True, True), (THE_YEAR_IS_OVER, False, True)])
    def test_the_last_month_and_after_it(self, desk: Desk, age: int, usable: bool, soon: bool) -> None:
        put(desk, age=age)
        finished = desk.run("status", "--json")
        content = parsed(finished)
        assert (content["usable"], content["login_ends_soon"]) == (usable, soon)
        assert finished.returncode == (0 if usable else 3)


class TestItsExitCode:
    """0 usable, 3 log in, 5 store."""

    def test_a_lost_client_secret(self, desk: Desk) -> None:
        """Usable while the access token is valid; then it needs the secret, saved again or in the environment."""
        desk.env["WITHINGS_CLIENT_SECRET"] = None
        put(desk)
        clear_record(FileStore(desk.directory), app_name(desk.sandbox.client_id))
        finished = desk.run("status")
        assert finished.returncode == 0
        assert "warning: " in line(finished, "App")
        put(desk, age=11_000)
        clear_record(FileStore(desk.directory), app_name(desk.sandbox.client_id))
        finished = desk.run("status")
        assert finished.returncode == 3
        assert "cannot be renewed: the app's client secret is no longer saved" in finished.stderr
        assert "hint: save it again, without a new login: withings-auth configure\n" in finished.stderr
        assert desk.run("status", WITHINGS_CLIENT_SECRET=desk.sandbox.client_secret).returncode == 0
        saved = desk.cli("configure", "--secret-stdin", stdin=desk.sandbox.client_secret, env=desk.env)
        assert (saved.returncode, desk.run("status").returncode) == (0, 0)

    def test_a_lost_client_secret_near_the_end(self, desk: Desk) -> None:
        """A renewal that is impossible is not suggested."""
        desk.env["WITHINGS_CLIENT_SECRET"] = None
        put(desk, age=YEAR - DAY)
        clear_record(FileStore(desk.directory), app_name(desk.sandbox.client_id))
        finished = desk.run("status")
        assert finished.returncode == 3
        assert "--renew" not in finished.stdout
        assert line(finished, "Login").startswith("warning: ends on ")

    def test_another_app_in_the_environment(self, desk: Desk) -> None:
        """Refused as by `token`: it is not a login of this app."""
        put(desk)
        assert desk.run("status", WITHINGS_CLIENT_ID="another").returncode == 2

    def test_a_record_that_others_can_read(self, desk: Desk) -> None:
        put(desk)
        (desk.directory / "token" / "default.json").chmod(0o644)
        finished = desk.run("status")
        assert (finished.returncode, finished.stdout) == (5, "")
        assert "hint: chmod 600" in finished.stderr
        finished = desk.run("status", "--json")
        told = json.loads(finished.stdout)
        assert (finished.returncode, told["profile"], told["usable"]) == (5, "default", False)
        assert "is not safe for secrets" in told["error"]

    def test_a_keyring_that_is_not_there(self, desk: Desk) -> None:
        """A program that reads the answer gets the error too."""
        finished = desk.run("status", "--json", WITHINGS_AUTH_STORE="keyring")
        told = json.loads(finished.stdout)
        assert (finished.returncode, told["usable"], told["store"]) == (5, False, "keyring")
        assert "no usable keyring" in told["error"]

    @pytest.mark.parametrize("flags", [("--profile", "work"), ("--check",)])
    def test_all_is_about_every_profile_and_asks_nobody(self, desk: Desk, flags: tuple[str, ...]) -> None:
        finished = desk.run("status", "--all", *flags)
        assert (finished.returncode, finished.stdout) == (2, "")
        assert f"--all and {flags[0]} cannot be used together\nhint: withings-auth status --all" in finished.stderr

    def test_another_profile(self, desk: Desk) -> None:
        put(desk, "second", person=2)
        assert desk.run("status").returncode == 3
        assert line(desk.run("status", "--profile", "second"), "User") == "38210461"


def test_without_check_nothing_is_asked_or_changed(desk: Desk) -> None:
    """At any age: no request, no renewal, and not a byte of a record changes."""
    for age in (600, 11_000, YEAR - DAY):
        put(desk, age=age)
        before = files(desk.directory)
        desk.run("status")
        desk.run("status", "--json")
        assert files(desk.directory) == before
    counters = desk.sandbox.counters
    assert (counters.data_requests, counters.token_requests, counters.refreshes) == (0, 0, 0)


class TestCheck:
    def test_a_login_that_works(self, desk: Desk) -> None:
        put(desk)
        finished = desk.run("status", "--check")
        assert (finished.returncode, line(finished, "Withings")) == (0, "accepts the access token")
        assert parsed(desk.run("status", "--check", "--json"))["accepted"] is True
        assert desk.sandbox.counters.refreshes == 0

    def test_an_expired_token_is_renewed(self, desk: Desk) -> None:
        """The output is the status after the renewal."""
        put(desk, age=11_000)
        finished = desk.run("status", "--check")
        assert finished.returncode == 0
        assert line(finished, "Access token").startswith("valid until ")
        assert desk.sandbox.counters.refreshes == 1

    def test_a_login_that_withings_has_ended(self, desk: Desk) -> None:
        """Statement 49: only the check notices, 3 with it and 0 before it; from then on everybody knows."""
        put(desk, age=5)
        desk.sandbox.revoke_person()
        assert desk.run("status").returncode == 0
        finished = desk.run("status", "--check", "--json")
        assert (parsed(finished)["accepted"], parsed(finished)["usable"], finished.returncode) == (False, False, 3)
        assert "Withings has ended the login of profile default, or another program that" in finished.stderr
        assert "withings-auth import --replace FILE" in finished.stderr
        later = desk.run("status")
        assert later.returncode == 3
        assert line(later, "Login").startswith("warning: ended: Withings refused to renew it on ")
        assert line(later, "Access token") == "most likely ended"
        assert "most likely ended  log in again" in desk.run("list").stdout
        sent = desk.sandbox.counters.token_requests
        finished = desk.run("token")
        assert (finished.returncode, finished.stdout) == (3, "")
        assert desk.sandbox.counters.token_requests == sent
        assert desk.run("status", "--check").returncode == 3
        assert desk.sandbox.counters.token_requests == sent + 1

    def test_nobody_is_logged_in(self, desk: Desk) -> None:
        assert desk.run("status", "--check").returncode == 3

    def test_withings_cannot_be_reached(self, desk: Desk) -> None:
        """Exit 4, try again; the local status is printed anyway."""
        put(desk)
        desk.sandbox.fail_next("lost_before", where="measure")
        finished = desk.run("status", "--check", "--json")
        assert (parsed(finished)["accepted"], parsed(finished)["usable"], finished.returncode) == (None, True, 4)
        assert "there was no complete answer from Withings" in finished.stderr

    def test_the_app_was_refused(self, desk: Desk) -> None:
        """The user must correct a wrong secret: exit 2, and the login is not usable until then."""
        put(desk, age=11_000)
        finished = desk.run("status", "--check", "--json", WITHINGS_CLIENT_SECRET="wrong")
        assert (parsed(finished)["accepted"], parsed(finished)["usable"], finished.returncode) == (None, False, 2)

    def test_too_soon_is_waited_out(self, desk: Desk) -> None:
        """A 601 is neither a dead login nor a failure."""
        put(desk)
        desk.sandbox.fail_next("too_many", where="measure", wait_seconds=1)
        finished = desk.run("status", "--check")
        assert finished.returncode == 0, finished.stderr
        assert finished.stderr == "Withings asks to wait 1 s; waiting.\n"

    def test_scopes_that_allow_no_check(self, desk: Desk) -> None:
        """It says so, and does not claim that Withings accepts the token."""
        put(desk, scopes=["user.activity"])
        finished = desk.run("status", "--check")
        assert finished.returncode == 0
        assert "the granted scopes allow no call that would check the token" in finished.stderr
        assert "Withings " not in finished.stdout
        assert parsed(desk.run("status", "--check", "--json"))["accepted"] is None
