"""Starts a browser from an argument vector, never through a shell, and discards its output.

A browser named by the user (`browser` or `BROWSER`) is always tried. Otherwise one is started only if somebody would
see it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import PureWindowsPath
from typing import NamedTuple

from withings_auth.authorization.environment import Environment, detect_environment
from withings_auth.errors import OutOfResources
from withings_auth.logs import Logger
from withings_auth.threads import start_daemon
from withings_auth.validation import printable

logger = Logger(__name__)

_DESKTOP_OPENERS = ("xdg-open", "gnome-open", "sensible-browser", "x-www-browser", "firefox", "chromium")
_WINDOWS_OPENER = "startfile"  # a call, not a program
# From WSL to the browser of Windows, without cmd.exe and PowerShell, which would run parts of the URL as commands.
_OPENERS_UNDER_WSL = (
    "wslview",
    "rundll32.exe url.dll,FileProtocolHandler",
    "/mnt/c/Windows/System32/rundll32.exe url.dll,FileProtocolHandler",  # if Windows' PATH is not included
    "explorer.exe",  # last: it mistakes a URL with a query for a folder (github.com/microsoft/WSL, issue 3832)
)
_EXIT_CODE_MEANS_NOTHING = {"explorer.exe"}  # 1, whatever happened (github.com/microsoft/WSL, issue 6565)


class NotStarted(NamedTuple):
    """No browser was started; `why` is printed in brackets."""

    why: str


def start(
    url: str,
    *,
    named: str | None = None,
    environ: Mapping[str, str] | None = None,
    environment: Environment | None = None,
    on_failure: Callable[[], None] = lambda: None,
) -> NotStarted | None:
    """Opens the URL in a browser. `named` is a command in the syntax of one entry of `BROWSER`.

    `on_failure` is called, in another thread, if the browser's process ends with an error later.
    """
    environ = os.environ if environ is None else environ
    chosen = choose(named, environ, environment or detect_environment(environ))
    if isinstance(chosen, NotStarted):
        return chosen
    for command in chosen:
        program = printable(command.strip().partition(" ")[0], limit=80)  # not its arguments, which are private
        if command == _WINDOWS_OPENER and sys.platform == "win32":
            with suppress(OSError):  # Windows has no default browser
                os.startfile(url)  # noqa: S606  no shell is the point, and the URL is ours
                return None
        elif _run(_arguments(command, url), environ, on_failure):
            logger.debug("started: %s", program)
            return None
        logger.debug("cannot be started: %s", program)
    return NotStarted(f"{' and '.join(map(printable, chosen))} cannot be started")


def would_start() -> bool:
    """Whether `start` would try to start a browser here."""
    return not isinstance(choose(None, os.environ, detect_environment(os.environ)), NotStarted)


def choose(named: str | None, environ: Mapping[str, str], environment: Environment) -> list[str] | NotStarted:
    """Returns the commands to try, in order, or why nobody would see a browser."""
    commands = _named_commands(named, environ)
    if commands:
        return commands
    if environment.why_no_browser:
        return NotStarted(environment.why_no_browser)
    if environment.platform in {"win32", "darwin"}:
        return [_WINDOWS_OPENER if environment.platform == "win32" else "open"]
    openers = _installed(_OPENERS_UNDER_WSL, environ) if environment.under_wsl else []
    openers += _installed(_DESKTOP_OPENERS, environ) if environment.has_display else []
    return openers or NotStarted("no way to open a Windows browser" if environment.under_wsl else "none is installed")


def _installed(commands: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    import shutil  # here, because a browser that was named is only started

    return [command for command in commands if shutil.which(command.split()[0], path=environ.get("PATH"))]


def _named_commands(named: str | None, environ: Mapping[str, str]) -> list[str]:
    if named:
        return [named]
    return [command.strip() for command in environ.get("BROWSER", "").split(os.pathsep) if command.strip()]


def _arguments(command: str, url: str) -> list[str]:
    """Returns the argument vector for one entry of `BROWSER`: the URL replaces `%s`, or comes last."""
    import shlex

    try:
        words = shlex.split(command)
    except ValueError:
        words = [command]
    words = words[:-1] if words[-1:] == ["&"] else words  # it runs in the background anyway
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
            start_new_session=True,  # so that Ctrl-C does not close the browser
            env={name: value for name, value in environ.items() if name != "WITHINGS_CLIENT_SECRET"},
        )
    except (OSError, ValueError):
        return False

    def watch() -> None:
        code = process.wait()
        logger.debug("the browser's process has ended with %d", code)
        if code != 0 and PureWindowsPath(arguments[0]).name.lower() not in _EXIT_CODE_MEANS_NOTHING:
            on_failure()

    with suppress(OutOfResources):  # then nobody notices if it fails, but it may still come
        start_daemon(watch, "withings-auth browser")
    return True
