"""The same store in another process, told what to do line by line, forked and killed when need be."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Self

import pytest

PATIENCE_SECONDS = 60.0

# Runs after the code that makes `store`. A fork's child talks through pipes of its own: its parent may be killed.
_SERVE = """
import contextlib, json, os, signal, sys, threading, warnings

def in_thread(work):
    begun, end = threading.Event(), threading.Event()
    threading.Thread(target=work, args=(begun, end), daemon=True).start()
    begun.wait()
    ends.append(end)

def holding(*arguments):
    def work(begun, end):
        with store.lock(*arguments):
            begun.set()
            end.wait()
    in_thread(work)

def saving(name, *texts):
    def work(begun, end):
        while not end.is_set():
            for text in texts:
                save(name, text)
                begun.set()
    in_thread(work)

def note(text):
    next(iter(held.values())).notes.note(text)

def lock(name, timeout):
    held[name] = locks.enter_context(store.lock(name, timeout))

def unlock():
    held.clear()
    locks.close()

def save(name, text):
    if name in held:
        return held[name].save(text)
    with store.lock(name, 20) as once:
        once.save(text)

def clear(name):
    if name in held:
        return held[name].clear()
    with store.lock(name, 20) as once:
        return once.clear()

def finish():
    while ends:
        ends.pop().set()

def fork(asked, answered):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # since Python 3.12 a fork beside threads is warned of
        child = os.fork()
    if child == 0:
        signal.alarm(120)  # whatever happens to it, it does not stay
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nowhere, standard)
        serve(open(asked), open(answered, "w"))
        sys.exit()
    os.close(asked)
    os.close(answered)

def serve(questions, answers):
    for line in questions:
        doing, *arguments = json.loads(line)
        try:
            answer = (ours[doing] if doing in ours else getattr(store, doing))(*arguments)
        except Exception as error:
            answer = {"error": f"{type(error).__name__} {error}"}
        print(json.dumps(answer), file=answers, flush=True)

ours = {f.__name__: f for f in (holding, saving, note, lock, unlock, save, clear, finish, fork)}
held, ends = {}, []
with contextlib.ExitStack() as locks:
    serve(sys.stdin, sys.stdout)
"""


class RefusedElsewhere(Exception):
    """An exception in the other process, by its name and text."""


class Talk:
    """What another process is asked and answers, one line each."""

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
        """Has a method of the store called and returns its answer. Raises `RefusedElsewhere`."""
        self.begin(doing, *arguments)
        return self.answer()

    def begin(self, doing: str, *arguments: object) -> None:
        """Has it called without waiting for the answer."""
        self._questions.write(json.dumps([doing, *arguments]) + "\n")
        self._questions.flush()

    def answer(self) -> object:
        """Waits for the answer. Raises `RefusedElsewhere`."""
        try:
            line = self._answers.get(timeout=PATIENCE_SECONDS)
        except queue.Empty:
            pytest.fail(f"the store in the other process did not answer within {PATIENCE_SECONDS:.0f} seconds")
        if not line:
            pytest.fail("the other process has ended; what it said stands on stderr")
        answer: object = json.loads(line)
        if isinstance(answer, dict):
            raise RefusedElsewhere(answer["error"])
        return answer

    def end(self) -> None:
        """Has nothing more to ask, so that the process ends as programs do, and waits until it has nothing to say."""
        with suppress(OSError):  # what was not sent, to one that is gone, is of no use
            self._questions.close()
        self._reader.join(PATIENCE_SECONDS)


class Elsewhere(Talk):
    """Another process with a store of its own; `code` is Python that makes it, under the name `store`.

    Besides the methods of the store it knows `lock` and `unlock`, `note`, `holding` a lock in a thread and `saving`
    texts by turns in another until `finish`. With `to_be_forked` it can `fork` once.
    """

    def __init__(self, code: str, env: Mapping[str, str] | None = None, *, to_be_forked: bool = False) -> None:
        path = f"import sys; sys.path[:] = {sys.path!r}\n"
        self._child: Talk | None = None
        self._childs: tuple[int, ...] = ()
        if to_be_forked:
            (asked, asking), (answering, answered) = os.pipe(), os.pipe()
            self._childs = asked, answered
            self._child = Talk(os.fdopen(asking, "w", encoding="utf-8"), os.fdopen(answering, encoding="utf-8"))
        self._process = subprocess.Popen(  # noqa: S603  the code comes from the test itself
            [sys.executable, "-c", f"{path}{code}\n{_SERVE}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=env,
            pass_fds=self._childs,
        )
        for descriptor in self._childs:
            os.close(descriptor)
        assert self._process.stdin is not None  # noqa: S101  for mypy
        assert self._process.stdout is not None  # noqa: S101
        super().__init__(self._process.stdin, self._process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if self._child is not None:
            self._child.end()

    def fork(self) -> Talk:
        """Has it call `os.fork` and returns the talk with the child, which outlives it."""
        assert self._child is not None  # noqa: S101
        self("fork", *self._childs)
        return self._child

    def kill(self) -> None:
        """Ends it at once, as the kernel does when memory is short; a child lives on."""
        self._process.kill()
        self._process.wait()
        self.end()
