"""`withings-auth import`: imports a login from another tool's file."""

from __future__ import annotations

import argparse
import shlex
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from withings_auth.cli.files import STDIN, read_named
from withings_auth.cli.options import add_profile, add_replace, after_login, load_settings, open_store
from withings_auth.cli.ui.prompts import ask, ask_for_secret, check_client_id, confirm
from withings_auth.cli.ui.terminal import PROGRAM, complain, is_terminal, tell
from withings_auth.config.settings import Settings, known_app
from withings_auth.errors import ConfigurationError
from withings_auth.model import App, Grant
from withings_auth.profiles.foreign import LARGEST_FILE_BYTES, ForeignLogin, read_foreign
from withings_auth.store.base import SecretStore
from withings_auth.threads import run_to_its_end
from withings_auth.validation import printable
from withings_auth.wording import clock_time

EXAMPLE = (
    "examples:\n"
    "  withings-auth import ~/.withings_user.json\n"
    "  withings-auth import --remove tokens.json    (then removes the file)\n"
    "  pass withings-token | withings-auth import -\n\n"
    "Files of Home Assistant, withings-sync, withings-mcp, withings-cli,\n"
    "withings-health-cli, Withings2Garmin and withings_api are recognised, and so are\n"
    "Withings' own answer and .env files. Of several logins in a file you choose one.\n"
    "The refresh token is used once, which replaces it: the copy in the file stops\n"
    "working. The app must be the one that the tool used."
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the other tool's file, or - for stdin")
    add_profile(parser)
    parser.add_argument("--client-id", metavar="ID", help="the app that the other tool used (WITHINGS_CLIENT_ID)")
    add_replace(parser)
    afterwards = parser.add_mutually_exclusive_group()
    afterwards.add_argument("--remove", action="store_true", help="remove the file once the login is saved")
    afterwards.add_argument("--keep", action="store_true", help="keep the file without asking")


def execute(options: argparse.Namespace) -> int:
    """Imports the login, then removes the file if the user wants that. Raises what `adopt` raises."""
    if options.file == STDIN and options.remove:
        raise ConfigurationError("--remove cannot remove standard input", hint=f"leave it out: {PROGRAM} import -")
    settings = load_settings(options, {"client_id": options.client_id})
    content = _read(options.file)
    login = read_foreign(content, partial(_choose, options))
    tell(f"File format: {login.tool}.")
    if options.remove and login.holds_more:
        raise _must_stay(options)
    store = open_store(settings)
    app = _find_app(login, options.client_id, settings, store)
    grant = _adopt(login, app, settings, store, replace=options.replace)
    _report_success(grant, login, options.file, settings, store)
    code = 0 if options.file == STDIN else _remove_file(Path(options.file), content, login, options)
    for line in after_login(settings, grant.scopes):
        tell(line)
    return code


def _read(file: str) -> bytes:
    return read_named(file, "import", most_bytes=LARGEST_FILE_BYTES)


def _adopt(login: ForeignLogin, app: App, settings: Settings, store: SecretStore, *, replace: bool) -> Grant:
    # Imported here, so that problems with the file are reported without loading aiohttp.
    from withings_auth.profiles.adopt import adopt
    from withings_auth.provider.http import post
    from withings_auth.tokens.renewal import Effects

    renew = partial(adopt, store, settings.profile, login, app, settings.endpoints.token_url, replace=replace)
    return run_to_its_end(lambda wait: renew(effects=Effects(post=post, wait=wait)), threading.Event())


def _must_stay(options: argparse.Namespace) -> ConfigurationError:
    """Returns the error for --remove with a file that holds more than the login."""
    return ConfigurationError(
        f"{printable(options.file)} holds more than this login, so it must not be removed",
        hint=f"leave out --remove: {_same_command(options, 'replace', 'keep')}",
    )


def _choose(options: argparse.Namespace, names: Sequence[str]) -> int:
    """Asks which of the logins to import; returns its index."""
    if options.remove:
        raise _must_stay(options)
    if not is_terminal():
        command = _same_command(options, "replace", "keep")
        raise ConfigurationError(
            f"the file holds {len(names)} logins: {', '.join(names)}",
            hint=f"in a terminal you can choose one: {command}",
        )
    tell(f"The file holds {len(names)} logins:")
    for number, name in enumerate(names, start=1):
        tell(f"  {number}. {name}")
    numbers = [str(number) for number in range(1, len(names) + 1)]
    why = f"enter a number from 1 to {len(names)}"
    answer = ask("Number of the one to import", check=lambda text: None if text in numbers else why)
    return int(answer) - 1


def _same_command(options: argparse.Namespace, *flags: str) -> str:
    """Returns the command that was given, with those of its flags that are listed here, for a file with a name."""
    words = [PROGRAM, "import", *(f"--{flag}" for flag in flags if getattr(options, flag))]
    if options.client_id:
        words += ["--client-id", options.client_id]
    return f"{shlex.join(words)} {'FILE' if options.file == STDIN else shlex.quote(options.file)}"


def _find_app(login: ForeignLogin, flag: str | None, settings: Settings, store: SecretStore) -> App:
    """Returns the app of the login: the one that the file names, or else the one that is set."""
    required = flag or settings.environment_client_id
    if login.client_id is not None and required not in {None, login.client_id}:
        raise ConfigurationError(
            "the file belongs to another app than " + ("--client-id" if flag else "WITHINGS_CLIENT_ID"),
            hint="leave it out: the file names its app",
        )
    known = known_app(settings, store, login.client_id, to_save=True)
    if known.client_id is None:
        if not is_terminal():
            raise ConfigurationError(
                "the file does not say which app it belongs to, and none is set",
                hint=f"name the app that the other tool used with --client-id ID, or run {PROGRAM} configure first",
            )
        client_id = ask("Client id of the app that the other tool used", check=check_client_id)
        known = known_app(settings, store, client_id, to_save=True)
    return replace(known, client_secret=known.client_secret or login.client_secret or ask_for_secret()).complete()


def _report_success(grant: Grant, login: ForeignLogin, file: str, settings: Settings, store: SecretStore) -> None:
    place = "that copy" if file == STDIN else printable(file)
    until = clock_time(grant.expires_at)
    tell(f"Imported: Withings user {grant.userid}, profile {settings.profile}.")
    tell(f"Saved in {store.description}. The access token is valid until {until} and is renewed when needed.")
    tell(f"The login in {place} no longer works: Withings has replaced it.")
    tell(
        "Programs that used it can ask withings-auth for tokens or run with withings-auth run --as; others must log in."
    )
    if login.client_secret is not None:
        tell(f"{place} also holds the app's client secret, which still works and is now saved here too.")


def _remove_file(file: Path, content: bytes, login: ForeignLogin, options: argparse.Namespace) -> int:
    """Removes the file if a flag or an answer says so. Returns the exit code."""
    shown = printable(str(file))
    with_secret = " with the client secret" if login.client_secret is not None else ""
    may_ask = is_terminal() and not options.keep and not login.holds_more
    if not (options.remove or (may_ask and confirm(f"Remove {shown}{with_secret}?"))):
        if not options.keep:
            tell(f"Kept {shown}, which {'holds more' if login.holds_more else 'is no longer needed'}.")
        return 0
    try:
        if _read(str(file)) != content:
            return complain(f"{shown} has changed in the meantime, so it was kept", "check what is in it now", 1)
        target = file.resolve() if file.is_symlink() else None
        file.unlink()
    except (OSError, ConfigurationError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        return complain(f"cannot remove {shown}: {why}", "the login is imported; remove the file yourself", 1)
    if target is None:
        tell(f"Removed {shown}.")
    else:
        tell(f"Removed {shown}, a link, but not its target: {printable(str(target))}")
    return 0
