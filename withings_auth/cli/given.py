"""What flags, a file of variables and standard input say of an app, for `withings-auth configure`."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from withings_auth.cli.scopes import wrong_scopes
from withings_auth.cli.ui.prompts import ask_for_secret, check_client_secret
from withings_auth.cli.ui.terminal import PROGRAM, is_terminal, tell
from withings_auth.config.envfile import read_env_file
from withings_auth.errors import ConfigurationError
from withings_auth.validation import is_client_id, printable

LARGEST_INPUT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What flags, a file and standard input say of the app."""

    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    redirect_uri: str | None = None
    scopes: str | None = None
    listen: str | None = None


def read_given(options: argparse.Namespace) -> Given:
    """Returns what is given, a flag before the file. Raises `ConfigurationError` where it cannot be what it should."""
    given = Given() if options.env_file is None else _from_env_file(Path(options.env_file))
    flags = {
        "client_id": options.client_id,
        "client_secret": _from_stdin() if options.secret_stdin else None,
        "redirect_uri": options.redirect_uri,
        "scopes": options.scope,
        "listen": options.listen,
    }
    given = replace(given, **{name: value for name, value in flags.items() if value is not None})
    _refuse_wrong(given)
    return given


def _from_env_file(file: Path) -> Given:
    shown = printable(str(file))
    try:
        with file.open("rb") as opened:
            data = opened.read(LARGEST_INPUT_BYTES)
            others_read = os.name == "posix" and bool(os.fstat(opened.fileno()).st_mode & 0o044)
        read = read_env_file(data.decode("utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {shown}: {error.strerror}", hint="check its name, and that you may read it"
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"{shown} is not a text file in UTF-8", hint="save it as one, or use --client-id ID and --secret-stdin"
        ) from None
    if read.has_state:
        tell("STATE is ignored: a fixed one protects nothing; every login makes one of its own.")
    if read.client_secret and others_read:
        tell(f"{PROGRAM}: warning: other users of this machine can read {shown}, which holds the client secret")
    given = Given(
        client_id=read.client_id,
        client_secret=read.client_secret,
        redirect_uri=read.redirect_uri,
        scopes=read.scopes,
    )
    if given == Given():
        raise ConfigurationError(
            f"{shown} says nothing of an app", hint="its lines should be such as: export CLIENT_ID=…"
        )
    return given


def _from_stdin() -> str:
    if is_terminal():
        return ask_for_secret()
    data = sys.stdin.buffer.read(LARGEST_INPUT_BYTES) if sys.stdin is not None else b""
    secret = data.decode("utf-8", "replace").strip()
    why = check_client_secret(secret)
    if why is not None:
        raise ConfigurationError(
            f"what came on standard input is no client secret: {why}",
            hint=f"give it alone, as in: pass withings | {PROGRAM} configure --secret-stdin",
        )
    return secret


def _refuse_wrong(given: Given) -> None:
    checks = (
        ("client id", given.client_id, wrong_client_id),
        ("client secret", given.client_secret, check_client_secret),
        ("list of scopes", given.scopes, wrong_scopes),
    )
    for what, value, wrong in checks:
        why = None if value is None else wrong(value)
        if why is not None:
            raise ConfigurationError(
                f"the {what} that was given will not do: {why}",
                hint=f"nothing was changed; see {PROGRAM} configure --help",
            )


def wrong_client_id(text: str) -> str | None:
    """Says why the text cannot be a client id."""
    if is_client_id(text):
        return None
    return "a client id has letters and digits only" if text else "a client id is needed"
