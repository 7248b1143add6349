"""The promises of SECURITY.md and the tests that hold them: a test's docstring begins with the promise's number."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
SECURITY = (TESTS.parent / "SECURITY.md").read_text(encoding="utf-8")


def numbered(title: str) -> list[int]:
    """The numbers of the list under a heading of SECURITY.md."""
    _, _, rest = SECURITY.partition(f"\n## {title}\n")
    text, _, _ = rest.partition("\n## ")
    return [int(number) for number in re.findall(r"(?m)^(\d+)\. ", text)]


def numbers_in(citation: str) -> Iterator[int]:
    """The numbers in “7 to 9, 16 and 17”, ranges written out."""
    last = 0
    for to, number in re.findall(r"(to )?(\d+)", citation):
        yield from range(last + 1 if to else int(number), int(number) + 1)
        last = int(number)


def cited(docstring: str) -> list[int]:
    """Every number behind “Statement” or “Statements”."""
    citations = re.findall(r"\bStatements? (\d+(?:(?:, | and | to )\d+)*)", docstring)
    return [number for citation in citations for number in numbers_in(citation)]


@functools.cache
def docstrings_of_tests() -> dict[str, str]:
    """The docstring of every test function and class, by file and name."""
    return {
        f"{path.relative_to(TESTS)}: {node.name}": ast.get_docstring(node) or ""
        for path in TESTS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and node.name.lower().startswith("test")
    }


def test_numbers_are_read_as_they_are_written() -> None:
    """One, several, a range, and two citations in one docstring."""
    assert cited("Statement 7: x") == [7]
    assert cited("Statements 2 and 15: x") == [2, 15]
    assert cited("Statements 7 to 9, 16 and 17: x") == [7, 8, 9, 16, 17]
    assert cited("Statement 29: x; Statement 32: y") == [29, 32]
    assert cited("A statement 7") == []


def test_the_promises_are_numbered_without_a_gap() -> None:
    """They are in order, and a number never changes."""
    assert numbered("Promises") == [*range(1, 56)]


def test_every_promise_has_a_test() -> None:
    """The docstring of the test begins with the number."""
    held = {number for text in docstrings_of_tests().values() if text.startswith("Statement") for number in cited(text)}
    assert set(numbered("Promises")) <= held, sorted(set(numbered("Promises")) - held)


def test_no_test_cites_what_is_not_promised() -> None:
    """A number in a docstring can be looked up."""
    promised = set(numbered("Promises"))
    strangers = {
        name: numbers for name, text in docstrings_of_tests().items() if (numbers := set(cited(text)) - promised)
    }
    assert strangers == {}
