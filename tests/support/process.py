"""A process with its own store, told what to do line by line; `elsewhere` runs this file as a script."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any


class Process:
    """What can be done here: the methods of the store, and those below."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._held: dict[str, Any] = {}
        self._locks = ExitStack()

    def lock(self, name: str, timeout: float) -> None:
        self._held[name] = self._locks.enter_context(self._store.lock(name, timeout))

    def unlock(self) -> None:
        self._held.clear()
        self._locks.close()

    def save(self, name: str, text: str) -> None:
        """Saves under the lock that is held, else under a new one."""
        if name in self._held:
            self._held[name].save(text)
        else:
            with self._store.lock(name, 20) as held:
                held.save(text)

    def hold_in_a_thread(self, name: str) -> None:
        def hold(begun: threading.Event) -> None:
            with self._store.lock(name, 5):
                begun.set()
                threading.Event().wait()

        self._start(hold)

    def save_in_a_thread(self, name: str, *texts: str) -> None:
        """Saves the texts in turn, again and again."""

        def save(begun: threading.Event) -> None:
            for text in itertools.cycle(texts):
                self.save(name, text)
                begun.set()

        self._start(save)

    def _start(self, job: Callable[[threading.Event], None]) -> None:
        begun = threading.Event()
        threading.Thread(target=job, args=(begun,), daemon=True).start()
        begun.wait()

    def fork(self, questions: int, answers: int) -> None:
        """The child talks through pipes of its own: its parent may be killed."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of a fork beside threads
            child = os.fork()
        if child == 0:
            signal.alarm(120)  # it never stays, whatever happens
            nowhere = os.open(os.devnull, os.O_RDWR)
            for standard in (0, 1, 2):
                os.dup2(nowhere, standard)
            self.serve(os.fdopen(questions), os.fdopen(answers, "w"))
            sys.exit()
        os.close(questions)
        os.close(answers)

    def serve(self, questions: Iterable[str], answers: IO[str]) -> None:
        """Does what each line says, and answers with its result or the error."""
        for line in questions:
            doing, *arguments = json.loads(line)
            try:
                answer = (getattr(self, doing, None) or getattr(self._store, doing))(*arguments)
            except Exception as error:  # noqa: BLE001  it is reported
                answer = {"error": f"{type(error).__name__} {error}"}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    sys.path[:] = json.loads(sys.argv[1])
    names: dict[str, Any] = {"Path": Path}
    exec(sys.argv[2], names)  # noqa: S102  the code comes from the test itself
    process = Process(names["store"])
    with process._locks:
        process.serve(sys.stdin, sys.stdout)
