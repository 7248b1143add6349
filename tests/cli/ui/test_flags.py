"""The command line names flags where the library names parameters."""

from __future__ import annotations

import argparse
import ast
import re
from pathlib import Path

import pytest

import withings_auth
from withings_auth.cli.parsing import make_parser
from withings_auth.cli.ui.terminal import FLAGS, as_flags


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('use profile="mum"', "use --profile mum"),
        ('say where to listen: listen="127.0.0.1:PORT"', "say where to listen: --listen 127.0.0.1:PORT"),
        ('listen="[::1]:8000", or paste_only=True', "--listen [::1]:8000, or --paste"),
        ("replace the login (replace=True)", "replace the login (--replace)"),
        ("switch_user=True: Withings asks who you are", "--switch-user: Withings asks who you are"),
        ('open_browser=False, browser="firefox"', "--no-browser, --browser firefox"),
        ("min_valid=9000 at most; timeout=300", "--min-valid 9000 at most; --timeout 300"),
        ('redirect_uri="http://localhost:PORT"', "--redirect-uri http://localhost:PORT"),
    ],
)
def test_a_parameter_becomes_its_flag(text: str, shown: str) -> None:
    assert as_flags(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "https://account.withings.com/oauth2_user/authorize2?client_id=abc&redirect_uri=http%3A&timeout=300",
        "WITHINGS_CLIENT_ID=abc",
        'body="x"',
        "the profile = default",
        "withings-auth login --profile mum",
    ],
)
def test_everything_else_stays_as_it_is(text: str) -> None:
    """What somebody else wrote and what is to be copied is not touched."""
    assert as_flags(text) == text


def test_each_flag_of_the_table_exists() -> None:
    (commands,) = (action for action in make_parser()._actions if isinstance(action, argparse._SubParsersAction))
    flags = {flag for command in commands.choices.values() for flag in command._option_string_actions}
    assert set(FLAGS.values()) <= flags


PACKAGE = Path(withings_auth.__file__).parent
# The command line, and what is only part of it: `doctor`'s checklist and `run --as`. The sandbox's pages have no hints.
OF_THE_COMMAND_LINE = {"__main__.py", "borrow", "cli", "doctor", "sandbox"}


@pytest.mark.parametrize(
    "module",
    [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in OF_THE_COMMAND_LINE],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_the_library_names_no_flag(module: Path) -> None:
    """A flag is only named in a whole command to copy; anything else means nothing to a Python program."""
    nodes = list(ast.walk(ast.parse(module.read_text("utf-8"))))
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    of_fstrings = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    texts = [
        "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        for node in nodes
        if isinstance(node, ast.JoinedStr)
    ] + [
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings | of_fstrings
    ]
    shown = [re.sub(r"(withings-auth|docker|pipx) [a-z]+…?( [^ ;,]+)*", "", text) for text in texts]
    named = [text for text in shown if re.search(r"(?<![\w-])--[a-z]", text) and not text.startswith("\n:root")]
    assert named == ([" --profile …"] if module.name == "errors.py" else [])  # which is a part of such commands
