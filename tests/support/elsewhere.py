"""The same store in another process, which can be told what to do, forked and killed."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

import pytest

PATIENCE_SECONDS = 60.0


class RefusedElsewhere(Exception):
    """An exception in the other process, by its name and text."""


class Talk:
    """Questions to another process and its answers, one line each; `process.Process` is the other side."""

    def __init__(self, questions: IO[str], answers: IO[str]) -> None:
        self._questions = questions
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(answers,), daemon=True)
        self._reader.start()

    def _read(self, answers: IO[str]) -> None:
        with answers:
            for line in answers:
                self._answers.put(line)
        self._answers.put("")

    def __call__(self, doing: str, *arguments: object) -> object:
        """Calls a method there and returns its result. Raises `RefusedElsewhere`."""
        self.begin(doing, *arguments)
        return self.answer()

    def begin(self, doing: str, *arguments: object) -> None:
        """Calls a method there without waiting for the result."""
        self._questions.write(json.dumps([doing, *arguments]) + "\n")
        self._questions.flush()

    def answer(self) -> object:
        """Waits for the result. Raises `RefusedElsewhere`."""
        try:
            line = self._answers.get(timeout=PATIENCE_SECONDS)
        except queue.Empty:
            pytest.fail(f"the store in the other process did not answer within {PATIENCE_SECONDS:.0f} seconds")
        if not line:
            pytest.fail("the other process has ended; stderr shows why")
        answer: object = json.loads(line)
        if isinstance(answer, dict):
            raise RefusedElsewhere(answer["error"])
        return answer

    def end(self) -> None:
        """Lets the process end by itself, and waits for that."""
        with suppress(OSError):  # it may be gone already
            self._questions.close()
        self._reader.join(PATIENCE_SECONDS)


class Elsewhere(Talk):
    """Another process; `code` is Python code that opens its store under the name `store`. It can fork once."""

    def __init__(self, code: str, env: Mapping[str, str] | None = None) -> None:
        self._child: Talk | None = None
        self._childs: tuple[int, ...] = ()
        if hasattr(os, "fork"):
            (asked, asking), (answering, answered) = os.pipe(), os.pipe()
            self._childs = asked, answered
            self._child = Talk(os.fdopen(asking, "w", encoding="utf-8"), os.fdopen(answering, encoding="utf-8"))
        script = str(Path(__file__).with_name("process.py"))
        self._process = subprocess.Popen(
            [sys.executable, script, json.dumps(sys.path), code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=env,
            pass_fds=self._childs,
        )
        for descriptor in self._childs:
            os.close(descriptor)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        super().__init__(self._process.stdin, self._process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if self._child is not None:
            self._child.end()

    def fork(self) -> Talk:
        """Has it call `os.fork`; returns the talk with the child, which outlives it."""
        assert self._child is not None
        self("fork", *self._childs)
        return self._child

    def kill(self) -> None:
        """Ends it at once, as the kernel does when memory is short; a child lives on."""
        self._process.kill()
        self._process.wait()
        self.end()
