"""The commands and their flags, and suggestions for mistyped ones."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from keyword import iskeyword

from withings_auth.cli.ui.terminal import PROGRAM, answer, complain
from withings_auth.validation import printable

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` takes long to load
    from typing import Any, NoReturn

    from _typeshed import SupportsWrite

# In the order in which users meet them.
COMMANDS = {
    "login": "log in to Withings in your browser",
    "token": "print a valid access token, renewing it if needed",
    "api": "call Withings' API and print the answer as JSON or CSV",
    "run": "run a program with an access token in its environment",
    "status": "show who is logged in, and until when",
    "list": "list the logins on this machine",
    "logout": "remove a login from this machine",
    "configure": "set up your app's credentials",
    "import": "import a login from another tool's file",
    "store": "set up a store and move logins to it",
    "doctor": "check this machine and suggest fixes",
    "completion": "print a completion script for your shell",
    "sandbox": "run a local Withings sandbox",
}
BEFORE_THE_COMMAND = ("--help", "--version", "--verbose")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Returns the command's options, `verbose` among them. Exits with 2 if there is a mistake in the arguments."""
    command = _find_command(arguments)
    parser = make_parser([command] if command else [], only=arguments[:1] == [command])
    options, unknown = parser.parse_known_args(arguments)
    if hasattr(options, "parameters") and not any(word.startswith("-") for word in unknown):
        # argparse does not take positional arguments that follow a flag (bpo-14191).
        options.parameters, unknown = [*options.parameters, *unknown], []
    if unknown:
        (options.parser if command else parser).refuse(unknown)
    if not command:
        options.usage = parser.format_help()
    options.verbose = hasattr(options, "verbose")
    return options


def make_parser(commands: Collection[str] = tuple(COMMANDS), *, only: bool = False) -> Parser:
    """Returns the parser, with the flags of these commands; the others have only their names, or not even these."""
    # argparse makes a formatter for each flag that is added, and each would load shutil to find the width.
    formatter = partial(argparse.RawDescriptionHelpFormatter, width=_help_width())
    parser = Parser(
        prog=PROGRAM,
        description="Log in to Withings once, and every program on the machine gets an access token that works.",
        epilog="Start with: withings-auth login. After that: withings-auth token.\n"
        "Every command's help has an example: withings-auth token --help",
        formatter_class=formatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="store_true", help="print the version; add -v for those of its dependencies"
    )
    add_verbose(parser)
    # With `prog`, argparse need not lay out the usage to find it.
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser, prog=PROGRAM)
    for name, summary in COMMANDS.items():
        # Only the command that runs is imported, so that `token` does not wait for what `login` needs.
        if name not in commands:
            if not only:
                subparsers.add_parser(name, help=summary, formatter_class=formatter)
            continue
        module = import_module(f"withings_auth.cli.commands.{name}{'_' if iskeyword(name) else ''}")
        command = subparsers.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=module.EXAMPLE,
            formatter_class=formatter,
            allow_abbrev=False,
        )
        module.add_flags(command)
        add_verbose(command)
        command.set_defaults(execute=module.execute, parser=command)
    return parser


class Parser(argparse.ArgumentParser):
    """argparse with our error format, and suggestions for mistyped flags."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.color = False  # argparse colours help by rules of its own from Python 3.14 on, unless told otherwise

    def error(self, message: str) -> NoReturn:
        flag, was_given_a_value, _ = message.partition(": ignored explicit argument")
        message = f"{flag} takes no value" if was_given_a_value else message
        sys.exit(complain(message, f"see {self.prog} --help", 2))

    def refuse(self, unknown: Iterable[str]) -> NoReturn:
        """Reports unknown flags, and suggests the one that was probably meant."""
        # By name only: a value may be an authorization code pasted as an argument.
        names = [word.partition("=")[0] for word in unknown if word.startswith("-")]
        if not names:
            self.error("too many arguments")
        known = [flag for action in self._actions for flag in action.option_strings]
        hint = f"{_suggest(names[0], known)}see {self.prog} --help"
        sys.exit(complain(f"unrecognized arguments: {printable(' '.join(names))}", hint, 2))

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        # argparse words this in another way with each version of Python.
        if action.choices is not None and value not in action.choices:
            message = f"“{printable(str(value), limit=40)}” is not one of {', '.join(action.choices)}"
            raise argparse.ArgumentError(action, message)

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        # argparse would ignore that help could not be written.
        if message and file is sys.stdout:
            answer(message.rstrip("\n"))
        else:
            super()._print_message(message, file)


def _help_width() -> int:
    """Returns the width of help, as argparse finds it: by COLUMNS, or else that of the terminal on stdout."""
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isascii() and columns.isdigit() else 0
    if not width:
        with suppress(ValueError, OSError):  # it is closed, or no terminal
            width = os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ else 0
    return (width or 80) - 2


def add_verbose(parser: argparse.ArgumentParser) -> None:
    """Adds the flag that every command has."""
    # No default, because a command's would override the same flag before the command.
    parser.add_argument(
        "-v", "--verbose", action="store_true", default=argparse.SUPPRESS, help="log each step on stderr"
    )


def _find_command(arguments: Sequence[str]) -> str | None:
    """Returns the command among the arguments. Exits with 2 if it is unknown or follows one of its flags."""
    for word in arguments:
        if word in COMMANDS:
            return word
        if not word.startswith("-"):
            hint = f"{_suggest(word, COMMANDS)}see {PROGRAM} --help"
            sys.exit(complain(f"“{printable(word, limit=40)}” is not a command", hint, 2))
        if word.startswith("--") and word not in BEFORE_THE_COMMAND:
            flag = word.partition("=")[0]
            shown = printable(flag, limit=40)
            follow = f"flags follow their command: {PROGRAM} COMMAND {shown} …; "
            hint = f"{_suggest(flag, BEFORE_THE_COMMAND) or follow}see {PROGRAM} --help"
            sys.exit(complain(f"unknown flag {shown} before the command", hint, 2))
    return None


def _suggest(word: str, known: Iterable[str]) -> str:
    """Returns “did you mean …?” if the word resembles a known one or is the beginning of one, otherwise nothing."""
    from difflib import get_close_matches  # here, because most command lines have no mistake

    names = {other.lstrip("-"): other for other in known}  # every flag has hyphens, so they say nothing
    bare = word.lstrip("-")
    near = [name for name in names if len(bare) > 1 and name.startswith(bare)] or get_close_matches(bare, names, 1)
    return f"did you mean “{names[near[0]]}”? " if near else ""
