"""Processes of `withings-auth`, forked from one that has loaded it: most of a command's time is its imports.

A fork is a process like any other: with a session, standard streams, a terminal, an environment and an end of its own.
What is read only once, when a module is loaded, is as it was when the tests began: an environment that would change
this for Python or a library needs a process that is started afresh, see `fits`. The modules of this package read
nothing then. That the command loads what it needs is shown by processes that are started afresh: the transcripts, the
recipes, and the tests of what is imported.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SERVER = Path(__file__).with_name("forked.py")
LARGEST_ORDER = 100_000  # bytes; a socket takes twice as much at once
_AT_START = ("LANG", "LC_", "LD_", "MALLOC_", "OPENSSL_", "PYTHON", "SSL")
_NOT_AT_START = "PYTHON_KEYRING_"
_MEASURED = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")


def _at_start(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if name.startswith(_AT_START) and not name.startswith(_NOT_AT_START)
    }


class Fork:
    """A running process, with what `subprocess.Popen` offers."""

    def __init__(self, server: _Server, pid: int, arguments: Sequence[str]) -> None:
        self.args = ["withings-auth", *arguments]
        self.pid = pid
        self.returncode: int | None = None
        self._server = server
        self._handle = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """The exit code, or None if it still runs."""
        return self._after(0)

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end."""
        returncode = self._after(timeout)
        if returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _after(self, seconds: float | None) -> int | None:
        if self.returncode is None:
            poll = select.poll()
            poll.register(self._handle, select.POLLIN)
            if poll.poll(None if seconds is None else seconds * 1000):
                self.returncode = self._server.ask({"ended": self.pid})
                os.close(self._handle)
        return self.returncode


class Forks:
    """Forks processes; each of the two programs that do, with coverage and without, is started when it is needed."""

    def __init__(self) -> None:
        self._servers: dict[bool, _Server] = {}
        self._turn = threading.Lock()
        self._started_with = _at_start(os.environ)

    def fits(self, environ: Mapping[str, str]) -> bool:
        """Whether a fork has nothing to read at its start that has changed meanwhile."""
        return hasattr(os, "pidfd_open") and _at_start(environ) == self._started_with

    def start(
        self,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        streams: Sequence[int],
        *,
        terminal: bool = False,
        code: str | None = None,
    ) -> Fork:
        """Starts `withings-auth`, or code that runs it in its own way, with these three standard streams."""
        order: dict[str, object] = {"arguments": arguments, "environ": dict(environ), "terminal": terminal}
        order |= {"directory": str(Path.cwd()), "code": code}
        measured = any(environ.get(name) for name in _MEASURED)
        with self._turn:
            if measured not in self._servers:
                self._servers[measured] = _Server(measured=measured)
        server = self._servers[measured]
        return Fork(server, server.ask(order, streams), arguments)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers.values():
            server.close()


class _Server:
    """A program that forks."""

    def __init__(self, *, measured: bool) -> None:
        self._turn = threading.Lock()
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._program = subprocess.Popen(
                [sys.executable, SERVER, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if measured or name not in _MEASURED},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def ask(self, order: dict[str, object], streams: Sequence[int] = ()) -> int:
        """Sends an order; returns the number that answers it."""
        with self._turn:
            umask = os.umask(0o077)
            os.umask(umask)
            socket.send_fds(self._orders, [json.dumps({"umask": umask, **order}).encode()], streams)
            answer = self._orders.recv(64)
        assert answer, "the program that forks has ended"
        return int(answer)

    def close(self) -> None:
        """Lets it end."""
        self._orders.close()
        self._program.wait(60)
