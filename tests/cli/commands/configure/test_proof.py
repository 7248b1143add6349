"""Withings is asked whether client id and client secret are right: what was typed is saved after that, if at all."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.commands.configure.steps import configure, configure_app, saved_app
from tests.support.logins import Desk
from tests.support.programs import Program
from tests.support.visitor import VISITOR
from withings_auth.cli import proof
from withings_auth.model import App


def nothing_saved(desk: Desk, config: Path) -> bool:
    return not config.exists() and not list(desk.directory.rglob("*.json"))


def answer(program: Program, **answers: str) -> None:
    """Answers questions by their first words, in this order; an underscore stands for a space."""
    for question, text in answers.items():
        program.screen.expect(question.replace("_", " "))
        program.type(f"{text}\n")


@pytest.mark.parametrize("wrong", ["WITHINGS_CLIENT_ID", "WITHINGS_CLIENT_SECRET"])
def test_a_login_with_wrong_credentials_ends_before_anybody_signs_in(desk: Desk, config: Path, wrong: str) -> None:
    """Exit 2, and nothing stays saved. The browser, which would allow access at once, is not sent on to Withings."""
    finished = desk.run("login", **{"BROWSER": VISITOR, wrong: "wrong"})
    assert finished.returncode == 2
    assert "Withings does not know this client id with this client secret" in finished.stderr
    assert nothing_saved(desk, config)
    assert desk.sandbox.counters.token_requests == 0


def test_a_browser_that_does_not_come_keeps_no_wrong_app_waiting_for_long(desk: Desk, config: Path) -> None:
    """Nor does an address that is only told."""
    for flags in (["--browser", "true"], ["--no-browser"]):
        desk.sandbox.advance(60)  # it refuses the same question within ten seconds
        assert desk.run("login", *flags, WITHINGS_CLIENT_SECRET="wrong").returncode == 2
        assert nothing_saved(desk, config)


def test_a_login_asks_withings_once_and_says_nothing(desk: Desk) -> None:
    """The right credentials cost one request, and no line."""
    finished = desk.run("login", BROWSER=VISITOR)
    assert finished.returncode == 0
    assert finished.stderr.startswith("Opening your browser")
    assert desk.sandbox.counters.nonces == 1


@pytest.mark.parametrize("fault", ["status", "lost"])
def test_without_an_answer_the_login_goes_on_in_silence(desk: Desk, fault: str) -> None:
    """An app that may not sign and a broken connection say nothing about the credentials."""
    desk.sandbox.fail_next(fault, where="signature")  # type: ignore[arg-type]  # one of the sandbox's faults
    finished = desk.run("login", BROWSER=VISITOR)
    assert finished.returncode == 0
    assert finished.stderr.startswith("Opening your browser")


def test_a_slow_answer_is_not_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few seconds the login goes on; the sandbox would take minutes."""
    assert proof.TIME_LIMIT_SECONDS < 10
    monkeypatch.setattr(proof, "TIME_LIMIT_SECONDS", 0.2)
    desk.sandbox.fail_next("slow", where="signature", seconds=120.0)
    app = App(client_id="wrong", client_secret="wrong")
    began = time.monotonic()
    assert proof.proved_app(app, desk.sandbox.url) == app
    assert time.monotonic() - began < 60


def test_a_first_login_lets_a_wrong_secret_be_typed_again(bare: Desk) -> None:
    """Both are asked for again, without showing what was taken for the client id, and proved once each time."""
    bare.env["BROWSER"] = VISITOR
    right, secret = bare.sandbox.client_id, bare.sandbox.client_secret
    swapped = bare.canaries.plant("a secret at the wrong question")
    program = bare.cli.on_terminal("login", env=bare.env)
    answer(program, Open_the_dashboard="", Client_id="x")
    answer(program, Client_secret=swapped, Redirect_URI=bare.redirect_uri, Scopes="")
    program.screen.expect(r"does not know this client id with this client secret \(status 503")
    program.screen.expect("Copy both again from your app at .*Nothing is saved yet")
    program.screen.expect(re.escape("Client id (Enter takes the same): "))
    program.type(f"{right}\n")
    answer(program, Client_secret="wrong-again")
    program.screen.expect(r"\(status 342")
    program.screen.expect(re.escape("Client id (Enter takes the same): "))
    program.type("\n")
    answer(program, Client_secret=secret)
    program.screen.expect("Signed in as Withings user")
    finished = program.wait()
    assert finished.returncode == 0
    assert finished.screen.count("Opening your browser to sign in") == 1
    assert bare.sandbox.counters.nonces == 1, "the login does not ask what configure has just asked"
    assert saved_app(bare)["client_secret"] == secret


def test_three_wrong_secrets_are_the_end(desk: Desk, config: Path) -> None:
    """A login that has only asked for the secret asks for nothing else again."""
    program = desk.cli.on_terminal("login", "--no-browser", env={**desk.env, "WITHINGS_CLIENT_SECRET": None})
    for _ in range(3):
        answer(program, Client_secret="wrong")
    finished = program.wait()
    assert finished.returncode == 2
    where = "from your app at https://developer.withings.com/dashboard/"
    assert finished.screen.count(f"Client secret (it is not shown; copy it {where}): ") == 1
    assert finished.screen.count(f"Copy the client secret again {where}") == 2
    assert "Client id" not in finished.screen
    assert nothing_saved(desk, config)


def test_configure_saves_nothing_that_withings_refuses(bare: Desk, config: Path) -> None:
    """Exit 2 without a terminal, and what was saved before stays."""
    refused = configure_app(bare, secret="wrong")
    assert refused.returncode == 2
    assert "does not know this client id with this client secret" in refused.stderr
    assert nothing_saved(bare, config)
    assert configure_app(bare).returncode == 0
    assert configure(bare, secret="wrong").returncode == 2
    assert saved_app(bare)["client_secret"] == bare.sandbox.client_secret


@pytest.mark.parametrize("variables", [{"WITHINGS_AUTH_API_URL": "http://127.0.0.1:9"}, {"SSL_CERT_FILE": "/nowhere"}])
def test_configure_needs_no_network(bare: Desk, config: Path, variables: Mapping[str, str]) -> None:
    """Without one, or with variables that let no request out, it saves in silence."""
    bare.env.update(variables)
    finished = configure_app(bare, secret="whatever")
    assert finished.returncode == 0
    assert finished.stderr.startswith("Saved: ")
    assert config.exists()
