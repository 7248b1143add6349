"""What can be typed: the commands, their flags, and what is said to somebody who mistyped one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterable, Sequence
from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING, NoReturn

from withings_auth.cli.ui.terminal import PROGRAM, answer, complain
from withings_auth.validation import printable

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

# In the order in which a person meets them.
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
    "completion": "print what makes your shell complete commands and flags",
    "sandbox": "run a Withings to practise on, until Ctrl-C",
}


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Returns the command's options, with `verbose` among them. Exits with 2 where they cannot be understood."""
    command = _command(arguments)
    parser = make_parser([command] if command else [])
    options, unknown = parser.parse_known_args(arguments)
    if hasattr(options, "parameters") and not any(word.startswith("-") for word in unknown):
        # argparse leaves over what stands behind a flag, once it has taken the words before (bpo-14191).
        options.parameters, unknown = [*options.parameters, *unknown], []
    if unknown:
        (options.parser if command else parser).refuse(unknown)
    if not command:
        options.usage = parser.format_help()
    options.verbose = hasattr(options, "verbose")
    return options


def make_parser(commands: Collection[str] = tuple(COMMANDS)) -> Parser:
    """Returns the parser, with the flags of these commands; of the others it knows the names alone."""
    parser = Parser(
        prog=PROGRAM,
        description="Log in to Withings once, and every program on the machine gets an access token that works.",
        epilog="The first time: withings-auth login. From then on: withings-auth token.\n"
        "Each command has help with an example: withings-auth token --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version; with --verbose all that it is of")
    _add_verbose(parser)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    for name, summary in COMMANDS.items():
        # Only the command that runs is imported: a token must not wait for what a login needs.
        if name not in commands:
            subparsers.add_parser(name, help=summary)
            continue
        module = import_module(f"withings_auth.cli.commands.{name}{'_' if iskeyword(name) else ''}")
        command = subparsers.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=module.EXAMPLE,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_flags(command)
        _add_verbose(command)
        command.set_defaults(execute=module.execute, parser=command)
    return parser


class Parser(argparse.ArgumentParser):
    """argparse with our form of an error, and a suggestion for a mistyped flag."""

    color = False  # from Python 3.14 on argparse would colour the help by rules of its own

    def error(self, message: str) -> NoReturn:
        flag, was_given_a_value, _ = message.partition(": ignored explicit argument")
        message = f"{flag} takes no value" if was_given_a_value else message
        sys.exit(complain(message, f"see {self.prog} --help", 2))

    def refuse(self, unknown: Iterable[str]) -> NoReturn:
        """Says which flags are none, and which ones may have been meant."""
        # By name only: a value may be an authorization code that somebody took for an argument.
        names = [word.partition("=")[0] for word in unknown if word.startswith("-")]
        if not names:
            self.error("there are words too many")
        known = [flag for action in self._actions for flag in action.option_strings]
        hint = f"{_meant(names[0], known)}see {self.prog} --help"
        sys.exit(complain(f"unrecognized arguments: {printable(' '.join(names))}", hint, 2))

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        # argparse would not notice that help could not be written.
        if message and file is sys.stdout:
            answer(message.rstrip("\n"))
        else:
            super()._print_message(message, file)


def _add_verbose(parser: argparse.ArgumentParser) -> None:
    # Suppressed, because the default of a command's flag would undo the same flag before the command.
    parser.add_argument(
        "-v", "--verbose", action="store_true", default=argparse.SUPPRESS, help="say on stderr what is done"
    )


def _command(arguments: Sequence[str]) -> str | None:
    """Returns the command among the arguments. Exits with 2 where it is none, or where a flag of one stands first."""
    for word in arguments:
        if word in COMMANDS:
            return word
        if not word.startswith("-"):
            hint = f"{_meant(word, COMMANDS)}see {PROGRAM} --help"
            sys.exit(complain(f"“{printable(word, limit=40)}” is not a command", hint, 2))
        if word.startswith("--") and word not in {"--help", "--version", "--verbose"}:
            _refuse_first(word.partition("=")[0])
    return None


def _refuse_first(flag: str) -> NoReturn:
    near = _meant(flag, ["--help", "--version", "--verbose"])
    shown = printable(flag, limit=40)
    hint = near or f"a command comes first, then its flags: {PROGRAM} COMMAND {shown} …; "
    sys.exit(complain(f"there is no flag {shown} before a command", f"{hint}see {PROGRAM} --help", 2))


def _meant(word: str, known: Iterable[str]) -> str:
    """Returns “did you mean …?” where the word is near to a known one, or begins it; else nothing."""
    from difflib import get_close_matches  # here, because most people type what they mean

    names = {other.lstrip("-"): other for other in known}  # the hyphens that all flags have make none alike
    bare = word.lstrip("-")
    near = [name for name in names if len(bare) > 1 and name.startswith(bare)] or get_close_matches(bare, names, 1)
    return f"did you mean “{names[near[0]]}”? " if near else ""
