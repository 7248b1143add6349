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
from withings_auth.authorization.browser import NotStarted, choose
from withings_auth.authorization.environment import Environment, detect_environment
from withings_auth.doctor.findings import Found, ok, warning
from withings_auth.validation import printable

_ON_LINUX = ("secretstorage", "jeepney")  # what keyring needs for the Secret Service
MISSING = "is missing"
_NAMES = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}


def python() -> Found:
    """Says which Python this is; of its path the last part alone."""
    program = printable(Path(sys.executable or "?").name, limit=60)
    return ok(f"{platform.python_implementation()} {platform.python_version()} ({program}) on {platform.machine()}")


def packages(required: Iterable[str] | None = None) -> Found:
    """Says the versions of withings-auth and of what it needs; `required` is the list in its metadata."""
    wanted = [*needed(required), *(_ON_LINUX if sys.platform == "linux" else ())]
    said = {name: version_of(name) for name in wanted}
    words = f"withings-auth {__version__}; {', '.join(f'{name} {number}' for name, number in said.items())}"
    if MISSING not in said.values():
        return ok(words)
    return warning(words, "install it again with all that it needs: pip install --force-reinstall withings-auth")


def needed(required: Iterable[str] | None = None) -> list[str]:
    """Returns the names of what withings-auth needs wherever it runs; `required` is the list in its metadata."""
    lines = _required() if required is None else required
    return [found[0] for line in lines if ";" not in line and (found := re.match(r"[\w.-]+", line)) is not None]


def version_of(package: str) -> str:
    """Returns the package's version, or that it is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return MISSING


def _required() -> list[str]:
    try:
        return requires("withings-auth") or []
    except PackageNotFoundError:  # run from a copy of the sources that nobody installed
        return []


def place(around: Environment | None = None) -> Found:
    """Says where the program runs, as far as it matters to a browser."""
    around = around or detect_environment(os.environ)
    marks = (
        ("under WSL", around.under_wsl),
        ("in a container", around.in_container),
        ("in a session over SSH", around.over_ssh),
        ("with a display" if around.has_display else "without a display", True),
    )
    return ok(", ".join([_NAMES.get(around.platform, around.platform), *(words for words, holds in marks if holds)]))


def browser(environ: Mapping[str, str] | None = None, around: Environment | None = None) -> Found:
    """Says which browser a login would open; of a command that was named the program alone is shown."""
    environ = os.environ if environ is None else environ
    chosen = choose(None, environ, around or detect_environment(environ))
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
