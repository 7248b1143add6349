"""The commands that messages and hints tell a user to paste."""

from __future__ import annotations

import argparse
import re
from functools import cache

from withings_auth.cli.parsing import COMMANDS, make_parser

_END = ".,;:)”'\"\\"
_NOT_ARGUMENTS = re.compile(r"[|(<>)&[]|\d?>")


def commands_in(text: str) -> list[list[str]]:
    """Returns each command in the text, as the words after the program's name: flags, their values and arguments."""
    return [
        _words(found[1]) for found in re.finditer(r"withings-auth(?=( [a-z][^\n`]*))", text) if _is_command(found[1])
    ]


@cache
def subparser(command: str) -> argparse.ArgumentParser:
    """Returns the real parser of a command."""
    (commands,) = (
        action for action in make_parser([command])._actions if isinstance(action, argparse._SubParsersAction)
    )
    parser: argparse.ArgumentParser = commands.choices[command]
    return parser


def _is_command(rest: str) -> bool:
    return rest.split()[0].strip(f"{_END}…") in COMMANDS


def _words(rest: str) -> list[str]:
    first, *words = rest.split()
    command = first.strip(f"{_END}…")
    if first != command and first.strip("…") != command:
        return [command]
    actions = subparser(command)._option_string_actions
    taken, positional, value_next = [command], command in {"api", "completion", "import", "run"}, False
    for word in words:
        bare = word.rstrip(_END)
        if _NOT_ARGUMENTS.match(word) or (bare == "withings-auth"):
            break
        if "--" in taken or value_next or (positional and not bare.startswith("--")):
            value_next = False
        elif bare in actions:
            value_next = actions[bare].nargs in (None, "?")
        elif bare != "--":
            break
        taken.append(bare)
        if bare != word:
            break
    return taken
