"""Without a terminal: what flags, standard input and the environment give, and what is refused."""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path

import pytest

from tests.cli.commands.configure.steps import configure, configure_app, saved_app
from tests.support.logins import Desk


def test_flags_and_standard_input_are_enough(bare: Desk, config: Path) -> None:
    """The secret goes to the store only, the rest to config.toml, both private; a login needs nothing else."""
    finished = configure_app(bare, "--scope", "user.metrics", secret=f"{bare.sandbox.client_secret}\n")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == ""
    assert tomllib.loads(config.read_text()) == {
        "client_id": bare.sandbox.client_id,
        "redirect_uri": bare.redirect_uri,
        "scopes": "user.metrics",
        "store": f"file:{bare.directory}",
    }
    assert saved_app(bare)["client_secret"] == bare.sandbox.client_secret
    assert (stat.S_IMODE(config.stat().st_mode), stat.S_IMODE(config.parent.stat().st_mode)) == (0o600, 0o700)
    assert bare.log_in().returncode == 0
    assert json.loads((bare.directory / "token" / "default.json").read_text())["scopes"] == ["user.metrics"]


@pytest.mark.parametrize(
    ("flags", "secret", "missing"),
    [
        ((), None, "the client id and the client secret"),
        (("--client-id", "abc"), None, "the client secret"),
        ((), "hush", "the client id"),
        (("--open-dashboard", "--client-id", "abc"), None, "the client secret"),
    ],
)
def test_what_is_missing_is_named(
    bare: Desk, config: Path, flags: tuple[str, ...], secret: str | None, missing: str
) -> None:
    """Exit 2, and nothing is written."""
    finished = configure(bare, *flags, secret=secret)
    assert finished.returncode == 2
    assert f"error: not set: {missing}\n" in finished.stderr
    assert "--env-file FILE" in finished.stderr
    assert not config.exists()
    assert not list(bare.directory.rglob("*.json"))


def test_a_secret_in_the_environment_belongs_to_the_client_id_beside_it(bare: Desk) -> None:
    """It is used for that client id and for no other."""
    both = {"WITHINGS_CLIENT_ID": bare.sandbox.client_id, "WITHINGS_CLIENT_SECRET": bare.sandbox.client_secret}
    other = configure(bare, "--client-id", "other", **both)
    assert other.returncode == 2
    assert "not set: the client secret" in other.stderr
    assert configure(bare, **both).returncode == 0
    assert saved_app(bare)["client_secret"] == bare.sandbox.client_secret


@pytest.mark.parametrize(
    ("flags", "secret", "reason"),
    [
        (("--client-id", "a b"), "hush", "the client id is invalid"),
        (("--client-id", "abc", "--scope", "user;info"), "hush", "--scope: “user;info” cannot be a scope"),
        (("--client-id", "abc", "--scope", ","), "hush", "--scope names no scope"),
        (("--client-id", "abc", "--redirect-uri", "http://localhost"), "hush", "it names no port to listen on"),
        (("--client-id", "abc", "--redirect-uri", "https://me.example/cb"), "hush", "does not lead to localhost"),
        (("--client-id", "abc", "--listen", "everywhere"), "hush", "cannot listen on “everywhere”"),
        (("--client-id", "abc"), "", "a client secret is required"),
        (("--client-id", "abc"), "hush\nhush", "standard input holds no client secret"),
        (("--client-id", "abc"), "\xff", "standard input holds no client secret"),
    ],
)
def test_invalid_values_are_refused(bare: Desk, config: Path, flags: tuple[str, ...], secret: str, reason: str) -> None:
    """Exit 2 with the reason, and nothing is written."""
    finished = configure(bare, *flags, secret=secret)
    assert finished.returncode == 2
    assert reason in finished.stderr
    assert not config.exists()
    assert not list(bare.directory.rglob("*.json"))


def test_a_redirect_uri_that_leads_elsewhere_needs_a_listening_address(bare: Desk, config: Path) -> None:
    """The address is saved as well, since `login` needs it."""
    bare.leave_unproved()
    uri = ("--redirect-uri", "https://me.example/cb", "--listen", "127.0.0.1:8000")
    assert configure(bare, "--client-id", "abc", *uri, secret="hush").returncode == 0
    assert tomllib.loads(config.read_text())["listen"] == "127.0.0.1:8000"


def test_the_secret_is_not_a_flag(bare: Desk) -> None:
    """Statement 25: and the error does not repeat what was typed as one."""
    finished = configure(bare, "--client-secret", "hush-hush")
    assert finished.returncode == 2
    assert "hush-hush" not in finished.stderr
