"""The README as data: its sections and code blocks, so that tests run what it shows and the two cannot drift apart."""

from __future__ import annotations

import re
from pathlib import Path

README = (Path(__file__).parent.parent.parent / "README.md").read_text()


def section(title: str) -> str:
    """The text under a heading, with the smaller headings in it."""
    found = re.search(rf"(?m)^(###?) {re.escape(title)}\n", README)
    assert found, title
    return re.split(rf"(?m)^##{{1,{len(found[1]) - 1}}} ", README[found.end() :], maxsplit=1)[0]


def blocks(language: str, text: str = README) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```", text)


def recipe_with(words: str) -> str:
    """The one Python block that holds the words."""
    (found,) = (block for block in blocks("python") if words in block)
    return found
