"""An app that is configured already: a new secret, another app, and a check of the credentials."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from tests.cli.commands.configure.steps import SCOPES, configure, configure_app, saved_app, write
from tests.support.logins import Desk


class TestAnotherSecretOrApp:
    def test_a_wrong_secret_is_replaced_without_a_new_login(self, bare: Desk) -> None:
        """The login stays the same: same user, same refresh token."""
        assert configure_app(bare).returncode == 0
        assert bare.log_in().returncode == 0
        bare.leave_unproved()
        assert configure_app(bare, secret="wrong").returncode == 0
        bare.grow_older(10_800)
        refused = bare.run("token")
        assert refused.returncode == 2
        assert "withings-auth configure" in refused.stderr
        before = json.loads((bare.directory / "token" / "default.json").read_text())
        finished = configure(bare, secret=bare.sandbox.client_secret)
        assert "Profile default stays logged in. Next: withings-auth token" in finished.stderr
        assert json.loads((bare.directory / "token" / "default.json").read_text()) == before
        assert bare.run("token").returncode == 0
        assert bare.sandbox.counters.exchanges == 1

    def test_an_app_stays_saved_as_long_as_a_login_needs_it(self, bare: Desk, config: Path) -> None:
        """The login keeps its own app; an app that no login uses is removed."""
        assert configure_app(bare).returncode == 0
        assert bare.log_in().returncode == 0
        bare.leave_unproved()
        second = configure(bare, "--client-id", "second", secret="hush")
        assert "stays logged in with the previous app" in second.stderr
        assert saved_app(bare)["client_secret"] == bare.sandbox.client_secret
        bare.grow_older(10_800)
        assert bare.run("token").returncode == 0
        third = configure(bare, "--client-id", "third", secret="hush")
        assert "Removed the client secret of the previous app, which no login uses." in third.stderr
        assert not (bare.directory / "app" / "second.json").exists()
        assert tomllib.loads(config.read_text())["client_id"] == "third"

    def test_a_broken_login_record_is_no_failure(self, bare: Desk) -> None:
        """The app is saved, so the exit code is 0."""
        assert configure_app(bare).returncode == 0
        write(bare.directory / "token" / "default.json", "not ours").parent.chmod(0o700)
        bare.leave_unproved()
        finished = configure(bare, "--client-id", "second", secret="hush")
        assert finished.returncode == 0
        assert "Next: withings-auth login" in finished.stderr
        assert saved_app(bare)["client_secret"] == bare.sandbox.client_secret  # that login may need it

    def test_a_variable_that_overrides_a_saved_value_is_a_warning(self, bare: Desk) -> None:
        """It names the variable and never its value; a variable with the same value needs no warning."""
        bare.leave_unproved()
        finished = configure(
            bare,
            "--client-id",
            "abc",
            secret="hush",
            WITHINGS_CLIENT_ID="other",
            WITHINGS_CLIENT_SECRET="other-hush",
            WITHINGS_SCOPES=SCOPES,
        )
        assert finished.returncode == 0
        named = re.findall(r"warning: (\w+) in the environment differs", finished.stderr)
        assert named == ["WITHINGS_CLIENT_ID", "WITHINGS_CLIENT_SECRET"]
        assert "other-hush" not in finished.stderr


class TestCheck:
    def test_saved_credentials_are_checked_without_a_browser(self, bare: Desk) -> None:
        """It takes one signed request and no question, after the one of `configure` itself."""
        assert configure_app(bare).returncode == 0
        assert bare.sandbox.counters.nonces == 1
        finished = bare.run("configure", "--check")
        assert (finished.returncode, finished.stdout) == (0, "")
        assert "Withings accepts this client id with this client secret." in finished.stderr
        assert bare.sandbox.counters.nonces == 2

    def test_there_is_nothing_to_check(self, bare: Desk) -> None:
        """Exit 2, and a hint."""
        finished = bare.run("configure", "--check")
        assert finished.returncode == 2
        assert "not set: the client id and the client secret" in finished.stderr

    def test_new_values_are_checked_before_they_are_saved(self, bare: Desk, config: Path) -> None:
        """A refusal changes nothing."""
        refused = configure_app(bare, "--check", secret="wrong")
        assert refused.returncode == 2
        assert "Withings does not know this client id with this client secret" in refused.stderr
        assert not config.exists()
        assert not list(bare.directory.rglob("*.json"))
        accepted = configure_app(bare, "--check")
        assert accepted.returncode == 0
        assert "accepts" in accepted.stderr
        assert "Saved: " in accepted.stderr

    def test_no_answer_is_a_temporary_failure(self, bare: Desk, config: Path) -> None:
        """Exit 4, and nothing is saved."""
        bare.sandbox.fail_next("bad_gateway", where="signature")
        assert configure_app(bare, "--check").returncode == 4
        bare.env["WITHINGS_AUTH_API_URL"] = "http://127.0.0.1:9"
        assert configure_app(bare, "--check").returncode == 4
        assert not config.exists()

    def test_a_service_closed_to_this_app_says_neither_yes_nor_no(self, bare: Desk, config: Path) -> None:
        """Exit 1, and nothing is saved."""
        bare.sandbox.fail_next("status", where="signature", status=277, error="Insufficient permission")
        finished = configure_app(bare, "--check")
        assert finished.returncode == 1
        assert "the client secret may be right or wrong: withings-auth login will show" in finished.stderr
        assert not config.exists()
