"""The machine and its settings: Python, packages, browser, configuration, app, redirect URI and port."""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path, PurePath

from withings_auth import __version__
from withings_auth.authorization.addresses import resolve_addresses
from withings_auth.authorization.browser import NotStarted, choose
from withings_auth.authorization.environment import Environment, detect_environment
from withings_auth.authorization.sockets import listen
from withings_auth.config.app import PartialApp
from withings_auth.config.places import CONFIG_FILE, config_directory
from withings_auth.config.settings import Settings
from withings_auth.doctor.results import Result, ok, skipped, warning
from withings_auth.errors import ConfigurationError
from withings_auth.model import Endpoints
from withings_auth.validation import host_and_port, origin, printable

MISSING = "is missing"
_LINUX_PACKAGES = ("secretstorage", "jeepney")  # what keyring needs for the Secret Service
_PLATFORM_NAMES = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}
_OTHER_VARIABLES = {
    "BROWSER",
    "DBUS_SESSION_BUS_ADDRESS",
    "HTTPS_PROXY",
    "https_proxy",
    "PGHOST",
    "PGPASSFILE",
    "PGPASSWORD",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGSSLMODE",
    "PGUSER",
    "PYTHON_KEYRING_BACKEND",
    "REQUESTS_CA_BUNDLE",
    "SSLKEYLOGFILE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
}


def check_python() -> Result:
    """Names the Python, and only the last part of its path."""
    program = printable(Path(sys.executable or "?").name, limit=60)
    return ok(f"{platform.python_implementation()} {platform.python_version()} ({program}) on {platform.machine()}")


def check_packages(requirements: Iterable[str] | None = None) -> Result:
    """Names the versions of withings-auth and of what it requires, by its metadata if no `requirements` are given."""
    names = [*required_packages(requirements), *(_LINUX_PACKAGES if sys.platform == "linux" else ())]
    versions = {name: version_of(name) for name in names}
    words = f"withings-auth {__version__}; {', '.join(f'{name} {number}' for name, number in versions.items())}"
    if MISSING not in versions.values():
        return ok(words)
    return warning(words, "reinstall it with everything it needs: pipx reinstall withings-auth")


def required_packages(requirements: Iterable[str] | None = None) -> list[str]:
    """Returns the packages that withings-auth needs on every platform."""
    if requirements is None:
        try:
            requirements = requires("withings-auth") or []
        except PackageNotFoundError:  # run from a source tree that is not installed
            requirements = []
    return [found[0] for line in requirements if ";" not in line and (found := re.match(r"[\w.-]+", line)) is not None]


