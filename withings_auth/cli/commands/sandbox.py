"""`withings-auth sandbox`: runs a local Withings sandbox until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import shlex

from withings_auth.cli.ui.signals import serve_until_ctrl_c
from withings_auth.cli.ui.terminal import PROGRAM, USED_UP, answer, tell
from withings_auth.errors import CallbackUnavailable, ConfigurationError
from withings_auth.model import DEFAULT_REDIRECT_URI
from withings_auth.provider.variables import refuse_unusable_files
from withings_auth.validation import parsed_url

EXAMPLE = (
    "example, in two terminals:\n  withings-auth sandbox --port 9000\n  (paste the lines it prints) withings-auth login"
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", metavar="N", type=int, default=0, help="the port to listen on (default: a free one)")
    parser.add_argument(
        "--redirect-uri",
        metavar="URL",
        default=DEFAULT_REDIRECT_URI,
        help="the URL that the sandbox's app registers (default: %(default)s)",
    )
    parser.add_argument(
        "--token-life",
        metavar="SECONDS",
        type=int,
        default=10_800,
        help="how long access tokens live (default: %(default)s, as at Withings)",
    )


def execute(options: argparse.Namespace) -> int:
    """Serves until interrupted. Raises `ConfigurationError` and `CallbackUnavailable`."""
    refuse_unusable_files()
    from withings_auth.sandbox import Sandbox

    if not 0 <= options.port < 65536:
        raise ConfigurationError("--port must be from 0 to 65535", hint=f"{PROGRAM} sandbox --port 9000")
    if parsed_url(options.redirect_uri) is None:
        raise ConfigurationError(
            "--redirect-uri is not a URL", hint=f"{PROGRAM} sandbox --redirect-uri http://localhost:8000"
        )
    if options.token_life <= 0:
        raise ConfigurationError("--token-life must be positive", hint=f"{PROGRAM} sandbox --token-life 120")
    try:
        with Sandbox(port=options.port, redirect_uris=[options.redirect_uri], token_life=options.token_life) as sandbox:
            tell(f"Sandbox at {sandbox.url}. Nothing reaches Withings. Ctrl-C stops it.")
            tell("To use it, paste these lines into another terminal, then: withings-auth login")
            answer("\n".join(f"export {name}={shlex.quote(value)}" for name, value in sandbox.environment().items()))
            return serve_until_ctrl_c("The sandbox has stopped.")
    except OSError as error:
        if error.errno in USED_UP:  # which is not about the port
            raise
        why = os.strerror(error.errno) if error.errno else "the port is taken"
        raise CallbackUnavailable(
            f"cannot serve on 127.0.0.1:{options.port}: {why}",
            hint=f"choose another port, or take a free one: {PROGRAM} sandbox --port 0",
        ) from error
