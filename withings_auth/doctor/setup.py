"""What was set: config.toml and variables, the app, its redirect URI, and the port that a login listens on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from withings_auth.authorization.addresses import Addresses, resolve_addresses
from withings_auth.authorization.sockets import listen
from withings_auth.config.app import PartialApp
from withings_auth.config.settings import CONFIG_FILE, Settings, config_directory
from withings_auth.doctor.findings import Found, ok, skipped, warning
from withings_auth.errors import ConfigurationError
from withings_auth.model import Endpoints
from withings_auth.validation import host_and_port, origin, printable

_PREFIX = "WITHINGS_"
_OTHERS = (
    "BROWSER",
    "DBUS_SESSION_BUS_ADDRESS",
    "HTTPS_PROXY",
    "https_proxy",
    "PYTHON_KEYRING_BACKEND",
    "SSL_CERT_FILE",
)


def settings(read: Settings, environ: Mapping[str, str] | None = None, directory: Path | None = None) -> Found:
    """Says whether there is a config.toml, which was read, and the names of the variables that are set."""
    environ = os.environ if environ is None else environ
    file = (config_directory() if directory is None else directory) / CONFIG_FILE
    there = f"{printable(str(file))} was read" if file.exists() else f"there is no {printable(str(file))}"
    names = sorted(name for name, value in environ.items() if value and (name.startswith(_PREFIX) or name in _OTHERS))
    words = f"{there}; set: {', '.join(printable(name, limit=60) for name in names) or 'no variable'}"
    service = origin(read.endpoints.api_url)
    if service != origin(Endpoints().api_url):
        return warning(
            f"{words}; the service is {service}, not Withings'", "unset WITHINGS_AUTH_API_URL, unless that is meant"
        )
    return ok(words)


def app(known: PartialApp, read: Settings) -> Found:
    """Says whether all is known that a login needs, and where the secret is."""
    if known.client_id is None:
        return warning("no app is set", "say which one is yours: withings-auth configure")
    if known.client_secret is None:
        return warning(
            f"client id {known.client_id}, and its client secret is neither saved nor set",
            "save it: withings-auth configure",
        )
    where = "in the environment" if known.client_secret == read.app.client_secret else "saved"
    return ok(f"client id {known.client_id}; its client secret is {where}")


def redirect_uri(uri: str, listen_at: str | None) -> Found:
    """Says what a redirect URI leads to. Raises `ConfigurationError` where it can be none."""
    shown = printable(uri)
    try:
        where = resolve_addresses(uri, listen_at)
    except ConfigurationError as error:
        resolve_addresses(uri, listen_at, paste_only=True)
        return warning(str(error), error.hint)
    words = f"{shown}; a login listens on {_shown(where.bind_to, where.port)}"
    if where.open_to_the_network:
        return warning(f"{words}, which other machines can reach", "listen on 127.0.0.1, unless this is a container")
    return ok(words)


def port(where: Addresses | None) -> Found:
    """Listens where a login would, for a moment. Raises `CallbackUnavailable`, naming who is in the way."""
    if where is None:
        return skipped("no login could listen")
    with ExitStack() as opened:
        sockets = [opened.enter_context(listening) for listening in listen(where)]
        held = [str(listening.getsockname()[0]) for listening in sockets]
    words = f"{_shown(held, where.port)} free"
    missing = [host for host in where.bind_to if host not in held]
    return ok(f"{words}; this machine has no {_shown(missing, where.port)}" if missing else words)


def listening_addresses(uri: str, listen_at: str | None) -> Addresses | None:
    """Returns where a login would listen, None where it cannot."""
    try:
        return resolve_addresses(uri, listen_at)
    except ConfigurationError:
        return None


def _shown(hosts: tuple[str, ...] | list[str], number: int) -> str:
    return " and ".join(host_and_port(host, number) for host in hosts)
