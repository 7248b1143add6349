"""Debug messages that cost nothing while nobody can be listening.

Loading `logging` takes longer than reading a valid token. So only the program, or `--verbose`, loads it.
"""

from __future__ import annotations

import sys


class Logger:
    """Passes messages on to the logger of this name in `logging`, if that is loaded."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, message: str, *values: object) -> None:
        find = getattr(sys.modules.get("logging"), "getLogger", None)  # absent while another thread imports it
        if find is not None:
            find(self._name).debug(message, *values, stacklevel=2)
