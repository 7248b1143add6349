"""CONTRIBUTING.md, checked against the code: the drawing of the rooms, and every path and name."""

from __future__ import annotations

import pkgutil
import re
import subprocess
from pathlib import Path

import pytest

import withings_auth
from tests.test_imports import TABLE

ROOT = Path(__file__).parent.parent
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CODES = sorted(set(re.findall(r"(?<!`)`([^`\n]+)`", CONTRIBUTING)))
PATHS = [code for code in CODES if re.fullmatch(r"[\w./-]+(/|\.(py|md|txt|toml))", code)]
ROOTS = {*TABLE, *withings_auth.__all__, "withings_auth"}
NAMES = [code for code in CODES if code not in PATHS and code.partition(".")[0] in ROOTS]
IDENTIFIERS = [code for code in CODES if re.fullmatch(r"\w+(\(.*\))?", code) and code not in NAMES]


def layers() -> list[list[str]]:
    """The rooms of the drawing, layer by layer from the top; a room begins its cell, after one space."""
    _, drawing, _ = CONTRIBUTING.split("```", 2)
    rows = re.split(r"(?m)^[┌├└].*\n?", drawing)
    return [re.findall(r"│ (\w+)", row) for row in rows if row.strip()]


def depth(room: str) -> int:
    """How many rooms are on the longest way down from this one."""
    return max((1 + depth(below) for below in TABLE[room]), default=0)


def test_the_drawing_shows_the_table_of_imports() -> None:
    """Each room is drawn once, directly above the highest room that it imports."""
    drawn = [(room, level) for level, layer in enumerate(reversed(layers())) for room in layer]
    assert sorted(drawn) == sorted((room, depth(room)) for room in TABLE)


@pytest.mark.parametrize("path", PATHS)
def test_the_paths_exist(path: str) -> None:
    """From the repository, or from the package; NAME is the reader's to choose."""
    path = re.sub(r"[^/]*NAME.*", "", path)
    assert (ROOT / path).exists() or (ROOT / "withings_auth" / path).exists()


@pytest.mark.parametrize("name", NAMES)
def test_the_names_exist(name: str) -> None:
    """A dotted name starts at the package, at a room, or with a public name."""
    name = name.partition("(")[0].removeprefix("withings_auth.")
    assert pkgutil.resolve_name(f"withings_auth.{name}")


def test_the_other_identifiers_exist() -> None:
    """Those without a dot occur somewhere in the code."""
    code = "\n".join(
        path.read_text(encoding="utf-8") for room in ("withings_auth", "tests") for path in (ROOT / room).rglob("*.py")
    )
    words = set(re.findall(r"\w+", code))
    assert {identifier.partition("(")[0] for identifier in IDENTIFIERS} <= words


def test_there_are_paths_and_names() -> None:
    """So the checks above have something to look at."""
    assert len(PATHS) > 30
    assert len(NAMES) > 15
    assert len(IDENTIFIERS) > 5


def test_the_commands_exist() -> None:
    """The targets are the Makefile's, and the files for pytest are there."""
    targets = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = re.findall(r"(?:`|\$ )make ([a-z]+)", CONTRIBUTING)
    assert len(named) > 4
    assert all(f"make {target} " in targets for target in named)
    assert all((ROOT / path).exists() for path in re.findall(r"pytest (tests/\S+)", CONTRIBUTING))


def test_it_stays_short() -> None:
    assert len(CONTRIBUTING.splitlines()) <= 220
