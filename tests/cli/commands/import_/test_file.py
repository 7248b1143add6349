"""Which files are read, and what becomes of them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cli.commands.import_.steps import NO_APP, change, import_file
from tests.support.logins import Desk


def test_it_is_removed_on_request(desk: Desk, file: Path) -> None:
    """After the save."""
    finished = import_file(desk, file, "--remove")
    assert finished.returncode == 0
    assert f"Removed {file}." in finished.stderr
    assert not file.exists()


def test_it_is_kept_if_nothing_was_saved(desk: Desk, file: Path) -> None:
    """Even with --remove."""
    desk.sandbox.kill_refresh_token()
    assert import_file(desk, file, "--remove").returncode == 3
    assert file.exists()


def test_of_a_link_only_the_link_is_removed(desk: Desk, file: Path, home: Path) -> None:
    """And the message says so."""
    link = home / "link.json"
    link.symlink_to(file)
    finished = import_file(desk, link, "--remove")
    assert f"Removed {link}, a link, but not its target: {file.resolve()}" in finished.stderr
    assert not link.is_symlink()
    assert file.exists()


def test_a_file_that_is_gone_cannot_be_removed(desk: Desk, file: Path) -> None:
    """Exit 1, since nothing was removed; the login is imported."""
    program = desk.cli.on_terminal("import", str(file), env=desk.env)
    program.screen.expect(re.escape("? [y/N] "))
    file.unlink()
    program.type("y\n")
    finished = program.wait()
    assert finished.returncode == 1
    assert f"cannot remove {file}: cannot read" in finished.screen
    assert desk.run("token").returncode == 0


def test_a_file_that_has_changed_is_kept(desk: Desk, file: Path) -> None:
    """Exit 1: the other tool may have saved something newer."""
    program = desk.cli.on_terminal("import", str(file), env=desk.env)
    program.screen.expect(re.escape("? [y/N] "))
    change(file, last_sync=1)
    program.type("y\n")
    finished = program.wait()
    assert finished.returncode == 1
    assert "has changed in the meantime, so it was kept" in finished.screen
    assert file.exists()


@pytest.mark.parametrize(
    ("typed", "stays"), [("y\n", False), ("yes\n", False), ("\n", True), ("n\n", True), ("\x04", True)]
)
def test_removal_is_offered_on_a_terminal(desk: Desk, file: Path, typed: str, stays: bool) -> None:
    """No is the default."""
    program = desk.cli.on_terminal("import", str(file), env=desk.env)
    program.screen.expect(re.escape(f"Remove {file}? [y/N] "))
    assert (desk.directory / "token" / "default.json").exists()
    program.type(typed)
    assert program.wait().returncode == 0
    assert file.exists() is stays


def test_keep_asks_nothing(desk: Desk, file: Path) -> None:
    """Nor does it say that the file was kept."""
    finished = desk.cli.on_terminal("import", str(file), "--keep", env=desk.env).wait()
    assert finished.returncode == 0
    assert "Remove" not in finished.screen
    assert file.exists()


def test_a_client_secret_in_it_is_mentioned(desk: Desk, file: Path) -> None:
    """It outlives the login, is saved here, and is named in the question."""
    change(file, client_id=desk.sandbox.client_id, consumer_secret=desk.sandbox.client_secret)
    env = {**desk.env, **NO_APP}
    program = desk.cli.on_terminal("import", str(file), env=env)
    program.screen.expect("also holds the app's client secret, which still works")
    program.screen.expect(re.escape(f"Remove {file} with the client secret? [y/N] "))
    program.type("\n")
    assert program.wait().returncode == 0
    desk.grow_older(10_800)
    assert desk.run("token", **NO_APP).returncode == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff", "is not text in UTF-8 or UTF-16"),
        (b"{}", "no login in a supported format"),
        (b'{"client_id": "a", "consumer_secret": "hush"}', "an app's credentials but no login"),
        (b'{"access_token": "a", "refresh_token": "r;\\u001b[31m"}', "is not a token"),
        (None, "cannot read"),
    ],
)
def test_anything_but_a_login_is_refused(desk: Desk, home: Path, content: bytes | None, reason: str) -> None:
    """Exit 2; nothing is sent and nothing is saved."""
    if content is not None:
        (home / "file").write_bytes(content)
    finished = import_file(desk, home / "file")
    assert finished.returncode == 2
    assert reason in finished.stderr
    assert "\x1b" not in finished.stderr
    assert desk.sandbox.counters.token_requests == 0
    assert not list(desk.directory.rglob("*.json"))


def test_a_pipe_or_a_directory_is_refused_at_once(desk: Desk, home: Path) -> None:
    """Nothing hangs."""
    os.mkfifo(home / "pipe")
    assert "is not a regular file" in import_file(desk, home / "pipe").stderr
    assert import_file(desk, home).returncode == 2
