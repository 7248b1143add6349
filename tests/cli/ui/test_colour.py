"""Colours are for terminals only, unless NO_COLOR is set or the terminal is dumb."""

from __future__ import annotations

import io
import re
import shlex
import sys

import pytest

from tests.support.logins import Desk
from withings_auth.cli import COMMANDS
from withings_auth.cli.ui.terminal import coloured

COLOUR = re.compile(r"\x1b\[\d+m")
RED, GREEN, YELLOW, BOLD, DIM, PLAIN = (f"\x1b[{code}m" for code in (31, 32, 33, 1, 2, 0))


SAY_MUCH = pytest.mark.parametrize(
    "arguments", [(), ("tokn",), ("status", "-v"), ("list",), ("doctor", "--offline")], ids=" ".join
)


def on_screen(desk: Desk, *arguments: str, **env: str | None) -> str:
    """What a terminal shows, escape sequences and all."""
    return desk.cli.on_terminal(*arguments, env={**desk.env, "TERM": "xterm", "NO_COLOR": None, **env}).wait().screen


def test_on_a_terminal_errors_and_hints_stand_out(desk: Desk) -> None:
    screen = on_screen(desk, "token")
    assert f"withings-auth: {RED}error:{PLAIN} nobody is logged in" in screen
    assert f"{BOLD}hint:{PLAIN} log in" in screen


def test_the_bare_name_shows_at_a_glance_how_you_stand(desk: Desk) -> None:
    assert f"{YELLOW}Nobody is logged in as profile default.{PLAIN}" in on_screen(desk)
    desk.put_login()
    assert f"{GREEN}Logged in as Withings user 38210457, profile default.{PLAIN}" in on_screen(desk)


def test_what_v_says_stands_back(desk: Desk) -> None:
    """It is dim, and ends with its line."""
    lines = [line for line in on_screen(desk, "status", "-v").splitlines() if "cli.options: profile" in line]
    assert len(lines) == 1
    assert lines[0].startswith(DIM)
    assert lines[0].endswith(PLAIN)


def test_a_warning_is_yellow(desk: Desk) -> None:
    desk.put_login(age=340 * 86_400)
    assert f"{YELLOW}warning: ends on " in on_screen(desk, "status")
    assert YELLOW in on_screen(desk, "list")


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"NO_COLOR": "anything"}, {"TERM": "dumb"}], ids=str)
@SAY_MUCH
def test_where_it_is_not_wanted_there_is_none(desk: Desk, arguments: tuple[str, ...], env: dict[str, str]) -> None:
    """The same rule holds for every command (no-color.org: the variable is set and not empty)."""
    desk.put_login(age=340 * 86_400)
    assert COLOUR.search(on_screen(desk, *arguments, **env)) is None


def test_an_empty_no_color_says_nothing(desk: Desk) -> None:
    """As no-color.org says."""
    assert COLOUR.search(on_screen(desk, "token", NO_COLOR=""))


@SAY_MUCH
@pytest.mark.parametrize("forced", [{}, {"FORCE_COLOR": "1"}, {"CLICOLOR_FORCE": "1"}], ids=str)
def test_a_pipe_gets_none(desk: Desk, arguments: tuple[str, ...], forced: dict[str, str]) -> None:
    """A file or a pipe gets no colour, whatever other variables say."""
    desk.put_login(age=340 * 86_400)
    finished = desk.run(*arguments, **forced)
    assert COLOUR.search(finished.stdout + finished.stderr) is None


def test_each_stream_is_judged_by_itself(desk: Desk) -> None:
    """stdout in a file, stderr on the terminal: the answer is plain, the error is red."""
    desk.put_login(age=370 * 86_400)
    shell = desk.cli.using("sh")
    file = desk.directory.parent / "answer"
    command = f"{shlex.quote(sys.executable)} -m withings_auth status > {file}"
    screen = shell.on_terminal("-c", command, env={**desk.env, "TERM": "xterm", "NO_COLOR": None}).wait().screen
    assert f"{RED}error:" in screen
    assert COLOUR.search(file.read_text()) is None


def test_a_closed_stream_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    stream = io.StringIO()
    stream.close()
    assert coloured("text", "red", stream) == "text"


@pytest.mark.parametrize("command", [(), *((command,) for command in COMMANDS)], ids=" ".join)
def test_help_is_plain_everywhere(desk: Desk, command: tuple[str, ...]) -> None:
    """Even with newer versions of Python, where argparse has colour rules of its own."""
    assert "\x1b" not in on_screen(desk, *command, "--help", FORCE_COLOR="1", PYTHON_COLORS="1")


@pytest.mark.parametrize("arguments", [("--help",), ("token", "--help"), ("token", "--wait", "soon")], ids=" ".join)
def test_so_it_is_in_a_pipe(desk: Desk, arguments: tuple[str, ...]) -> None:
    """No variable of Python's brings colours into it."""
    finished = desk.run(*arguments, FORCE_COLOR="1", PYTHON_COLORS="1")
    assert "\x1b" not in finished.stdout + finished.stderr
