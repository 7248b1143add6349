"""Help: the greeting with its next step, an example for every command, and suggestions for mistakes."""

from __future__ import annotations

import re
import time

import pytest

from tests.support.keyring_daemon import SecretService
from tests.support.logins import Desk
from tests.support.stores import clear_record
from withings_auth.cli import COMMANDS
from withings_auth.store.file_store import FileStore
from withings_auth.store.records import app_name


class TestGreeting:
    """`withings-auth` alone: the login's status and the next step on stderr, and exit 2 for scripts."""

    def greet(self, desk: Desk, **env: str | None) -> str:
        finished = desk.run(**env)
        assert (finished.returncode, finished.stdout) == (2, "")
        assert all(f"\n    {command} " in finished.stderr for command in COMMANDS)
        return finished.stderr.partition("\n\nusage: ")[0]

    def test_without_an_app_it_suggests_one_and_a_trial(self, desk: Desk) -> None:
        desk.keep_store()
        assert self.greet(desk, WITHINGS_CLIENT_ID=None, WITHINGS_CLIENT_SECRET=None) == (
            "Nobody is logged in as profile default.\n"
            "Next: withings-auth login\n"
            "It shows how to register your own app.\n"
            "To try it without an account: withings-auth login --sandbox"
        )

    def test_with_an_app_it_suggests_a_login(self, desk: Desk) -> None:
        desk.keep_store()
        assert self.greet(desk, WITHINGS_AUTH_PROFILE="anna") == (
            "Nobody is logged in as profile anna.\nNext: withings-auth login --profile anna"
        )

    @pytest.mark.parametrize(("age", "token"), [(600, "valid until "), (10_800, "expired, renewed on next use.")])
    def test_with_a_login_it_suggests_a_token(self, desk: Desk, age: int, token: str) -> None:
        grant = desk.put_login(age=age)
        desk.keep_store()
        first, *more = self.greet(desk).splitlines()
        assert first.startswith(f"Logged in as Withings user {grant.userid}, profile default. Access token {token}")
        assert more == [
            "Next: withings-auth token",
            "To see your weight: withings-auth api measure getmeas meastype=1 --csv",
        ]

    def test_it_asks_withings_nothing_and_renews_nothing(self, desk: Desk) -> None:
        grant = desk.put_login(age=10_800)
        self.greet(desk)
        counters = desk.sandbox.counters
        assert (counters.data_requests, counters.token_requests) == (0, 0)
        assert grant.access_token in (desk.directory / "token" / "default.json").read_text()

    def test_if_the_login_has_ended_it_suggests_a_new_one(self, desk: Desk) -> None:
        grant = desk.put_login(age=366 * 86_400)
        assert self.greet(desk) == (
            f"The login of Withings user {grant.userid}, profile default, has ended:"
            " it was last renewed over a year ago.\n"
            "hint: log in: withings-auth login"
        )

    def test_if_the_client_secret_is_lost_it_suggests_configure(self, desk: Desk) -> None:
        desk.put_login(age=10_900)
        clear_record(FileStore(desk.directory), app_name(desk.sandbox.client_id))
        desk.env["WITHINGS_CLIENT_SECRET"] = None
        assert self.greet(desk).endswith(
            "cannot be renewed: the app's client secret is no longer saved.\n"
            "hint: save it again, without a new login: withings-auth configure"
        )

    @pytest.mark.parametrize(
        ("name", "value", "why"),
        [
            ("WITHINGS_AUTH_STORE", "keyring", "no usable keyring"),
            ("WITHINGS_AUTH_STORE", "file:relative", "WITHINGS_AUTH_STORE is “file:relative”, not a store"),
            ("WITHINGS_AUTH_PROFILE", "../x", "not a valid profile name"),
        ],
    )
    def test_an_unknown_status_is_reported_and_is_no_failure(self, desk: Desk, name: str, value: str, why: str) -> None:
        greeting = self.greet(desk, **{name: value})
        assert greeting.startswith("Cannot tell whether you are logged in: ")
        assert why in greeting
        assert "\nhint: " in greeting
        store = f"WITHINGS_AUTH_STORE={value} " if value == "file:relative" else ""
        assert greeting.endswith(f"\nNext: {store}withings-auth doctor")

    def test_a_silent_keyring_is_not_waited_for(self, desk: Desk, secret_service: SecretService) -> None:
        """After three seconds the rest is printed."""
        secret_service.stop()
        began = time.monotonic()
        env = {**desk.env, "WITHINGS_AUTH_STORE": None, **secret_service.environ}
        finished = desk.cli(env=env)
        assert time.monotonic() - began < 60
        assert "are logged in: no answer from the keyring within 3 seconds\n" in finished.stderr
        assert "\nusage: " in finished.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example(desk: Desk, command: str) -> None:
    """It goes to stdout, shows how to use the command, and lists -v."""
    finished = desk.run(command, "--help")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert f"withings-auth {command}" in finished.stdout.partition("example")[2]
    assert "-v, --verbose" in finished.stdout
    assert re.search(r"(?m)^usage: .*-v\b|^ +.*\[-v\]", finished.stdout), "the usage line lists it too"


