"""The way to an app of your own: the dashboard is explained and opened, and a first login leads there."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.cli.commands.configure.steps import configure, paste_next
from tests.support.logins import Desk
from tests.support.visitor import VISITOR


class TestDashboard:
    def opener(self, home: Path) -> str:
        return f"sh -c 'printf %s \"$1\" > {home}/opened' sh %s"

    def test_it_is_opened_on_request(self, bare: Desk, home: Path) -> None:
        """In the browser that a login would use."""
        bare.leave_unproved()
        finished = configure(bare, "--open-dashboard", "--client-id", "abc", secret="hush", BROWSER=self.opener(home))
        assert finished.returncode == 0
        bare.wait_for(lambda: (home / "opened").exists() and bool((home / "opened").read_text()))
        assert (home / "opened").read_text() == "https://developer.withings.com/dashboard/"

    def test_it_is_opened_after_a_yes(self, bare: Desk, home: Path) -> None:
        """And not before."""
        program = bare.cli.on_terminal("configure", env={**bare.env, "BROWSER": self.opener(home)})
        program.screen.expect("Open the dashboard in your browser")
        assert not (home / "opened").exists()
        program.type("y\n")
        program.screen.expect("Opening your browser.")
        bare.wait_for((home / "opened").exists)
        program.type("\x03")
        program.wait()

    def test_a_client_id_instead_of_an_answer_is_taken(self, bare: Desk, config: Path) -> None:
        """The next question hides what is typed, so that a secret pasted next is not shown."""
        program = bare.cli.on_terminal("configure", env={**bare.env, "BROWSER": "true"})
        program.screen.expect("Open the dashboard in your browser")
        program.type(f"{bare.sandbox.client_id}\n")
        program.screen.expect("That is taken as the client id.\r?\nClient secret")
        program.type(f"{bare.sandbox.client_secret}\n")
        program.screen.expect("Redirect URI")
        program.type("\n")
        program.screen.expect("Scopes")
        program.type("\n")
        assert program.wait().returncode == 0
        assert tomllib.loads(config.read_text())["client_id"] == bare.sandbox.client_id

    def test_without_a_screen_nothing_is_asked_about_a_browser(self, bare: Desk) -> None:
        """As in a container: the explanation has the address, and the first question is about the client id."""
        program = bare.cli.on_terminal("configure", env={**bare.env, "container": "docker"})
        program.screen.expect("and come back here.\r?\nClient id: ")
        program.type("\x03")
        assert "Open the dashboard" not in program.wait().screen

    def test_without_a_screen_only_the_address_is_shown(self, bare: Desk) -> None:
        """As over SSH, in a container, or without a display."""
        bare.leave_unproved()
        finished = configure(bare, "--open-dashboard", "--client-id", "abc", secret="hush", SSH_TTY="/dev/pts/0")
        assert finished.returncode == 0
        assert "No browser was opened (this is a session over SSH)." in finished.stderr
        assert "At https://developer.withings.com/dashboard/ create an app" in finished.stderr


def test_a_login_without_an_app_asks_for_one_and_goes_on(bare: Desk, config: Path) -> None:
    """One command takes a newcomer all the way to a token."""
    bare.env["BROWSER"] = VISITOR
    program = bare.cli.on_terminal("login", env=bare.env)
    program.screen.expect("Open the dashboard in your browser")
    program.type("\n")
    program.screen.expect("Client id: ")
    program.type(f"{bare.sandbox.client_id}\n")
    program.screen.expect("Client secret")
    program.type(f"{bare.sandbox.client_secret}\n")
    program.screen.expect("Redirect URI")
    program.type(f"{bare.redirect_uri}\n")
    program.screen.expect("Scopes")
    program.type("user.metrics\n")
    program.screen.expect("Signed in as Withings user")
    finished = program.wait()
    assert finished.returncode == 0
    assert "Next: withings-auth login" not in finished.screen, "the login has begun"
    assert config.exists()
    assert paste_next(bare, finished.screen).returncode == 0, "a new shell finds the login"


def test_a_login_without_an_app_and_a_terminal_says_what_to_do(bare: Desk) -> None:
    """Exit 2."""
    finished = bare.run("login")
    assert finished.returncode == 2
    assert "then: withings-auth configure" in finished.stderr
