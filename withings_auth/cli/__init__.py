"""The command line: one module a command, each thin; the one place where an error becomes an exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING, NoReturn

from withings_auth import __version__
from withings_auth.cli.signals import Terminated, ignore_signals, raise_on_signals
from withings_auth.cli.terminal import PROGRAM, OutputFailed, answer, complain, report
from withings_auth.errors import WithingsAuthError
from withings_auth.outside import printable

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

COMMANDS = {
    "login": "log in to Withings with your browser",
    "token": "print an access token that works, renewed if need be",
    "api": "ask Withings' API one thing and print the answer as JSON",
    "run": "start a program with an access token in its environment",
    "status": "say how the login stands: whose it is, and until when",
    "list": "list the profiles on this machine, and how each stands",
    "logout": "remove the login from this machine",
    "configure": "say which app is yours, and check or change its secret",
    "import": "take over a login that another tool left in a file",
    "doctor": "check this machine, and say what is wrong and what to do about it",
    "sandbox": "run a Withings to practise on, until Ctrl-C",
}

INTERRUPTED = 130
TERMINATED = 143


def main(arguments: Sequence[str]) -> int:
    """Runs one command. Returns its exit code; nothing but argparse's own SystemExit gets out."""
    try:
        raise_on_signals()
        options = _parsed(arguments)
        return int(options.execute(options))
    except WithingsAuthError as error:
        return report(error)
    except OutputFailed as error:
        return complain(f"the answer could not be written: {error}", "", 1)
    except KeyboardInterrupt:
        ignore_signals()
        return complain("interrupted", "", INTERRUPTED)
    except Terminated:
        ignore_signals()
        return complain("terminated", "", TERMINATED)


class _Parser(argparse.ArgumentParser):
    """argparse with our form of an error."""

    def error(self, message: str) -> NoReturn:
        flag, was_given_a_value, _ = message.partition(": ignored explicit argument")
        message = f"{flag} takes no value" if was_given_a_value else message
        sys.exit(complain(message, f"see {self.prog} --help", 2))

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        # argparse would not notice that help or the version could not be written.
        if message and file is sys.stdout:
            answer(message.rstrip("\n"))
        else:
            super()._print_message(message, file)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(
        prog=PROGRAM,
        description="Log in to Withings once, and every program on the machine gets an access token that works.",
        epilog="The first time: withings-auth login. From then on: withings-auth token.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    if wanted is not None and wanted not in COMMANDS:
        near = get_close_matches(wanted, COMMANDS, 1)
        meant = f"did you mean “{near[0]}”? " if near else ""
        sys.exit(complain(f"“{printable(wanted, limit=40)}” is not a command", f"{meant}see {PROGRAM} --help", 2))
    for name, summary in COMMANDS.items():
        # Only the command that runs is imported: a token must not wait for what a login needs.
        if name == wanted:
            module = import_module(f"withings_auth.cli.{name}{'_' if iskeyword(name) else ''}")
            command = commands.add_parser(
                name,
                help=summary,
                description=f"{summary[0].upper()}{summary[1:]}.",
                epilog=module.EXAMPLE,
                formatter_class=argparse.RawDescriptionHelpFormatter,
                allow_abbrev=False,
            )
            module.add_flags(command)
            command.set_defaults(execute=module.execute)
        else:
            commands.add_parser(name, help=summary)
    options, unknown = parser.parse_known_args(arguments)
    if hasattr(options, "parameters") and not any(word.startswith("-") for word in unknown):
        # argparse leaves over what stands behind a flag, once it has taken the words before (bpo-14191).
        options.parameters, unknown = [*options.parameters, *unknown], []
    if unknown:
        # By name only: a value may be an authorization code that somebody took for an argument.
        names = [word.partition("=")[0] for word in unknown if word.startswith("-")]
        parser.error(f"unrecognized arguments: {printable(' '.join(names))}" if names else "there are words too many")
    if not hasattr(options, "execute"):
        parser.print_help(sys.stderr)
        sys.exit(2)
    return options