@pytest.mark.parametrize("command", COMMANDS)
def test_its_help_fits_a_terminal(desk: Desk, command: str) -> None:
    """No line is longer than 80 columns, except those to paste."""
    lines = desk.run(command, "--help", COLUMNS="80").stdout.splitlines()
    assert [line for line in lines if len(line) > 80 and "https://" not in line and "~/" not in line] == []


def test_the_help_lists_every_command(desk: Desk) -> None:
    """It goes to stdout with exit code 0, and no store is opened for it."""
    finished = desk.run("--help", WITHINGS_AUTH_STORE="file:relative")
    assert (finished.returncode, finished.stderr) == (0, "")
    flat = re.sub(r"\s+", " ", finished.stdout)
    assert all(f" {command} {summary} " in flat for command, summary in COMMANDS.items())


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["tokn"], "token"),
        (["stauts"], "status"),
        (["log-out"], "logout"),
        (["token", "--jsno"], "--json"),
        (["token", "--min"], "--min-valid"),
        (["token", "--renw", "--profile", "me"], "--renew"),
        (["status", "--josn"], "--json"),
        (["login", "--no-browse"], "--no-browser"),
        (["api", "measure", "getmeas", "--paginat"], "--paginate"),
        (["logout", "--verbos"], "--verbose"),
        (["--versoin"], "--version"),
        (["--hlep", "token"], "--help"),
    ],
)
def test_a_mistake_gets_a_suggestion(desk: Desk, typed: list[str], meant: str) -> None:
    """For a mistyped command, and for a mistyped flag of that command."""
    finished = desk.run(*typed)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert f"\nhint: did you mean “{meant}”? see withings-auth" in finished.stderr


@pytest.mark.parametrize("typed", [["weigh-me"], ["token", "--all"], ["token", "-x"], ["-x"], ["-"], ["token", "now"]])
def test_nothing_is_suggested_without_a_similar_name(desk: Desk, typed: list[str]) -> None:
    finished = desk.run(*typed)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert "did you mean" not in finished.stderr
    assert re.search(r"hint: see withings-auth( token)? --help\n", finished.stderr)


def test_a_flag_before_its_command_is_an_error(desk: Desk) -> None:
    """Its value, which may be a secret, is not repeated."""
    for typed in (["--profile", "me", "token"], ["--profile=me", "token"]):
        finished = desk.run(*typed)
        assert finished.returncode == 2
        assert "unknown flag --profile before the command\n" in finished.stderr
        assert "withings-auth COMMAND --profile …" in finished.stderr
        assert "me" not in re.findall(r"\w+", finished.stderr)