def version_of(package: str) -> str:
    """Returns the package's version, or that it is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return MISSING


def check_environment(environment: Environment | None = None) -> Result:
    """Describes where the program runs, which decides how a browser can be opened."""
    environment = environment or detect_environment(os.environ)
    traits = (
        ("under WSL", environment.under_wsl),
        ("in a container", environment.in_container),
        ("in a session over SSH", environment.over_ssh),
        ("with a display" if environment.has_display else "without a display", True),
    )
    name = _PLATFORM_NAMES.get(environment.platform, environment.platform)
    return ok(", ".join([name, *(words for words, applies in traits if applies)]))


def check_browser(environ: Mapping[str, str] | None = None, environment: Environment | None = None) -> Result:
    """Names the browser that a login would open; for a command in `BROWSER`, only its program.

    If nobody would see one, nothing is wrong: a login prints the address.
    """
    environ = os.environ if environ is None else environ
    environment = environment or detect_environment(environ)
    chosen = choose(None, environ, environment)
    if isinstance(chosen, NotStarted) and environment.why_no_browser:
        return ok(f"none is opened, because {chosen.why}; a login prints the address to open")
    if isinstance(chosen, NotStarted):
        return warning(
            f"no browser would be opened: {chosen.why}",
            "open the address that a login prints, and paste the one you end at with withings-auth login --paste;"
            " or set BROWSER",
        )
    programs = [_program(command) for command in chosen]
    shown = ", else ".join(printable(PurePath(program).name, limit=40) for program in dict.fromkeys(programs))
    if not environ.get("BROWSER"):
        return ok(shown)
    if not any(shutil.which(program, path=environ.get("PATH")) for program in programs):
        return warning(f"{shown}, named by BROWSER, was not found", "correct or unset BROWSER")
    return ok(f"{shown}, named by BROWSER")


def _program(command: str) -> str:
    try:
        return (shlex.split(command) or [command])[0]
    except ValueError:
        return command


def check_settings(
    settings: Settings, environ: Mapping[str, str] | None = None, directory: Path | None = None
) -> Result:
    """Says whether a config.toml was read, and which variables are set, by name only."""
    environ = os.environ if environ is None else environ
    path = (config_directory() if directory is None else directory) / CONFIG_FILE
    file = printable(str(path))
    names = sorted(
        printable(name, limit=60)
        for name, value in environ.items()
        if value and (name.startswith("WITHINGS_") or name in _OTHER_VARIABLES)
    )
    words = f"{f'read {file}' if path.exists() else f'no {file}'}; variables set: {', '.join(names) or 'none'}"
    for name, command in (("on_renewed", settings.on_renewed), ("on_login_needed", settings.on_login_needed)):
        if command and shutil.which(command[0], path=environ.get("PATH")) is None:
            program = printable(PurePath(command[0]).name, limit=40)
            return warning(f"{words}; the program of {name}, “{program}”, was not found", f"correct {name} in {file}")
    service = origin(settings.endpoints.api_url)
    if service == origin(Endpoints().api_url):
        return ok(words)
    return warning(
        f"{words}; the service is {service}, not Withings'", "unset WITHINGS_AUTH_API_URL if you did not mean to set it"
    )


def check_app(app: PartialApp, settings: Settings) -> Result:
    """Says whether the app's client id and secret are known, and where the secret comes from."""
    if app.client_id is None:
        return warning("no app is configured", "set up your app's credentials: withings-auth configure")
    if app.client_secret is None:
        return warning(
            f"client id {app.client_id}; its client secret is neither saved nor set", "save it: withings-auth configure"
        )
    place = "in the environment" if app.client_secret == settings.app.client_secret else "saved"
    return ok(f"client id {app.client_id}; its client secret is {place}")


def check_redirect_uri(uri: str, listen_at: str | None) -> Result:
    """Says where a login with this redirect URI listens. Raises `ConfigurationError` if it can never work."""
    try:
        addresses = resolve_addresses(uri, listen_at)
    except ConfigurationError as error:
        resolve_addresses(uri, listen_at, paste_only=True)
        return warning(str(error), error.hint)
    words = f"{printable(uri)}; a login listens on {_join(addresses.bind_to, addresses.port)}"
    if addresses.open_to_the_network:
        return warning(f"{words}, which other machines can reach", "listen on 127.0.0.1, unless this is a container")
    return ok(words)


def check_port(uri: str, listen_at: str | None) -> Result:
    """Listens for a moment where a login would. Raises `CallbackUnavailable`, naming the program that uses the port."""
    try:
        addresses = resolve_addresses(uri, listen_at)
    except ConfigurationError:
        return skipped("a login could not listen")
    with ExitStack() as opened:
        sockets = [opened.enter_context(listening) for listening in listen(addresses)]
        held = [str(listening.getsockname()[0]) for listening in sockets]
    words = f"{_join(held, addresses.port)} free"
    missing = [host for host in addresses.bind_to if host not in held]
    return ok(f"{words}; this machine has no {_join(missing, addresses.port)}" if missing else words)


def _join(hosts: Iterable[str], port: int) -> str:
    return " and ".join(host_and_port(host, port) for host in hosts)
