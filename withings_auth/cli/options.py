"""Flags that several commands share, and the settings and the store that they select."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping

from withings_auth.cli.ui.terminal import FLAGS, PROGRAM, is_terminal, tell
from withings_auth.config.settings import Settings, read_settings
from withings_auth.errors import profile_flag
from withings_auth.logs import Logger
from withings_auth.store import expanded_name, refuse_password
from withings_auth.store.base import SecretStore
from withings_auth.store.session_bus import VARIABLE, session_bus_address
from withings_auth.validation import origin, printable

logger = Logger(__name__)


def add_profile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--profile", metavar="NAME", help="the login to use (default: WITHINGS_AUTH_PROFILE, or “default”)"
    )


def add_replace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--replace", action="store_true", help="replace the profile's login, even if it is another user's or app's"
    )


def add_min_valid(parser: argparse.ArgumentParser, default_seconds: int) -> None:
    parser.add_argument(
        "--min-valid",
        metavar="SECONDS",
        type=parse_seconds,
        default=default_seconds,
        help="how long the token must stay valid (default: %(default)s, at most 9000)",
    )


def parse_seconds(text: str) -> float:
    """Parses a number of seconds for argparse; each command checks its own range."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{printable(text, limit=40)}” is not a number of seconds") from None


def load_settings(options: argparse.Namespace, flags: Mapping[str, str | None] | None = None) -> Settings:
    """Returns the settings; this command's flags come first. Raises `ConfigurationError`."""
    flags = {"profile": options.profile, **(flags or {})}
    settings = read_settings(flags, name_argument=FLAGS.__getitem__)
    refuse_password(flags.get("store") or "", FLAGS["store"])  # every user of the machine can see the command line
    service = origin(settings.endpoints.api_url)
    logger.debug("profile %s, store %s, service %s", settings.profile, settings.shown_store, service)
    return settings


def open_store(settings: Settings) -> SecretStore:
    """Opens the store; on a terminal, announces that a locked keyring is being waited for."""
    address = session_bus_address(os.environ)
    if address is not None:  # libsecret and KWallet find the bus in no other way, and this environment is ours
        os.environ[VARIABLE] = address
    if not is_terminal():
        return settings.open_store()
    return settings.open_store(
        on_a_terminal=True,
        announce=lambda: tell("Waiting for your keyring: unlock it if a window asks for its password."),
    )


def to_paste(settings: Settings, command: str) -> str:
    """Returns a command for a new shell: with the profile, and with a store that only a variable of this one names."""
    line = f"{PROGRAM} {command}{profile_flag(settings.profile)}"
    if settings.unsaved_store is None:
        return line
    return with_store(printable(settings.unsaved_store), line, windows=sys.platform == "win32")


def with_store(name: str, command: str, *, windows: bool) -> str:
    """Returns the line that runs a command with a store of this name: for a POSIX shell or fish, or for PowerShell."""
    if windows:
        quoted = name.replace("'", "''")
        return f"$env:WITHINGS_AUTH_STORE = '{quoted}'; {command}"
    import shlex  # here, because printing a valid token does not need it

    return f"WITHINGS_AUTH_STORE={shlex.quote(name)} {command}"


def quoted_store(name: str) -> str:
    """Returns the store's name as a word for a shell."""
    import shlex  # here, because printing a valid token does not need it

    return shlex.quote(printable(expanded_name(name), limit=1000))


def after_login(settings: Settings, scopes: Iterable[str]) -> list[str]:
    """Returns what to type after a login: lines for a token and, if the login may read it, for the weight."""
    weight = to_paste(settings, "api measure getmeas meastype=1 --csv")
    return [
        f"Next: {to_paste(settings, 'token')}",
        *([f"To see your weight: {weight}"] if "user.metrics" in scopes else []),
    ]
