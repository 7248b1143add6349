"""The security bar is held: each of its statements is borne by the docstring of a test that would fail without it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

HELD = {*range(1, 40)}


def statements(docstring: str) -> Iterator[int]:
    """The numbers behind “Statement” or “Statements” at the beginning of a docstring, ranges written out."""
    named = re.match(r"Statements? (\d+(?:(?:, | and | to )\d+)*)", docstring)
    if named is None:
        return
    numbers = re.findall(r"(to )?(\d+)", named[1])
    last = 0
    for to, number in numbers:
        yield from range(last + 1 if to else int(number), int(number) + 1)
        last = int(number)


def borne() -> set[int]:
    """Every number that a test bears."""
    found: set[int] = set()
    for path in Path(__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name.lower().startswith("test"):
                found.update(statements(ast.get_docstring(node) or ""))
    return found


def test_numbers_are_read_as_they_are_written() -> None:
    """One, several, and a range."""
    assert list(statements("Statement 7: x")) == [7]
    assert list(statements("Statements 2 and 15: x")) == [2, 15]
    assert list(statements("Statements 7 to 9, 16 and 17: x")) == [7, 8, 9, 16, 17]
    assert list(statements("A statement 7")) == []


def test_no_statement_is_without_a_test() -> None:
    """Every statement that the product makes true so far has a test that bears its number."""
    assert borne() >= HELD, sorted(HELD - borne())
