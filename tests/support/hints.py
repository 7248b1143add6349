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
def subparser(*names: str) -> argparse.ArgumentParser:
    """Returns the real parser of a command, which may be one of a command's own commands."""
    parser: argparse.ArgumentParser = make_parser(names[:1])
    for name in names:
        (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
        parser = commands.choices[name]
    return parser


def _is_command(rest: str) -> bool:
    return rest.split()[0].strip(f"{_END}…") in COMMANDS


def _words(rest: str) -> list[str]:
    first, *words = rest.split()
    command = first.strip(f"{_END}…")
    if first != command and first.strip("…") != command:
        return [command]
    taken = [command, *([words.pop(0).rstrip(_END)] if command == "store" and words else [])]
    positional, value_next = taken[-1] in {"api", "completion", "copy", "import", "rekey", "run"}, False
    actions = subparser(*taken)._option_string_actions
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
