"""`withings-auth token`: print an access token that works."""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable

from withings_auth.cli.formats import SHELLS, fields, header, shell_line, shell_of
from withings_auth.cli.options import add_min_valid, add_profile, open_store, seconds, settings
from withings_auth.cli.retry import patiently
from withings_auth.cli.ui.terminal import PROGRAM, answer, answer_json, is_terminal, tell
from withings_auth.config.settings import Settings
from withings_auth.errors import ConfigurationError
from withings_auth.model import Token
from withings_auth.store.base import SecretStore
from withings_auth.store.records import load_grant
from withings_auth.tokens.requirement import JUST_RENEWED_SECONDS
from withings_auth.tokens.source import DEFAULT_MIN_VALID_SECONDS, TokenSource
from withings_auth.validation import is_opaque_token

DEFAULT_WAIT_SECONDS = 300
LONGEST_LINE_BYTES = 4096  # twice what a token can have
EXAMPLE = (
    "examples, with the token kept out of the list of processes:\n"
    "  withings-auth token --header |\n"
    "    curl -H @- https://wbsapi.withings.net/measure -d action=getmeas -d meastype=1\n"
    '  eval "$(withings-auth token --env)"          (bash, zsh)\n'
    "  withings-auth token --env | source           (fish)\n"
    "  withings-auth token --env --shell powershell | Invoke-Expression"
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    add_profile(parser)
    add_min_valid(parser, DEFAULT_MIN_VALID_SECONDS)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON, with expiry, scopes, userid and service")
    form.add_argument("--header", action="store_true", help="as the header that carries it, for curl -H @-")
    form.add_argument("--env", action="store_true", help="as the line of a shell that sets WITHINGS_ACCESS_TOKEN")
    parser.add_argument("--shell", choices=SHELLS, help="whose line --env prints (default: by SHELL, else bash)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--renew", action="store_true", help="a new one now, though the old one still works")
    which.add_argument(
        "--rejected-stdin", action="store_true", help="not the one on standard input, which a server has refused"
    )
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=seconds,
        nargs="?",
        default=0,
        const=DEFAULT_WAIT_SECONDS,
        help="while a token cannot be had for now, try again for so long (without a number: %(const)s)",
    )


def execute(options: argparse.Namespace) -> int:
    """Prints the token in the form that was asked for, and nothing else. Raises what `TokenSource.token` raises."""
    _refuse_nonsense(options)
    rejected = _rejected() if options.rejected_stdin else None
    found = settings(options)
    store = open_store(found)
    source = TokenSource(found.profile, min_valid=options.min_valid, store=store)

    def ask() -> Token:
        return _new(source, found, store) if options.renew else source.token(rejected=rejected)

    _print(patiently(ask, limit_seconds=options.wait, tell=_waiting(options.wait)), options)
    return 0


def _refuse_nonsense(options: argparse.Namespace) -> None:
    if options.shell and not options.env:
        raise ConfigurationError("--shell is for --env only", hint=f"{PROGRAM} token --env --shell {options.shell}")
    if not (math.isfinite(options.wait) and options.wait >= 0):
        raise ConfigurationError("--wait must be a number of seconds", hint=f"{PROGRAM} token --wait 300")


def _rejected() -> str:
    """Reads the token that a server refused: from standard input, since the command line is seen by all."""
    if is_terminal():
        import getpass

        text = getpass.getpass("Refused access token (it is not shown): ", stream=sys.stderr).strip()
    else:
        line = sys.stdin.buffer.readline(LONGEST_LINE_BYTES) if sys.stdin else b""
        text = line.decode("ascii", "replace").strip()
    if not is_opaque_token(text):
        raise ConfigurationError(
            "what came on standard input is no access token",
            hint=f"give the refused token on one line, as in: printenv REFUSED | {PROGRAM} token --rejected-stdin",
        )
    return text


def _new(source: TokenSource, found: Settings, store: SecretStore) -> Token:
    """Returns a token that is not the stored one, unless that is new itself."""
    stored = load_grant(store, found.profile)
    age = stored.age(time.time())
    if age is None or age >= JUST_RENEWED_SECONDS:
        return source.token(rejected=stored.access_token)
    token = source.token()
    if token.access_token == stored.access_token:
        tell("This token is under a minute old, and was not renewed.")
    return token


def _waiting(seconds: float) -> Callable[[str], None]:
    def told(failure: str) -> None:
        if is_terminal():
            tell(f"Trying again for {seconds:g} seconds (Ctrl-C stops): {failure}")

    return told


def _print(token: Token, options: argparse.Namespace) -> None:
    if options.json:
        answer_json(fields(token, time.time()))
    elif options.header:
        answer(header(token))
    elif options.env:
        answer(shell_line(token, options.shell or shell_of(os.environ.get("SHELL"))))
    else:
        answer(token.access_token)
