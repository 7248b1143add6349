"""Colours for terminals, unless NO_COLOR is set (no-color.org)."""

from __future__ import annotations

import os
import sys
from typing import Literal, TextIO

Colour = Literal["red", "green", "yellow", "bold", "dim"]

_CODES: dict[Colour, str] = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}


def coloured(text: str, colour: Colour, stream: TextIO | None) -> str:
    """Returns the text, in colour if the stream shows colours."""
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if _shows_colour(stream) else text


def _shows_colour(stream: TextIO | None) -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    # An old Windows console would print the sequences; Windows Terminal sets WT_SESSION.
    if sys.platform == "win32" and not os.environ.get("WT_SESSION"):
        return False
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False
