"""The machine: which Python with which packages, where it runs, and how a browser would be opened there."""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path, PurePath

from withings_auth import __version__
from withings_auth.doctor.findings import Found, ok, warning
from withings_auth.loopback.browser import NotStarted, choose
from withings_auth.loopback.surroundings import Surroundings, surroundings, this_machine
from withings_auth.outside import printable

_ON_LINUX = ("secretstorage", "jeepney")  # what keyring needs for the Secret Service
_NAMES = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}


def python() -> Found:
    """Says which Python this is; of its path the last part alone."""
    program = printable(Path(sys.executable or "?").name, limit=60)
    return ok(f"{platform.python_implementation()} {platform.python_version()} ({program}) on {platform.machine()}")


def packages(required: Iterable[str] | None = None) -> Found:
    """Says the versions of withings-auth and of what it needs; `required` is the list in its metadata."""
    wanted = [*_names(_required() if required is None else required), *(_ON_LINUX if sys.platform == "linux" else ())]
    versions = {name: _version(name) for name in wanted}
    said = ", ".join(f"{name} {number or 'is missing'}" for name, number in versions.items())
    words = f"withings-auth {__version__}; {said}"
    if all(versions.values()):
        return ok(words)
    return warning(words, "install it again with all that it needs: pip install --force-reinstall withings-auth")


def place(around: Surroundings | None = None) -> Found:
    """Says where the program runs, as far as it matters to a browser."""
    around = around or surroundings(os.environ, this_machine())
    marks = (
        ("under WSL", around.under_wsl),
        ("in a container", around.in_container),
        ("in a session over SSH", around.over_ssh),
        ("with a display" if around.has_display else "without a display", True),
    )
    return ok(", ".join([_NAMES.get(around.platform, around.platform), *(words for words, holds in marks if holds)]))


def browser(environ: Mapping[str, str] | None = None, around: Surroundings | None = None) -> Found:
    """Says which browser a login would open; of a command that was named the program alone is shown."""
    environ = os.environ if environ is None else environ
    chosen = choose(None, environ, around or surroundings(environ, this_machine()))
    if isinstance(chosen, NotStarted):
        return warning(
            f"none would be opened: {chosen.why}",
            "a login prints the address to open; withings-auth login --paste takes the way back by hand;"
            " or name a browser: BROWSER=…",
        )
    programs = [_program(command) for command in chosen]
    shown = ", else ".join(printable(PurePath(program).name, limit=40) for program in dict.fromkeys(programs))
    if environ.get("BROWSER"):
        if not any(shutil.which(program, path=environ.get("PATH")) for program in programs):
            return warning(f"{shown}, named by BROWSER, is not there", "correct or unset BROWSER")
        return ok(f"{shown}, named by BROWSER")
    return ok(shown)


def _program(command: str) -> str:
    try:
        return (shlex.split(command) or [command])[0]
    except ValueError:
        return command


def _required() -> list[str]:
    try:
        return requires("withings-auth") or []
    except PackageNotFoundError:  # run from a copy of the sources that nobody installed
        return []


def _names(required: Iterable[str]) -> list[str]:
    """Returns the names in a list such as `aiohttp>=3.12`, without what only extras or some systems need."""
    needed = [line for line in required if ";" not in line]
    return [found[0] for line in needed if (found := re.match(r"[\w.-]+", line)) is not None]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
