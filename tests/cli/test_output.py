"""What is written to stdout and stderr, and what happens if it cannot be."""

from __future__ import annotations

import shlex
import sys

import pytest

from tests.support.logins import Desk
from tests.support.visitor import VISITOR


def test_the_token_is_alone_on_stdout(desk: Desk) -> None:
    """The answer is the access token and a newline, nothing else; stderr is empty."""
    desk.log_in()
    finished = desk.run("token")
    assert finished.stdout == f"{desk.sandbox.live_access_tokens[-1]}\n"
    assert finished.stderr == ""


@pytest.mark.parametrize("closed", [">&-", "> /dev/full"])
def test_an_answer_that_cannot_be_written_is_a_failure(desk: Desk, closed: str) -> None:
    """Closed stdout or a full disk: a non-zero exit code, one line on stderr, no traceback."""
    desk.log_in()
    command = f"{shlex.quote(sys.executable)} -m withings_auth token {closed}"
    finished = desk.cli.using("bash")("-c", command, env=desk.env)
    assert "Traceback" not in finished.stderr
    assert finished.returncode == 1
    assert finished.stderr.startswith("withings-auth: error: cannot write the answer")


def test_a_reader_that_has_left_sees_no_error(desk: Desk) -> None:
    """`withings-auth api … | head -1` prints no error; only the exit code says that not everything was written."""
    desk.log_in()
    command = f"exec 3> >(true); wait $!; {shlex.quote(sys.executable)} -m withings_auth token >&3"
    finished = desk.cli.using("bash")("-c", command, env=desk.env)
    assert (finished.returncode, finished.stdout, finished.stderr) == (1, "", "")


@pytest.mark.parametrize("arguments", ["--version", "token --help"])
def test_help_that_cannot_be_written_is_a_failure_too(desk: Desk, arguments: str) -> None:
    """A full disk is noticed for every kind of output."""
    command = f"{shlex.quote(sys.executable)} -m withings_auth {arguments} > /dev/full"
    assert desk.cli.using("bash")("-c", command, env=desk.env).returncode == 1


@pytest.mark.parametrize("arguments", [("configure", "--help"), ("doctor", "--offline"), ("doctor", "-h")])
def test_characters_that_stdout_cannot_encode_are_escaped(desk: Desk, arguments: tuple[str, ...]) -> None:
    """As with a pipe or a file on Windows: no traceback, and nothing is lost."""
    desk.put_login()
    finished = desk.run(*arguments, PYTHONIOENCODING="ascii")
    assert "Traceback" not in finished.stderr
    assert ("\\u2026" in finished.stdout) == (arguments != ("doctor", "-h"))


@pytest.mark.parametrize("store", ["file:~nobody-of-this-name/x", "file:relative"])
def test_an_impossible_store_is_an_error(desk: Desk, store: str) -> None:
    """Exit 2 and a hint, not a traceback."""
    finished = desk.run("token", WITHINGS_AUTH_STORE=store)
    assert (finished.returncode, "Traceback" in finished.stderr) == (2, False)


def test_a_closed_stderr_is_no_failure(desk: Desk) -> None:
    """Messages are dropped, and the answer is printed."""
    desk.log_in()
    command = f"{shlex.quote(sys.executable)} -m withings_auth token 2>&-"
    finished = desk.cli.using("bash")("-c", command, env=desk.env, allow=desk.sandbox.live_access_tokens)
    assert finished.returncode == 0


def test_no_secret_is_logged_or_printed(desk: Desk) -> None:
    """Statement 23: login, renewal and logout show no secret, with all logging and all warnings on."""
    everything = (
        "import logging, sys; logging.basicConfig(level=logging.DEBUG);"
        "from withings_auth.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    loud = desk.cli.using(sys.executable, "-X", "dev", "-c", everything)
    env = {**desk.env, "BROWSER": VISITOR}
    assert loud("login", env=env).returncode == 0
    desk.grow_older(10_800)
    shown: list[str] = []
    finished = loud("token", env=env, allow=shown)
    shown.append(finished.stdout.strip())
    assert finished.returncode == 0
    assert loud("logout", env=env).returncode == 0
    assert len(desk.sandbox.secrets) >= 6  # the canaries look for these when the test ends
