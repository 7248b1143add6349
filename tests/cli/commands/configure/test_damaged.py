"""A damaged or lost record of an app: whatever brings the client secret repairs it, and no login is lost."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.commands.configure.steps import configure, configure_app, saved_app
from tests.support.logins import Desk

DAMAGED = pytest.mark.parametrize(
    "text",
    ["not JSON", "{}", "\udcff", '{"version": 1, "client_id": "other", "client_secret": "hush", "redirect_uri": "x"}'],
    ids=["no JSON", "empty", "no UTF-8", "another app"],
)


def damage(desk: Desk, text: str = "not JSON") -> Path:
    """Replaces the record of the sandbox's app; returns its path."""
    path = desk.directory / "app" / f"{desk.sandbox.client_id}.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return path


def token_works(desk: Desk, *flags: str) -> bool:
    """Whether the login can be renewed."""
    return desk.run("token", "--renew", *flags).returncode == 0


@DAMAGED
def test_flags_and_standard_input_repair_it(bare: Desk, text: str) -> None:
    """Without a new login: the same refresh token works with the secret that was given."""
    bare.put_login()
    damage(bare, text)
    refused = bare.run("token", "--renew")
    assert refused.returncode == 5
    assert "to replace it, without a new login: withings-auth configure" in refused.stderr
    finished = configure(bare, "--client-id", bare.sandbox.client_id, secret=bare.sandbox.client_secret)
    assert finished.returncode == 0, finished.stderr
    assert saved_app(bare)["client_secret"] == bare.sandbox.client_secret
    assert token_works(bare)


@DAMAGED
def test_a_login_with_a_given_secret_repairs_it(desk: Desk, text: str) -> None:
    """The secret comes from the environment, and the record is whole before the browser opens."""
    desk.put_login()
    damage(desk, text)
    pending = desk.start()
    assert saved_app(desk)["client_secret"] == desk.sandbox.client_secret
    pending.allow()
    assert pending.wait().returncode == 0
    desk.grow_older(10_800)
    assert desk.run("token", WITHINGS_CLIENT_SECRET=None).returncode == 0


def test_a_login_asks_for_the_secret_that_is_lost(desk: Desk) -> None:
    """On a terminal."""
    desk.put_login()
    damage(desk)
    desk.canaries.plant("the client secret", desk.sandbox.client_secret)
    env = {**desk.env, "WITHINGS_CLIENT_SECRET": None}
    program = desk.cli.on_terminal("login", "--no-browser", env=env)
    program.screen.expect("Client secret .*dashboard/\\): ")
    program.type(f"{desk.sandbox.client_secret}\n")
    program.screen.expect("Open this address in a browser")
    assert saved_app(desk)["client_secret"] == desk.sandbox.client_secret
    program.type("\x03")
    assert program.wait().returncode == 130


def test_nothing_repairs_it_without_a_secret(bare: Desk) -> None:
    """Exit 2, and the record stays as it is."""
    assert configure_app(bare).returncode == 0
    path = damage(bare)
    refused = configure(bare, "--client-id", bare.sandbox.client_id)
    assert refused.returncode == 2
    assert "not set: the client secret" in refused.stderr
    assert bare.run("login", WITHINGS_CLIENT_ID=bare.sandbox.client_id).returncode == 2
    assert path.read_text() == "not JSON"


def test_a_record_of_a_newer_version_is_not_touched(bare: Desk) -> None:
    """It is not damaged, and the newer program needs it."""
    assert configure_app(bare).returncode == 0
    path = damage(bare, '{"version": 2}')
    refused = configure_app(bare)
    assert refused.returncode == 5
    assert "written by a newer withings-auth" in refused.stderr
    env = {"WITHINGS_CLIENT_ID": bare.sandbox.client_id, "WITHINGS_CLIENT_SECRET": bare.sandbox.client_secret}
    assert bare.run("login", **env).returncode == 5
    assert json.loads(path.read_text()) == {"version": 2}


@pytest.mark.parametrize("gone", [True, False])
def test_on_a_terminal_the_app_of_the_login_comes_first(bare: Desk, config: Path, gone: bool) -> None:
    """If its secret is lost, even if config.toml names another app: that one stays set, and keeps its secret."""
    bare.env["WITHINGS_REDIRECT_URI"] = bare.redirect_uri
    bare.put_login("mum")
    bare.leave_unproved()
    assert configure(bare, "--client-id", "another", "--redirect-uri", bare.redirect_uri, secret="hush").returncode == 0
    path = damage(bare)
    if gone:
        path.unlink()
    before = config.read_text()
    program = bare.cli.on_terminal("configure", "--profile", "mum", env=bare.env)
    program.screen.expect(re.escape(f"Client id [{bare.sandbox.client_id}]: "))
    program.type("\n")
    program.screen.expect(re.escape("Client secret (it is not shown): "))
    program.type(f"{bare.sandbox.client_secret}\n")
    program.screen.expect(re.escape(f"[{bare.redirect_uri}]: "))
    program.type("\n")
    program.screen.expect("Scopes to request")
    program.type("\n")
    finished = program.wait()
    assert finished.returncode == 0, finished.screen
    assert "the app of profile mum. config.toml names another one" in finished.screen
    assert token_works(bare, "--profile", "mum")
    assert config.read_text() == before
    assert (bare.directory / "app" / "another.json").exists()


def test_a_damaged_login_does_not_matter_to_configure(bare: Desk) -> None:
    """Nobody knows its app, so the one that is set comes first."""
    assert configure_app(bare).returncode == 0
    bare.put_login("mum")
    (bare.directory / "token" / "mum.json").write_text("not JSON")
    program = bare.cli.on_terminal("configure", "--profile", "mum", env=bare.env)
    program.screen.expect(re.escape(f"Client id [{bare.sandbox.client_id}]: "))
    program.type("\x03")
    assert program.wait().returncode == 130


def test_a_login_replaces_a_damaged_one_and_keeps_the_secret(bare: Desk) -> None:
    """As the hint says, even if nothing but the store names the app."""
    bare.env["WITHINGS_REDIRECT_URI"] = bare.redirect_uri
    bare.put_login()
    (bare.directory / "token" / "default.json").write_text("not JSON")
    refused = bare.run("login")
    assert refused.returncode == 5
    assert "; to replace it: withings-auth login --replace; " in refused.stderr
    assert bare.log_in("--replace").returncode == 0
    assert token_works(bare)
