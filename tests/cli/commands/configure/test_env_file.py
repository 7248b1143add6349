"""A file of shell variables: what it gives, and what is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.cli.commands.configure.steps import configure, configure_app, saved_app, write
from tests.support.logins import Desk


def test_the_file_of_a_script_is_enough(bare: Desk, config: Path, home: Path) -> None:
    """Everything comes from it; its fixed STATE is ignored with a note."""
    file = write(
        home / "credentials.sh",
        f"export CLIENT_ID='{bare.sandbox.client_id}'\nexport CONSUMER_SECRET='{bare.sandbox.client_secret}'\n"
        f"export STATE=withings\nexport SCOPE=user.info,user.metrics\nexport REDIRECT_URL={bare.redirect_uri}\n",
    )
    finished = configure(bare, "--env-file", str(file))
    assert finished.returncode == 0, finished.stderr
    assert "STATE is ignored: a fixed one protects nothing" in finished.stderr
    assert "warning" not in finished.stderr
    assert tomllib.loads(config.read_text())["scopes"] == "user.info,user.metrics"
    assert bare.log_in().returncode == 0


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_what_windows_writes_is_read(bare: Desk, home: Path, encoding: str) -> None:
    """With the byte order mark of an editor, or of PowerShell's `>`."""
    (home / "env").write_bytes("CLIENT_ID=abc\r\nCLIENT_SECRET=hush\r\n".encode(encoding))
    bare.leave_unproved()
    finished = configure(bare, "--env-file", str(home / "env"))
    assert finished.returncode == 0, finished.stderr
    assert '"client_secret":"hush"' in (bare.directory / "app/abc.json").read_text()


def test_flags_come_first(bare: Desk, config: Path, home: Path) -> None:
    """And so does standard input."""
    file = write(home / "env", "CLIENT_ID=other\nCLIENT_SECRET=other\nSCOPE=user.info\n")
    finished = configure_app(bare, "--env-file", str(file))
    assert finished.returncode == 0
    assert tomllib.loads(config.read_text())["client_id"] == bare.sandbox.client_id
    assert saved_app(bare)["client_secret"] == bare.sandbox.client_secret
    assert saved_app(bare)["scopes"] == ["user.info"]


def test_a_secret_that_others_can_read_is_a_warning(bare: Desk, home: Path) -> None:
    """It is used all the same."""
    file = write(home / "env", "CLIENT_ID=abc\nCLIENT_SECRET=hush\n", 0o644)
    bare.leave_unproved()
    finished = configure(bare, "--env-file", str(file))
    assert finished.returncode == 0
    assert "warning: other users of this machine can read" in finished.stderr


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"CLIENT_ID=$ID\n", "line 1 of the file needs a shell"),
        (b"CLIENT_ID=a\nCONSUMER_KEY=b\n", "lines 1 and 2 of the file give two values for the client id"),
        (b"PATH=/bin\n", "says nothing about an app"),
        (b"CLIENT_ID=\xff\n", "is not text in UTF-8 or UTF-16"),
        (b"CLIENT_ID='a b'\nCLIENT_SECRET=hush\n", "the client id is invalid"),
        (None, "cannot read"),
    ],
)
def test_an_unusable_file_is_refused(bare: Desk, config: Path, home: Path, content: bytes | None, reason: str) -> None:
    """Exit 2 with the reason, and nothing is written."""
    if content is not None:
        (home / "env").write_bytes(content)
    finished = configure(bare, "--env-file", str(home / "env"))
    assert finished.returncode == 2
    assert reason in finished.stderr
    assert not config.exists()
