"""Processes of `withings-auth`, forked from one that has loaded the libraries: half of a command's time is its imports.

A fork is a process like any other: with a session, standard streams, a terminal, an environment and an end of its own.
It imports all of `withings_auth` itself. What Python or a library reads only once, at its start, is as it was when the
tests began: an environment that would change this needs a process that is started afresh, see `fits`.
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


def _at_start(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if name.startswith(_AT_START) and not name.startswith(_NOT_AT_START)
    }


class Fork:
    """A running process, with what `subprocess.Popen` offers."""

    def __init__(self, forks: Forks, pid: int, arguments: Sequence[str]) -> None:
        self.args = ["withings-auth", *arguments]
        self.pid = pid
        self.returncode: int | None = None
        self._forks = forks
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
                self.returncode = self._forks.ask({"ended": self.pid})
                os.close(self._handle)
        return self.returncode


class Forks:
    """Forks processes; the program that does is started with the first one."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()
        self._started_with = _at_start(os.environ)

    def fits(self, environ: Mapping[str, str]) -> bool:
        """Whether a fork has nothing to read at its start that has changed meanwhile."""
        return hasattr(os, "pidfd_open") and _at_start(environ) == self._started_with

    def start(
        self, arguments: Sequence[str], environ: Mapping[str, str], streams: Sequence[int], *, terminal: bool = False
    ) -> Fork:
        """Starts `withings-auth` with these three standard streams."""
        order = {"arguments": arguments, "environ": dict(environ), "directory": str(Path.cwd()), "terminal": terminal}
        return Fork(self, self.ask(order, streams), arguments)

    def ask(self, order: dict[str, object], streams: Sequence[int] = ()) -> int:
        """Sends an order; returns the number that answers it."""
        with self._turn:
            if self._server is None:
                self._start()
            umask = os.umask(0o077)
            os.umask(umask)
            socket.send_fds(self._orders, [json.dumps({"umask": umask, **order}).encode()], streams)
            answer = self._orders.recv(64)
        assert answer, "the program that forks has ended"
        return int(answer)

    def _start(self) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, SERVER, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._orders.close()
            self._server.wait(60)
