"""The README as data: its sections, code blocks and examples, so that tests run what it shows."""

from __future__ import annotations

import re
from pathlib import Path

from withings_auth.model import Endpoints

_ROOT = Path(__file__).parent.parent.parent
README = (_ROOT / "README.md").read_text()


def section(title: str) -> str:
    """The text under a heading, including its subsections."""
    found = re.search(rf"(?m)^(###?) {re.escape(title)}\n", README)
    assert found, title
    return re.split(rf"(?m)^##{{1,{len(found[1]) - 1}}} ", README[found.end() :], maxsplit=1)[0]


def blocks(language: str, text: str = README) -> list[str]:
    """The code blocks in a language."""
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```", text)


def rows(text: str) -> list[list[str]]:
    """The rows of the tables in a text, without the headers."""
    found = [
        [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    return [row for row in found[2:] if not set(row[0]) <= {"-", " "}]


def recipe_with(words: str) -> str:
    """The one Python block that contains the words."""
    (found,) = (block for block in blocks("python") if words in block)
    return found


def example(name: str) -> str:
    """The file of that name in `tests/examples/`, to which the README leads."""
    assert f"](tests/examples/{name})" in README, f"the README does not mention {name}"
    return (_ROOT / "tests" / "examples" / name).read_text()


def asking(url: str, recipe: str) -> str:
    """The recipe with another service in place of Withings, otherwise unchanged."""
    assert Endpoints().api_url in recipe, "it does not call Withings"
    return recipe.replace(Endpoints().api_url, url)
