"""Which app an imported login belongs to, and which secret is sent for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands.import_.steps import NO_APP, change, configure, import_file
from tests.support.logins import Desk


def test_the_configured_app_is_used(desk: Desk, file: Path) -> None:
    """If the file names none; its secret comes from the store."""
    configure(desk, desk.sandbox.client_id, desk.sandbox.client_secret)
    assert import_file(desk, file, **NO_APP).returncode == 0


def test_no_app_is_known(desk: Desk, file: Path) -> None:
    """Exit 2, and two remedies."""
    finished = import_file(desk, file, **NO_APP)
    assert finished.returncode == 2
    assert "--client-id ID, or run withings-auth configure first" in finished.stderr


def test_no_secret_is_known(desk: Desk, file: Path) -> None:
    """Exit 2 without a terminal."""
    finished = import_file(desk, file, WITHINGS_CLIENT_SECRET=None)
    assert finished.returncode == 2
    assert "the client secret is not set" in finished.stderr


def test_both_are_asked_for_on_a_terminal(desk: Desk, file: Path) -> None:
    """The secret is not shown."""
    env = {**desk.env, **NO_APP}
    desk.canaries.plant("the client secret", desk.sandbox.client_secret)
    program = desk.cli.on_terminal("import", str(file), "--keep", env=env)
    program.screen.expect("Client id of the app that the other tool used: ")
    program.type(f"{desk.sandbox.client_id}\n")
    program.screen.expect("Client secret")
    program.type(f"{desk.sandbox.client_secret}\n")
    assert program.wait().returncode == 0


@pytest.mark.parametrize("flag", [True, False])
def test_the_file_names_another_app(desk: Desk, file: Path, flag: bool) -> None:
    """Statement 38: a variable that differs is an error, exit 2, and so is a flag."""
    change(file, client_id="another", consumer_secret="hush")
    flags, env = (("--client-id", "mine"), {"WITHINGS_CLIENT_ID": None}) if flag else ((), {})
    finished = import_file(desk, file, *flags, **env)
    assert finished.returncode == 2
    assert f"another app than {'--client-id' if flag else 'WITHINGS_CLIENT_ID'}" in finished.stderr
    assert desk.sandbox.counters.token_requests == 0


def test_the_secret_of_another_app_is_not_sent_for_it(desk: Desk, file: Path) -> None:
    """Statement 38: a secret in the environment belongs to the app in config.toml, and the file has its own."""
    desk.leave_unproved()
    configure(desk, "another", "hush")
    change(file, client_id=desk.sandbox.client_id, consumer_secret=desk.sandbox.client_secret)
    finished = import_file(desk, file, WITHINGS_CLIENT_ID=None, WITHINGS_CLIENT_SECRET="hush")
    assert finished.returncode == 0, finished.stderr


def test_a_wrong_secret_saves_nothing(desk: Desk, file: Path) -> None:
    """Exit 2, and the refresh token in the file still works."""
    refused = import_file(desk, file, WITHINGS_CLIENT_SECRET="wrong")
    assert refused.returncode == 2
    assert not list(desk.directory.rglob("*.json"))
    assert json.loads(file.read_text())["refresh_token"] in desk.sandbox.live_refresh_tokens
