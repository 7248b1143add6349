"""The README's table of errors matches the code."""

from __future__ import annotations

import ast
from pathlib import Path

import withings_auth
from tests.support.errors import all_errors
from tests.support.readme import rows, section
from withings_auth.errors import WithingsAuthError


def row(error: type[WithingsAuthError]) -> list[str]:
    """The error's row: name, parent, meaning, exit code, and whether to try again."""
    parent = error.__base__
    kind = f"`{parent.__name__}`" if parent is not None and issubclass(parent, WithingsAuthError) else ""
    promise = (error.__doc__ or "").splitlines()[0].removesuffix(".")
    return [f"`{error.__name__}`", kind, promise, str(error.exit_code), "yes" if error.temporary else ""]


def test_the_table_of_errors_lists_every_class() -> None:
    """With its parent, the first line of its docstring, its exit code, and whether trying again helps."""
    assert rows(section("Errors in Python")) == [row(error) for error in all_errors()]


def test_every_error_has_a_hint() -> None:
    """Wherever the package creates one."""
    names = {error.__name__ for error in all_errors()}
    without = [
        f"{path.name}, line {node.lineno}"
        for path in Path(withings_auth.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in names
        and not any(word.arg in {"hint", None} for word in node.keywords)
    ]
    assert without == []
