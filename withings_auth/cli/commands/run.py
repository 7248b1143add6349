"""`withings-auth run`: run a program that reads its access token from the environment.

On POSIX the program replaces this process, so that signals, the terminal, job control and the exit code are its own.
Windows cannot do that, so there this process waits for the program. `--as` and `--proxy` are for programs that want
more than an access token; see `cli.borrowed`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from withings_auth.cli.formats import TOKEN_VARIABLE, USERID_VARIABLE
from withings_auth.cli.options import add_min_valid, add_profile, load_settings, open_store
from withings_auth.cli.ui.terminal import PROGRAM, complain
from withings_auth.errors import ConfigurationError
from withings_auth.model import Token
from withings_auth.tokens.source import TokenSource
from withings_auth.validation import printable

RUN_MIN_VALID_SECONDS = 600
NOT_FOUND = 127  # these two are what shells return
NOT_STARTED = 126
EXAMPLE = (
    "The program's environment has WITHINGS_ACCESS_TOKEN, WITHINGS_USERID and\n"
    "WITHINGS_AUTH_PROFILE, but not WITHINGS_CLIENT_SECRET.\n\n"
    "The token expires within three hours and is not renewed inside the program;\n"
    "one that runs longer can call withings-auth token itself.\n\n"
    "The program receives signals itself, and its exit code becomes this command's.\n\n"
    "A program that wants to renew the login itself runs unmodified with --as NAME:\n"
    "it gets placeholders in place of secrets, in the files that it insists on, and\n"
    "a proxy on this machine puts the access token into its calls, however long it\n"
    "runs. --proxy does the same for any other program, which gets a placeholder in\n"
    "WITHINGS_ACCESS_TOKEN. config.toml can describe more: [programs.NAME].\n\n"
    "Some programs obey no proxy: Node.js before 22.21, and aiohttp unless it is told\n"
    "to (trust_env). If such a program reads its file for each call, --refresh-file\n"
    "keeps a real access token in it until the program ends.\n\n"
    "examples:\n"
    "  withings-auth run -- python3 weights.py --since 2024-01-01\n"
    "  withings-auth run --as withings-sync -- withings-sync --to-json -o weights\n"
    "  withings-auth run --as    (lists the programs)"
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        f"{PROGRAM} run [-h] [--profile NAME] [--min-valid SECONDS] [-v]\n"
        f"{' ' * 25}[--as [NAME] [--refresh-file] | --proxy]\n{' ' * 25}[--] COMMAND [ARGUMENT ...]"
    )
    add_profile(parser)
    add_min_valid(parser, RUN_MIN_VALID_SECONDS)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--as",
        metavar="NAME",
        dest="program",
        nargs="?",
        const="",
        help="run this known program with placeholders, behind a proxy; without a name: list them",
    )
    which.add_argument("--proxy", action="store_true", help="the same for a program that is not known")
    parser.add_argument(
        "--refresh-file", action="store_true", help="keep a real access token in the program's file (see below)"
    )
    parser.add_argument("command", metavar="COMMAND", nargs=argparse.REMAINDER, help="the program and its arguments")


def execute(options: argparse.Namespace) -> int:
    """Runs the program in place of this one; returns only if it cannot, or if the program has run behind the proxy.

    Raises what `TokenSource.token` raises, and `ConfigurationError`.
    """
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    settings = load_settings(options)
    if options.refresh_file and not options.program:
        raise ConfigurationError(
            "--refresh-file is for a known program",
            hint=f"name it: {PROGRAM} run --as NAME --refresh-file -- COMMAND …",
        )
    if options.program == "" and not command:
        from withings_auth.cli.borrowed import list_programs  # here, because most programs take a token

        list_programs(settings)
        return 0
    if not command or not command[0] or options.program == "":
        raise _nothing_to_run(options)
    try:
        if options.program or options.proxy:
            from withings_auth.cli.borrowed import run_borrowed

            return run_borrowed(command, options, settings)
        token = TokenSource(settings.profile, min_valid=options.min_valid, store=open_store(settings)).token()
        become(command, environment_with(token, settings.profile, os.environ))
    except OSError as error:
        return _complain_about(command[0], error)


def _nothing_to_run(options: argparse.Namespace) -> ConfigurationError:
    if options.program == "":
        return ConfigurationError("--as names no program", hint=f"list them: {PROGRAM} run --as")
    how = f"--as {printable(options.program, limit=60)} " if options.program else "--proxy " if options.proxy else ""
    return ConfigurationError("no program to run", hint=f"name one: {PROGRAM} run {how}-- COMMAND …")


def _complain_about(name: str, error: OSError) -> int:
    """Says why the program cannot be started, and returns the exit code."""
    code, name = exit_code_of(error), printable(name, limit=80)
    if code == NOT_FOUND:
        return complain(f"“{name}” was not found", "check its name and your PATH", code)
    return complain(
        f"“{name}” cannot be started: {error.strerror}", "check that it is a program and that you may run it", code
    )


def environment_with(token: Token, profile: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment with the token, its userid and its profile, and without the app's client secret.

    The profile is for what the program asks us itself.
    """
    kept = {name: value for name, value in environ.items() if name != "WITHINGS_CLIENT_SECRET"}
    return {
        **kept,
        TOKEN_VARIABLE: token.access_token,
        USERID_VARIABLE: token.userid,
        "WITHINGS_AUTH_PROFILE": profile,
    }


def become(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Replaces this process by the program; on Windows, waits for the program and exits with its code.

    Raises `OSError` if it cannot be started.
    """
    if sys.platform == "win32":
        sys.exit(wait_for(command, environment))
    # Python ignores these two, and the program would inherit that: `yes | head` would report an error.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.execvpe(command[0], list(command), environment)  # noqa: S606  no shell on purpose


def wait_for(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs the program as a child process and returns its exit code. Raises `OSError`."""
    program_file = shutil.which(command[0]) or command[0]  # Windows itself looks for .exe only
    # The console interrupts the program as well, which decides. A handler, since the program would inherit SIG_IGN.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with subprocess.Popen([program_file, *command[1:]], env=environment) as program:  # noqa: S603  the user asked for it
            return program.wait()
    finally:
        signal.signal(signal.SIGINT, before)


def exit_code_of(error: OSError) -> int:
    """Returns the exit code of a shell that cannot start a program for this reason."""
    return NOT_FOUND if isinstance(error, FileNotFoundError | NotADirectoryError) else NOT_STARTED
