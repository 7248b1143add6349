"""A store in another process, which can be called, forked and killed. That process runs this file as a script."""

from __future__ import annotations

import os
import reprlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, nullcontext, suppress
from functools import partial
from multiprocessing.connection import Client, Listener
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from withings_auth.store.base import HeldName, SecretStore

PATIENCE_SECONDS = 60.0


class RefusedElsewhere(Exception):
    """An exception in the other process, by its name and text."""


class Talk:
    """Calls methods of `Served` in another process; `exit_code` waits for its end."""

    def __init__(self, listener: Listener, who: str, exit_code: Callable[[], int]) -> None:
        self._connection = listener.accept()
        self._who = who
        self.exit_code = exit_code

    def __call__(self, method: str, *arguments: object) -> Any:
        """Calls a method there and returns its result. Raises `RefusedElsewhere`."""
        self.begin(method, *arguments)
        return self.answer()

    def begin(self, method: str, *arguments: object) -> None:
        """Calls a method there without waiting for the result."""
        self._call = f"{method}({', '.join(map(reprlib.repr, arguments))})"
        with suppress(ConnectionError):  # it has ended, which `answer` reports
            self._connection.send((method, arguments))

    def answer(self, *, seconds: float = PATIENCE_SECONDS) -> Any:
        """Waits for the result. Raises `RefusedElsewhere`, and `AssertionError` if there is none in time."""
        if not self._connection.poll(seconds):
            raise AssertionError(f"{self._who} did not answer {self._call} within {seconds:g} seconds")
        try:
            result, error = self._connection.recv()
        except (EOFError, ConnectionError):
            raise AssertionError(f"{self._who} ended during {self._call}, with exit code {self.exit_code()}") from None
        if error:
            raise RefusedElsewhere(error)
        return result

    def end(self) -> None:
        """Lets the process end by itself, and waits for that."""
        self.begin("end")
        with suppress(EOFError, ConnectionError):
            self._connection.recv()


class Elsewhere(Talk):
    """Another process, with the store that `opening` opens: Python code that assigns it to the name `store`."""

    def __init__(self, opening: str) -> None:
        self._opening = opening
        self._listener = Listener()
        self._children: list[Talk] = []
        # Python 3.12 warns of a fork beside threads.
        command = [sys.executable, "-P", "-Wignore::DeprecationWarning", __file__, str(self._listener.address)]
        self._process = subprocess.Popen(command)  # noqa: S603
        super().__init__(self._listener, f"process {self._process.pid}", partial(self._process.wait, PATIENCE_SECONDS))

    def __enter__(self) -> Self:
        self("open", sys.path, self._opening)
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for child in self._children:
            child.end()

    def fork(self) -> Talk:
        """Has it call `os.fork`; returns a talk with the child, which outlives it."""
        number = self("fork")
        self._children.append(Talk(self._listener, f"forked child {number}", partial(self, "exit_code_of", number)))
        return self._children[-1]

    def kill(self) -> None:
        """Ends it at once, as the kernel does when memory is short; a child lives on."""
        self._process.kill()
        self._process.wait()
        self._listener.close()


class Served:
    """What can be called in the other process, besides the methods of its store."""

    store: SecretStore
    end = staticmethod(sys.exit)

    def __init__(self, address: str) -> None:
        self._address = address
        self._held: dict[str, HeldName] = {}
        self._locks = ExitStack()
        self._stop = threading.Event()
        self.end_threads = self._stop.set

    def open(self, path: list[str], opening: str) -> None:
        sys.path[:] = path
        names: dict[str, Any] = {}
        exec(opening, names)  # noqa: S102  the code comes from the test itself
        self.store = names["store"]

    def lock(self, name: str, timeout: float) -> None:
        self._held[name] = self._locks.enter_context(self.store.lock(name, timeout))

    def unlock(self) -> None:
        self._held.clear()
        self._locks.close()

    def note(self, name: str, text: str) -> None:
        self._held[name].notes.note(text)

    def clear(self, name: str) -> bool:
        with self.store.lock(name, 20) as held:
            return held.clear()

    def save(self, name: str, *texts: str) -> None:
        """Saves the texts in turn, under the lock that it holds or under a new one for each."""
        for text in texts:
            with nullcontext(self._held[name]) if name in self._held else self.store.lock(name, 20) as held:
                held.save(text)

    def hold_in_a_thread(self, name: str) -> None:
        """Holds the name in a thread that lives until `end_threads`."""
        holding = threading.Event()

        def hold() -> None:
            with self.store.lock(name, 5):
                holding.set()
                self._stop.wait()

        threading.Thread(target=hold, daemon=True).start()
        holding.wait()

    def save_in_a_thread(self, name: str, *texts: str) -> None:
        """Saves the texts in turn, again and again, until `end_threads`."""
        self.save(name, texts[0])

        def save() -> None:
            while not self._stop.is_set():
                self.save(name, *texts)

        threading.Thread(target=save, daemon=True).start()

    def fork(self) -> int:
        if sys.platform == "win32":
            raise NotImplementedError
        if (child := os.fork()) == 0:
            self._connection.close()  # or the end of its parent would not be noticed
            self.serve()
            sys.exit()
        return child

    def exit_code_of(self, child: int) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def serve(self) -> None:
        """Answers calls until the other side has gone."""
        if hasattr(signal, "alarm"):
            signal.alarm(120)  # no process is left behind, even if pytest is killed
        connection = self._connection = Client(self._address)
        with suppress(EOFError), self._locks:
            while True:
                method, arguments = connection.recv()
                try:
                    result = (getattr(self, method, None) or getattr(self.store, method))(*arguments)
                    connection.send((result, ""))
                except Exception as error:  # noqa: BLE001  it is reported
                    connection.send((None, f"{type(error).__name__} {error}"))


if __name__ == "__main__":
    Served(sys.argv[1]).serve()
