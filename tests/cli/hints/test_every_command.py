"""Every command in a message, a hint or a help text is one that the real parser takes, with a profile too."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import withings_auth
from tests.support.hints import commands_in, subparser
from withings_auth.cli.parsing import COMMANDS, parse
from withings_auth.cli.ui.terminal import PROGRAM
from withings_auth.errors import COMMANDS_WITH_PROFILE, name_profile

pytestmark = pytest.mark.usefixtures("unmeasured")

PACKAGE = Path(withings_auth.__file__).parent


def texts() -> Iterator[str]:
    """Yields every text of each module that names the program; what is filled in later is `…`."""
    for module in PACKAGE.rglob("*.py"):
        source = module.read_text("utf-8")
        if PROGRAM not in source and "PROGRAM" not in source:
            continue  # names no command; a syntax tree takes time in every worker
        nodes = list(ast.walk(ast.parse(source)))
        parts = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in nodes:
            if isinstance(node, ast.JoinedStr):
                yield "".join(map(_written, node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
                yield node.value


def _written(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    return PROGRAM if ast.unparse(part.value) == "PROGRAM" else "…"


FOUND = {tuple(command) for text in texts() for command in commands_in(text)}
NAMED = sorted(command for command in FOUND if "--help" not in command)


def parsed(command: tuple[str, ...]) -> argparse.Namespace:
    """Parses the command as it was pasted, with the arguments that the text leaves to the reader."""
    words = [
        "fish" if (flag, word) == ("--shell", "…") else word
        for flag, word in zip(("", *command[:-1]), command, strict=True)
    ]
    names = words[: 2 if words[0] == "store" else 1]
    if not {*words} - {"--profile", "mum", *names}:
        positionals = [action for action in subparser(*names)._actions if not action.option_strings]
        words += [str(next(iter(action.choices or ["x"]))) for action in positionals if action.nargs is None]
    return parse(words)


def test_there_are_many() -> None:
    assert len(NAMED) > 30
    assert {command[0] for command in NAMED} == set(COMMANDS)


@pytest.mark.parametrize("command", NAMED, ids=" ".join)
def test_it_parses(command: tuple[str, ...]) -> None:
    """As it stands, and with a profile if it takes one."""
    assert parsed(command).execute
    named = tuple(name_profile(f"{PROGRAM} {' '.join(command)}", "mum").split()[1:])
    if command[0] in COMMANDS_WITH_PROFILE and not {"--all", "--sandbox", "--profile"} & set(command):
        assert parsed(named).profile == "mum"
    else:
        assert named == command


def test_the_commands_with_a_profile_are_those_of_the_parser() -> None:
    assert {c for c in COMMANDS if "--profile" in subparser(c)._option_string_actions} == set(COMMANDS_WITH_PROFILE)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            "withings-auth logout, then withings-auth login",
            "withings-auth logout --profile mum, then withings-auth login --profile mum",
        ),
        ("withings-auth run -- COMMAND …", "withings-auth run --profile mum -- COMMAND …"),
        ("withings-auth login --timeout 300 --profile dad", None),
        ("withings-auth logout --all", None),
        ("withings-auth login --sandbox", None),
        ("see withings-auth token --help", None),
        ("a newer withings-auth; withings-auth list; withings-auth tokens", None),
        ("withings-auth token; --profile comes later", "withings-auth token --profile mum; --profile comes later"),
    ],
)
def test_the_profile_is_named_once(text: str, named: str | None) -> None:
    """And only where it means something."""
    assert name_profile(text, "mum") == (named or text)
    assert name_profile(named or text, "mum") == (named or text)
