"""`withings-auth token`: print an access token that works."""

from __future__ import annotations

import argparse

from withings_auth.cli.options import add_profile, open_store, settings
from withings_auth.cli.terminal import answer
from withings_auth.source import DEFAULT_MIN_VALID_SECONDS, TokenSource

EXAMPLE = (
    "example, with the token kept out of the list of processes:\n"
    "  printf 'Authorization: Bearer %s' \"$(withings-auth token)\" |\n"
    "    curl -H @- https://wbsapi.withings.net/measure -d action=getmeas -d meastype=1"
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    add_profile(parser)
    parser.add_argument(
        "--min-valid",
        metavar="SECONDS",
        type=float,
        default=DEFAULT_MIN_VALID_SECONDS,
        help="how long the token must work still (default: %(default)s, at most 9000)",
    )


def execute(options: argparse.Namespace) -> int:
    """Prints the token and a newline, and nothing else. Raises what `TokenSource.token` raises."""
    found = settings(options)
    source = TokenSource(found.profile, min_valid=options.min_valid, store=open_store(found))
    answer(source.access_token())
    return 0
