"""`withings-auth run --as` and `run --proxy`: a program that renews a login itself, on the shared one."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from withings_auth.borrow.descriptions import Description
from withings_auth.borrow.placeholder_files import Places, refuse_logins, refuse_unmarked, write_files
from withings_auth.borrow.preparing import complete_command, complete_environment, find_places, stand_ins
from withings_auth.borrow.programs import ANY, find_program, known_programs
from withings_auth.cli.options import open_store
from withings_auth.cli.ui.terminal import answer, report
from withings_auth.config.places import config_file
from withings_auth.config.settings import Settings
from withings_auth.errors import ConfigurationError, WithingsAuthError
from withings_auth.provider.variables import refuse_unusable_files
from withings_auth.store.base import SecretStore
from withings_auth.store.records import load_grant
from withings_auth.tokens.source import AsyncTokenSource, TokenSource
from withings_auth.validation import printable


def list_programs(settings: Settings) -> None:
    """Prints a line for each program that is described. Raises `ConfigurationError`."""
    known = known_programs(settings.programs, config_file())
    width = max(map(len, known))
    answer("\n".join(f"{name:{width}}  {printable(each.about)}".rstrip() for name, each in sorted(known.items())))


def run_borrowed(command: Sequence[str], options: argparse.Namespace, settings: Settings) -> int:
    """Runs the program behind the proxy and returns its exit code.

    Raises `ConfigurationError`, what `TokenSource.token` raises, and `OSError` if the program cannot be started.
    """
    if sys.platform == "win32":
        raise ConfigurationError(
            "run --as and run --proxy do not work on Windows", hint="run them in WSL, the Windows Subsystem for Linux"
        )
    description = _find(options, settings)
    places = find_places(description, command, state=settings.place_of_state, profile=settings.profile)
    if options.refresh_file:
        refuse_unmarked(description, places)
    refuse_logins(description, places)  # first, because importing such a login is a way to log in
    refuse_unusable_files()
    from withings_auth.borrow.running import run_behind_proxy  # here, because it loads aiohttp and cryptography

    store = open_store(settings)
    token = TokenSource(settings.profile, min_valid=options.min_valid, store=store).token()
    values = stand_ins(token, places)
    write_files(description, places, values)
    with _fresh_files(description, places, settings, store) if options.refresh_file else nullcontext():
        return run_behind_proxy(
            complete_command(description, command, places, values),
            source=AsyncTokenSource(settings.profile, min_valid=options.min_valid, store=store),
            api_url=load_grant(store, settings.profile).api_url,
            environment=complete_environment(
                description, {**os.environ, "WITHINGS_AUTH_PROFILE": settings.profile}, values
            ),
            tell=_tell,
        )


def _find(options: argparse.Namespace, settings: Settings) -> Description:
    if options.proxy:
        return ANY
    description = find_program(options.program, known_programs(settings.programs, config_file()))
    if options.refresh_file and not description.takes_access_token:
        raise ConfigurationError(f"no file of {description.name} has an access token", hint="leave out --refresh-file")
    return description


def _fresh_files(
    description: Description, places: Places, settings: Settings, store: SecretStore
) -> AbstractContextManager[None]:
    from withings_auth.borrow.fresh_files import MIN_VALID_SECONDS, fresh_files  # here, because few programs need it

    source = TokenSource(settings.profile, min_valid=MIN_VALID_SECONDS, store=store)
    return fresh_files(description, places, source.token, _tell)


def _tell(error: WithingsAuthError) -> None:
    report(error)  # on stderr; the exit code is the program's
