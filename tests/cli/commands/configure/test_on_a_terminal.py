"""On a terminal: what is asked, in which order, and what an answer changes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.cli.commands.configure.steps import SCOPES, configure_app, saved_app
from tests.support.logins import Desk


def test_everything_is_asked_and_the_dashboard_explained(bare: Desk, config: Path) -> None:
    """The explanation comes first, and the secret is not shown."""
    program = bare.cli.on_terminal("configure", env={**bare.env, "BROWSER": "true"})
    program.screen.expect(r"Registered URLs: http://localhost:8000")
    program.screen.expect("WITHOUT pressing Test")
    program.screen.expect(re.escape("Open the dashboard in your browser? [y/N] "))
    program.type("\n")
    program.screen.expect("Client id: ")
    program.type(f"{bare.sandbox.client_id}\n")
    program.screen.expect(re.escape("Client secret (it is not shown): "))
    program.type(f"{bare.sandbox.client_secret}\n")
    program.screen.expect(re.escape("Redirect URI, exactly as registered [http://localhost:8000]: "))
    program.type(f"{bare.redirect_uri}\n")
    program.screen.expect(re.escape(f"Scopes to request, a comma list [{SCOPES}]: "))
    program.type("user.metric\n")
    program.screen.expect("Invalid answer: Withings has no scope “user.metric”; it has user.info, user.metrics,")
    program.type("\n")
    finished = program.wait()
    assert finished.returncode == 0, finished.screen
    assert "Next: withings-auth login" in finished.screen
    assert tomllib.loads(config.read_text())["scopes"] == SCOPES
    assert saved_app(bare)["client_secret"] == bare.sandbox.client_secret


def test_enter_keeps_present_values(bare: Desk, config: Path) -> None:
    """Present values are the defaults, the saved secret included; the dashboard is not mentioned."""
    assert configure_app(bare, "--scope", "user.info").returncode == 0
    before = config.read_text(), saved_app(bare)
    program = bare.cli.on_terminal("configure", env=bare.env)
    program.screen.expect(re.escape(f"Client id [{bare.sandbox.client_id}]: "))
    program.type("\n")
    program.screen.expect(re.escape("Client secret (it is not shown; Enter keeps the saved one): "))
    program.type("\n")
    program.screen.expect(re.escape(f"[{bare.redirect_uri}]: "))
    program.type("\n")
    program.screen.expect(re.escape("[user.info]: "))
    program.type("\n")
    finished = program.wait()
    assert finished.returncode == 0
    assert "dashboard" not in finished.screen
    assert (config.read_text(), saved_app(bare)) == before


def test_enter_takes_the_secret_in_the_environment(bare: Desk) -> None:
    """The question says so, since it is not the saved one."""
    bare.leave_unproved()
    assert configure_app(bare, secret="wrong").returncode == 0
    env = {**bare.env, "WITHINGS_CLIENT_SECRET": bare.sandbox.client_secret}
    program = bare.cli.on_terminal("configure", env=env)
    for question in ("Client id ", "Enter takes WITHINGS_CLIENT_SECRET", "Redirect URI", "Scopes"):
        program.screen.expect(question)
        program.type("\n")
    assert program.wait().returncode == 0
    assert saved_app(bare)["client_secret"] == bare.sandbox.client_secret


def test_a_secret_of_one_app_is_not_kept_for_another(bare: Desk) -> None:
    """A secret is only ever sent with its own client id."""
    assert configure_app(bare).returncode == 0
    program = bare.cli.on_terminal("configure", env=bare.env)
    program.screen.expect("Client id ")
    program.type("another\n")
    program.screen.expect(re.escape("Client secret (it is not shown): "))
    program.type("\x03")
    assert program.wait().returncode == 130


def test_wrong_answers_are_asked_again_with_the_reason(bare: Desk, config: Path) -> None:
    """After three of them the command ends."""
    assert configure_app(bare).returncode == 0
    before = config.read_text()
    program = bare.cli.on_terminal("configure", env=bare.env)
    program.screen.expect("Client id ")
    program.type("a b\n")
    program.screen.expect("Invalid answer: a client id has no other characters than letters, digits, - and _.")
    program.type("\n")
    program.screen.expect("Client secret ")
    program.type("two words\n")
    program.screen.expect("Invalid answer: a client secret has visible characters only")
    program.screen.expect("Client secret ")  # anything typed before the question is discarded
    program.type("\n")
    program.screen.expect("Redirect URI")
    for _ in range(3):
        program.type("http://localhost\n")
        program.screen.expect("Invalid answer: the redirect URI “http://localhost” cannot work")
    finished = program.wait()
    assert finished.returncode == 2
    assert "3 invalid answers" in finished.screen
    assert "two words" not in finished.screen
    assert config.read_text() == before


@pytest.mark.parametrize(("key", "exit_code"), [("\x03", 130), ("\x04", 2)])
@pytest.mark.parametrize("at", ["Client id", "Client secret", "Redirect URI", "Scopes"])
def test_leaving_half_way_changes_nothing(bare: Desk, config: Path, key: str, exit_code: int, at: str) -> None:
    """Ctrl-C and Ctrl-D, at every question."""
    program = bare.cli.on_terminal("configure", env={**bare.env, "WITHINGS_CLIENT_ID": "abc"})
    for question in ("Client id", "Client secret", "Redirect URI", "Scopes"):
        program.screen.expect(question)
        if question == at:
            break
        program.type("hush\n" if question == "Client secret" else "\n")
    program.type(key)
    assert program.wait().returncode == exit_code
    assert not config.exists()
    assert not list(bare.directory.rglob("*.json"))


def test_only_what_is_missing_is_asked(bare: Desk, config: Path) -> None:
    """Here, only the secret."""
    program = bare.cli.on_terminal("configure", "--client-id", bare.sandbox.client_id, env=bare.env)
    program.screen.expect(re.escape("Client secret (it is not shown): "))
    program.type(f"{bare.sandbox.client_secret}\n")
    finished = program.wait()
    assert finished.returncode == 0
    assert "Redirect URI" not in finished.screen
    assert config.exists()


def test_a_terminal_as_standard_input_hides_the_secret(bare: Desk) -> None:
    """--secret-stdin does not echo it either."""
    flags = ("--client-id", bare.sandbox.client_id, "--secret-stdin")
    program = bare.cli.on_terminal("configure", *flags, env=bare.env)
    program.screen.expect("Client secret")
    program.type(f"{bare.sandbox.client_secret}\n")
    assert program.wait().returncode == 0
    assert saved_app(bare)["client_secret"] == bare.sandbox.client_secret
