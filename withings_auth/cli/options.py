"""Flags that several commands have, and the store that they open."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from withings_auth.cli.ui.terminal import FLAGS, is_terminal, tell
from withings_auth.config.settings import Settings, read_settings
from withings_auth.validation import origin, printable

if TYPE_CHECKING:
    from withings_auth.store.base import SecretStore


def add_profile(parser: argparse.ArgumentParser) -> None:
    """Adds `--profile`."""
    parser.add_argument(
        "--profile", metavar="NAME", help="whose login (default: WITHINGS_AUTH_PROFILE, else “default”)"
    )


def add_min_valid(parser: argparse.ArgumentParser, default_seconds: int) -> None:
    """Adds `--min-valid`."""
    parser.add_argument(
        "--min-valid",
        metavar="SECONDS",
        type=seconds,
        default=default_seconds,
        help="how long the token must work still (default: %(default)s, at most 9000)",
    )


def seconds(text: str) -> float:
    """Returns what a flag says in seconds, for argparse; which of them make sense is the command's affair."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{printable(text, limit=40)}” is not a number of seconds") from None


def settings(options: argparse.Namespace, flags: Mapping[str, str | None] | None = None) -> Settings:
    """Returns the settings with this command's flags before the rest. Raises `ConfigurationError`."""
    found = read_settings({"profile": options.profile, **(flags or {})}, name_argument=FLAGS.__getitem__)
    if options.verbose:
        import logging  # here, because a valid token is printed without loading it

        service = origin(found.endpoints.api_url)
        logging.getLogger(__name__).debug("profile %s, store %s, service %s", found.profile, found.store, service)
    return found


def open_store(found: Settings) -> SecretStore:
    """Opens the store; on a terminal a keyring may take its time to be unlocked, and a person is told."""
    return found.open_store(
        on_a_terminal=is_terminal(),
        announce=lambda: tell("Waiting for your keyring: unlock it, if a window asks for its password."),
    )
