"""`withings-auth run`: run a program that reads its access token from the environment."""

from __future__ import annotations

import argparse
import os

from withings_auth.cli.options import add_min_valid, add_profile, open_store, settings_from
from withings_auth.cli.programs import NOT_FOUND, become, environment_with, exit_code_of
from withings_auth.cli.ui.terminal import PROGRAM, complain
from withings_auth.errors import ConfigurationError
from withings_auth.tokens.source import TokenSource
from withings_auth.validation import printable

RUN_MIN_VALID_SECONDS = 600
EXAMPLE = (
    "The program's environment has WITHINGS_ACCESS_TOKEN and WITHINGS_USERID, but not\n"
    "WITHINGS_CLIENT_SECRET. The token expires within three hours and is not renewed\n"
    "inside the program; one that runs longer can call withings-auth token itself.\n\n"
    "The program receives signals itself, and its exit code becomes this command's.\n\n"
    "example:\n"
    "  withings-auth run -- python3 weights.py --since 2024-01-01"
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags, and the program with its own arguments."""
    parser.usage = (
        f"{PROGRAM} run [-h] [--profile NAME] [--min-valid SECONDS] [-v]\n{' ' * 25}[--] COMMAND [ARGUMENT ...]"
    )
    add_profile(parser)
    add_min_valid(parser, RUN_MIN_VALID_SECONDS)
    parser.add_argument("command", metavar="COMMAND", nargs=argparse.REMAINDER, help="the program and its arguments")


def execute(options: argparse.Namespace) -> int:
    """Runs the program in place of this one; returns only if it cannot. Raises what `TokenSource.token` raises."""
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command or not command[0]:
        raise ConfigurationError("no program to run", hint=f"name one: {PROGRAM} run -- COMMAND …")
    found = settings_from(options)
    token = TokenSource(found.profile, min_valid=options.min_valid, store=open_store(found)).token()
    try:
        become(command, environment_with(token, os.environ))
    except OSError as error:
        code = exit_code_of(error)
        name = printable(command[0], limit=80)
        if code == NOT_FOUND:
            return complain(f"“{name}” was not found", "check its name and your PATH", code)
        return complain(
            f"“{name}” cannot be started: {error.strerror}", "check that it is a program and that you may run it", code
        )
