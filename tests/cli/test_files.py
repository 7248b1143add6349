"""Files that a user names, or that lie in our directories: no command waits for one or takes a part of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.logins import Desk


@pytest.mark.parametrize("device", [None, "/dev/zero"])
def test_a_configuration_file_that_is_none(desk: Desk, home: Path, device: str | None) -> None:
    """Statement 48: a pipe or a device as config.toml is an error at once, exit code 2."""
    file = home / ".config/withings-auth/config.toml"
    file.parent.mkdir(parents=True)
    file.symlink_to(device) if device else os.mkfifo(file)
    refused = desk.run("token")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"cannot read {file}: it is not a regular file" in refused.stderr


def test_a_pipe_as_env_file(desk: Desk, home: Path) -> None:
    """Statement 48: it is read if the user says `-`, and refused at once otherwise."""
    os.mkfifo(home / "pipe")
    refused = desk.run("configure", "--env-file", str(home / "pipe"))
    assert refused.returncode == 2
    assert "hint: to read a pipe: withings-auth configure --env-file -\n" in refused.stderr
    desk.leave_unproved()
    read = desk.cli("configure", "--env-file", "-", env=desk.env, stdin="CLIENT_ID=abc\nCLIENT_SECRET=hush\n")
    assert read.returncode == 0, read.stderr
    assert "other users of this machine" not in read.stderr
    assert '"client_secret":"hush"' in (desk.directory / "app/abc.json").read_text()


def test_a_large_env_file_is_not_cut(desk: Desk, home: Path) -> None:
    """Statement 48: half of a secret is never saved."""
    file = home / "credentials.sh"
    filling = "# " + "x" * (64 * 1024 - 40) + "\n"
    file.write_text(f"{filling}CLIENT_ID=abc\nCLIENT_SECRET={'0123456789' * 6}\n")
    refused = desk.run("configure", "--env-file", str(file))
    assert refused.returncode == 2
    assert "it has more than 65,536 bytes" in refused.stderr
    assert not list(desk.directory.rglob("*.json"))


def test_a_secret_on_standard_input_is_not_cut(desk: Desk) -> None:
    """Statement 48: too long a secret is refused."""
    refused = desk.cli("configure", "--client-id", "abc", "--secret-stdin", env=desk.env, stdin="x" * 70_000)
    assert refused.returncode == 2
    assert "standard input holds no client secret" in refused.stderr
