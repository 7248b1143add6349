"""`withings-auth token`: print a valid access token."""

from __future__ import annotations

import argparse
import os
import sys
import time

from withings_auth.cli.formats import SHELLS, fields, header, shell_line, shell_of
from withings_auth.cli.options import add_min_valid, add_profile, load_settings, open_store, parse_seconds
from withings_auth.cli.retry import keep_trying, refuse_endless_wait
from withings_auth.cli.ui.signals import waking_for_signals
from withings_auth.cli.ui.terminal import PROGRAM, answer, answer_json, is_terminal, tell
from withings_auth.config.settings import Settings
from withings_auth.errors import ConfigurationError
from withings_auth.model import Token
from withings_auth.store.base import SecretStore, store_time
from withings_auth.store.records import load_grant
from withings_auth.tokens.requirement import JUST_RENEWED_SECONDS
from withings_auth.tokens.source import DEFAULT_MIN_VALID_SECONDS, TokenSource
from withings_auth.validation import is_opaque_token

DEFAULT_WAIT_SECONDS = 300
LONGEST_LINE_BYTES = 4096  # twice the length of the longest token
EXAMPLE = (
    "examples, none of which shows the token in the list of processes:\n"
    "  withings-auth token --header |\n"
    "    curl -H @- https://wbsapi.withings.net/measure -d action=getmeas -d meastype=1\n"
    '  eval "$(withings-auth token --env)"          (bash, zsh)\n'
    "  withings-auth token --env | source           (fish)\n"
    "  withings-auth token --env --shell powershell | Invoke-Expression"
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    add_min_valid(parser, DEFAULT_MIN_VALID_SECONDS)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON with expiry, scopes, userid and service")
    form.add_argument("--header", action="store_true", help="print the Authorization header, for curl -H @-")
    form.add_argument("--env", action="store_true", help="print a line for your shell that sets WITHINGS_ACCESS_TOKEN")
    parser.add_argument(
        "--shell",
        choices=SHELLS,
        help="the shell that --env prints for (default: from SHELL, or bash; PowerShell on Windows)",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--renew", action="store_true", help="renew the token even if it is still valid")
    which.add_argument("--rejected-stdin", action="store_true", help="replace the rejected token read from stdin")
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=parse_seconds,
        nargs="?",
        default=0,
        const=DEFAULT_WAIT_SECONDS,
        help="on a temporary failure, keep trying for this long (%(const)s without a number)",
    )


def execute(options: argparse.Namespace) -> int:
    """Prints the token in the requested form. Raises what `TokenSource.token` raises."""
    _check_flags(options)
    rejected = _read_rejected() if options.rejected_stdin else None
    settings = load_settings(options)
    store = open_store(settings)
    source = TokenSource(settings.profile, min_valid=options.min_valid, store=store, ask_anew=options.renew)

    def ask() -> Token:
        return _renew(source, settings, store) if options.renew else source.token(rejected=rejected)

    _print(keep_trying(ask, options.wait), options)
    return 0


def _check_flags(options: argparse.Namespace) -> None:
    if options.shell and not options.env:
        raise ConfigurationError("--shell only works with --env", hint=f"{PROGRAM} token --env --shell {options.shell}")
    refuse_endless_wait(options.wait, "token --wait 300")


def _read_rejected() -> str:
    """Reads the rejected token from standard input, because everyone can see the command line."""
    with waking_for_signals():
        if is_terminal():
            import getpass

            text = getpass.getpass("Rejected access token (not shown): ", stream=sys.stderr).strip()
        else:
            line = sys.stdin.buffer.readline(LONGEST_LINE_BYTES) if sys.stdin else b""
            text = line.decode("ascii", "replace").strip()
    if not is_opaque_token(text):
        raise ConfigurationError(
            "standard input does not contain an access token",
            hint=f"export the rejected token as REJECTED, then: printenv REJECTED | {PROGRAM} token --rejected-stdin",
        )
    return text


def _renew(source: TokenSource, settings: Settings, store: SecretStore) -> Token:
    """Returns a new token, or the stored one if it was renewed just now."""
    stored = load_grant(store, settings.profile)
    age = stored.age(store_time(store))
    if age is None or age >= JUST_RENEWED_SECONDS:
        return source.token(rejected=stored.access_token)
    token = source.token()
    if token.access_token == stored.access_token:
        tell("This token is less than a minute old, so it was not renewed.")
    return token


def _print(token: Token, options: argparse.Namespace) -> None:
    if options.json:
        answer_json(fields(token, time.time()))
    elif options.header:
        answer(header(token))
    elif options.env:
        answer(shell_line(token, options.shell or shell_of(os.environ.get("SHELL"), sys.platform)))
    else:
        answer(token.access_token)
