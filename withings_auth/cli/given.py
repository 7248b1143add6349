"""What `withings-auth configure` is given: flags, a file of variables, and the secret on standard input."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

from withings_auth.cli.files import STDIN, read_named, read_stdin, shown
from withings_auth.cli.ui.prompts import ask_for_secret, check_client_id, check_client_secret
from withings_auth.cli.ui.terminal import PROGRAM, is_terminal, tell
from withings_auth.config.app import PartialApp, parse_scopes
from withings_auth.config.envfile import decode_text, read_env_file
from withings_auth.errors import ConfigurationError
from withings_auth.store.safety import this_user
from withings_auth.validation import is_client_id

LARGEST_INPUT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The app, or the parts of one, the listening address and the store that this command's flags and files give."""

    app: PartialApp = field(default_factory=PartialApp)
    listen: str | None = None
    store: str | None = None


def read_given(options: argparse.Namespace) -> Given:
    """Returns what is given; flags come before the file. Raises `ConfigurationError` if something is invalid."""
    in_file = PartialApp() if options.env_file is None else _read_file(options.env_file)
    flags = PartialApp(
        client_id=options.client_id,
        client_secret=_read_secret(options.client_id) if options.secret_stdin else None,
        redirect_uri=options.redirect_uri,
        scopes=None if options.scope is None else parse_scopes(options.scope, "--scope"),
    )
    app = flags.over(in_file)
    for what, value, wrong in (
        ("client id", app.client_id, check_client_id),
        ("client secret", app.client_secret, check_client_secret),
    ):
        why = None if value is None else wrong(value)
        if why is not None:
            raise ConfigurationError(
                f"the {what} is invalid: {why}", hint=f"nothing was changed; see {PROGRAM} configure --help"
            )
    return Given(app=app, listen=options.listen, store=options.store)


def _read_file(name: str) -> PartialApp:
    text = decode_text(read_named(name, "configure --env-file"))
    if text is None:
        raise ConfigurationError(
            f"{shown(name)} is not text in UTF-8 or UTF-16",
            hint="save it as UTF-8, or use --client-id ID and --secret-stdin",
        )
    content = read_env_file(text)
    if content.has_state:
        tell("STATE is ignored: a fixed one protects nothing, and every login makes its own.")
    if content.app.client_secret and name != STDIN and _others_can_read(name):
        tell(f"{PROGRAM}: warning: other users of this machine can read {shown(name)}, which holds the client secret")
    if content.app == PartialApp():
        raise ConfigurationError(
            f"{shown(name)} says nothing about an app", hint="it needs lines such as: export CLIENT_ID=…"
        )
    return content.app


def _others_can_read(name: str) -> bool:
    try:
        return this_user() is not None and bool(Path(name).stat().st_mode & 0o044)
    except OSError:  # it was removed just now
        return False


def _read_secret(client_id: str | None) -> str:
    if is_terminal():
        return ask_for_secret()
    secret = read_stdin(LARGEST_INPUT_BYTES).decode("utf-8", "replace").strip()
    why = check_client_secret(secret)
    if why is not None:
        raise ConfigurationError(
            f"standard input holds no client secret: {why}",
            hint=f"pipe in the secret alone: pass withings | {PROGRAM} configure --client-id"
            f" {client_id if client_id and is_client_id(client_id) else 'ID'} --secret-stdin",
        )
    return secret
