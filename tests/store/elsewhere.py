"""The same store in another process, told what to do line by line and killed when need be."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Self

_SERVE = """
import contextlib, json, sys
with contextlib.ExitStack() as held:
    for line in sys.stdin:
        doing, *arguments = json.loads(line)
        try:
            if doing == "lock":
                notes = held.enter_context(store.lock(*arguments))
                answer = None
            elif doing == "note":
                answer = notes.note(*arguments)
            elif doing == "unlock":
                answer = held.close()
            else:
                answer = getattr(store, doing)(*arguments)
        except Exception as error:
            answer = {"error": f"{type(error).__name__} {error}"}
        print(json.dumps(answer), flush=True)
"""


class RefusedElsewhere(Exception):
    """An exception in the other process, by its name and text."""


class Elsewhere:
    """Another process with a store of its own; `code` is Python that makes it, under the name `store`."""

    def __init__(self, code: str, env: dict[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", code + _SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def __call__(self, doing: str, *arguments: object) -> object:
        """Has a method of the store called and returns its answer. Raises `RefusedElsewhere`."""
        self.begin(doing, *arguments)
        return self.answer()

    def begin(self, doing: str, *arguments: object) -> None:
        """Has it called without waiting for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([doing, *arguments]) + "\n")
        self._process.stdin.flush()

    def answer(self) -> object:
        """Waits for the answer. Raises `RefusedElsewhere`."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the other process has ended"
        answer: object = json.loads(line)
        if isinstance(answer, dict):
            raise RefusedElsewhere(answer["error"])
        return answer

    def kill(self) -> None:
        """Ends it at once, as the kernel does when memory is short."""
        self._process.kill()
        self._process.communicate()
