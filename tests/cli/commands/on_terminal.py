"""Logins at a real terminal, for the tests of what is typed, pasted and shown there."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

from tests.support.logins import Desk, PendingLogin
from tests.support.programs import Program

LOGIN = f"{shlex.quote(sys.executable)} -m withings_auth login"


def waiting(program: Program, desk: Desk) -> PendingLogin:
    """The login on a terminal, once it counts down."""
    url = program.screen.line(r"^http\S+")
    program.screen.expect("Waiting for you: ")
    return PendingLogin(program, url, desk.port, "/")


def on_terminal(desk: Desk, *flags: str) -> PendingLogin:
    """A login on a terminal that shows the address to open."""
    return waiting(desk.cli.on_terminal("login", "--no-browser", *flags, env=desk.env), desk)


def between_settings(desk: Desk, *flags: str) -> PendingLogin:
    """The same, started by a shell that prints the terminal's settings before and after."""
    line = f"trap : INT QUIT TERM; stty -g; {LOGIN} --no-browser {shlex.join(flags)}; code=$?; stty -g; exit $code"
    return waiting(desk.cli.using("sh").on_terminal("-c", line, env=desk.env), desk)


def settings(screen: str) -> list[str]:
    """The lines of `stty -g`."""
    return re.findall(r"[0-9a-f]+(?::[0-9a-f]+){10,}", screen)


def child_of(program: Program) -> int:
    """The process that a shell waits for."""
    return int(Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()[0])


def what_stays(screen: str) -> list[str]:
    """The lines that are visible in the end, after each `\\r` has overwritten one."""
    seen = []
    for line in screen.split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        seen.append(shown.rstrip())
    return seen
