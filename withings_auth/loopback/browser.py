"""How a browser is started: as an argument vector, with its output thrown away, never through a shell.

A browser that was named, by `--browser` or `BROWSER`, is always tried. Otherwise one is started only where a person
would see it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from withings_auth.outside import printable

_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
_DESKTOP_OPENERS = ("xdg-open", "wslview", "gnome-open", "sensible-browser", "x-www-browser", "firefox", "chromium")
_WINDOWS_OPENER = "startfile"  # a call, not a program


@dataclass(frozen=True, slots=True)
class NotStarted:
    """No browser was started, and why, to stand in brackets."""

    why: str


def start(
    url: str,
    *,
    named: str | None = None,
    environ: Mapping[str, str] | None = None,
    on_failure: Callable[[], None] = lambda: None,
) -> NotStarted | None:
    """Opens the URL in a browser. `named` is a command in the syntax of one entry of `BROWSER`.

    `on_failure` is called, in another thread, if the browser's process ends with an error later.
    """
    environ = os.environ if environ is None else environ
    chosen = choose(named, environ)
    if isinstance(chosen, NotStarted):
        return chosen
    for command in chosen:
        if command == _WINDOWS_OPENER and sys.platform == "win32":
            os.startfile(url)  # noqa: S606  no shell is the point, and the URL is ours
            return None
        if _run(_arguments(command, url), environ, on_failure):
            return None
    return NotStarted(f"{' and '.join(map(printable, chosen))} cannot be started")


def choose(named: str | None, environ: Mapping[str, str]) -> list[str] | NotStarted:
    """Returns the commands to try, in order, or why there is none that a person would see."""
    commands = _named_commands(named, environ)
    if commands:
        return commands
    reason = _nobody_would_see_it(environ)
    if reason:
        return NotStarted(reason)
    if sys.platform in {"win32", "darwin"}:
        return [_WINDOWS_OPENER if sys.platform == "win32" else "open"]
    return list(filter(shutil.which, _DESKTOP_OPENERS)) or NotStarted("this machine has none")


def _named_commands(named: str | None, environ: Mapping[str, str]) -> list[str]:
    if named:
        return [named]
    return [command.strip() for command in environ.get("BROWSER", "").split(os.pathsep) if command.strip()]


def _nobody_would_see_it(environ: Mapping[str, str]) -> str:
    if any(mark.exists() for mark in _CONTAINER_MARKS):
        return "this is a container"
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
        return "this is a session over SSH"
    if sys.platform in {"win32", "darwin"} or environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        return ""
    return "there is no display"


def _arguments(command: str, url: str) -> list[str]:
    """Returns the argument vector for one entry of `BROWSER`: `%s` stands for the URL, else it comes last."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = [command]
    words = words[:-1] if words[-1:] == ["&"] else words  # everything runs in the background here
    if any("%s" in word for word in words):
        return [word.replace("%s", url) for word in words]
    return [*words, url]


def _run(arguments: list[str], environ: Mapping[str, str], on_failure: Callable[[], None]) -> bool:
    try:
        process = subprocess.Popen(  # noqa: S603  a vector that we built around a URL that we built
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C at the login does not close the browser
            env={name: value for name, value in environ.items() if name != "WITHINGS_CLIENT_SECRET"},
        )
    except (OSError, ValueError):
        return False

    def watch() -> None:
        if process.wait() != 0:
            on_failure()

    threading.Thread(target=watch, name="withings-auth browser", daemon=True).start()
    return True
