"""`withings-auth import`: take over a login that another tool left in a file."""

from __future__ import annotations

import argparse
import os
import stat
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from withings_auth.cli.given import check_client_id
from withings_auth.cli.options import add_profile, open_store, settings
from withings_auth.cli.ui.prompts import ask, ask_for_secret, confirm
from withings_auth.cli.ui.terminal import PROGRAM, complain, is_terminal, tell
from withings_auth.config.known import known_app
from withings_auth.config.settings import Settings
from withings_auth.errors import ConfigurationError, profile_flag
from withings_auth.model import App, Grant
from withings_auth.profiles.foreign import LARGEST_FILE_BYTES, ForeignLogin, read_foreign
from withings_auth.store.base import SecretStore
from withings_auth.threads import run_to_its_end
from withings_auth.validation import printable

STDIN = "-"
EXAMPLE = (
    "examples:\n"
    "  withings-auth import ~/.withings_user.json\n"
    "  withings-auth import --remove tokens.json    (and remove the file afterwards)\n"
    "  pass withings-token | withings-auth import -\n\n"
    "The file is recognised by its shape: withings-sync, withings-mcp,\n"
    "withings-health-cli, Withings2Garmin, withings_api, and Withings' own answer.\n"
    "Its refresh token is used once, which proves it and makes it yours: the copy in\n"
    "the file is dead from then on. The app must be the one that the tool used."
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    parser.add_argument("file", metavar="FILE", help="the file of the other tool; - is standard input")
    add_profile(parser)
    parser.add_argument("--client-id", metavar="ID", help="the app that the other tool used (WITHINGS_CLIENT_ID)")
    parser.add_argument(
        "--replace", action="store_true", help="replace the profile's login, even of another person or app"
    )
    afterwards = parser.add_mutually_exclusive_group()
    afterwards.add_argument("--remove", action="store_true", help="remove the file, once the login is saved")
    afterwards.add_argument("--keep", action="store_true", help="keep the file, without a question")


def execute(options: argparse.Namespace) -> int:
    """Imports the login, and removes the file if that is wished. Raises what `adopt` raises."""
    if options.file == STDIN and options.remove:
        raise ConfigurationError("standard input cannot be removed", hint=f"without --remove: {PROGRAM} import -")
    found = settings(options, {"client_id": options.client_id})
    content = _stdin() if options.file == STDIN else _content(Path(options.file))
    login = read_foreign(content)
    tell(f"Recognised: the file of {login.tool}.")
    store = open_store(found)
    app = _app(login, options.client_id, found, store)
    grant = _adopted(login, app, found, store, replace=options.replace)
    _tell_success(grant, login, options.file, found, store)
    if options.file == STDIN:
        return 0
    return _afterwards(Path(options.file), content, login, options)


def _adopted(login: ForeignLogin, app: App, found: Settings, store: SecretStore, *, replace: bool) -> Grant:
    # Imported here: what is wrong with the file is said without loading aiohttp.
    from withings_auth.profiles.adopt import adopt
    from withings_auth.provider.http import post
    from withings_auth.tokens.renewal import World

    return run_to_its_end(
        lambda wait: adopt(
            store,
            found.profile,
            login,
            app,
            found.endpoints.token_url,
            replace=replace,
            world=World(post=post, wait=wait),
        ),
        threading.Event(),
    )


def _stdin() -> bytes:
    return sys.stdin.buffer.read(LARGEST_FILE_BYTES + 1) if sys.stdin is not None else b""


def _content(file: Path) -> bytes:
    shown = printable(str(file))
    try:
        with open(file, "rb", opener=_open_what_is_there) as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise ConfigurationError(f"{shown} is not a plain file", hint=f"from a pipe: {PROGRAM} import -")
            return opened.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {shown}: {error.strerror or type(error).__name__}",
            hint="check its name, and that you may read it",
        ) from None


def _open_what_is_there(path: str, flags: int) -> int:
    # A pipe must not hang us before it is refused.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _app(login: ForeignLogin, flag: str | None, found: Settings, store: SecretStore) -> App:
    """Returns the app that the login belongs to: the file's own if it names one, else the one that is set."""
    said = flag or found.environment_client_id
    if login.client_id is not None and said not in {None, login.client_id}:
        raise ConfigurationError(
            "the file belongs to another app than " + ("--client-id" if flag else "WITHINGS_CLIENT_ID"),
            hint="leave that out: the file names its app itself",
        )
    known = known_app(found, store, login.client_id)
    if known.client_id is None:
        if not is_terminal():
            raise ConfigurationError(
                "the file does not say which app it belongs to, and none is set",
                hint=f"say which app the other tool used: --client-id ID, or first {PROGRAM} configure",
            )
        client_id = ask("Client id of the app that the other tool used", check=check_client_id)
        known = known_app(found, store, client_id)
    return replace(known, client_secret=known.client_secret or login.client_secret or ask_for_secret()).complete()


def _tell_success(grant: Grant, login: ForeignLogin, file: str, found: Settings, store: SecretStore) -> None:
    where = "that copy" if file == STDIN else printable(file)
    until = time.strftime("%H:%M", time.localtime(grant.expires_at))
    tell(f"Imported: Withings user {grant.userid}, profile {found.profile}.")
    tell(f"Saved in {store.description}. The access token is good until {until} and is renewed when it is asked for.")
    tell(f"The login in {where} is dead from now on: Withings has given a new one for it.")
    tell(f"What used it can ask {PROGRAM} token{profile_flag(found.profile)} instead, or log in for itself.")
    if login.client_secret is not None:
        tell(f"{where} also holds the app's client secret, which is not dead, and is saved here too.")


def _afterwards(file: Path, content: bytes, login: ForeignLogin, options: argparse.Namespace) -> int:
    """Removes the file if that is wished, by flag or by answer. Returns the exit code."""
    shown = printable(str(file))
    with_secret = " with the client secret" if login.client_secret is not None else ""
    asked = is_terminal() and not options.remove and not options.keep
    if not (options.remove or (asked and confirm(f"Remove {shown}{with_secret}?"))):
        if not options.keep:
            tell(f"{shown} is kept; it is of no use any more.")
        return 0
    try:
        if _content(file) != content:
            return complain(f"{shown} has changed meanwhile, and is kept", "look what is in it now", 1)
        target = file.resolve() if file.is_symlink() else None
        file.unlink()
    except (OSError, ConfigurationError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        return complain(f"{shown} could not be removed: {why}", "the login is imported; remove the file yourself", 1)
    if target is None:
        tell(f"{shown} is removed.")
    else:
        tell(f"{shown}, a link, is removed; what it led to is not: {printable(str(target))}")
    return 0
