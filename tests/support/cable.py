"""A cable to a server on this machine, which a test can cut and mend, or make slow."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Self

from tests.support.ports import free_port


class Cable:
    """Forwards connections to a port; `port` is its own end."""

    def __init__(self, to: int) -> None:
        self.port = free_port()
        self._to = to
        self._sockets: set[socket.socket] = set()
        self._slow: tuple[threading.Event, threading.Event] | None = None
        self.mend()

    def mend(self) -> None:
        """Takes connections (again)."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._take, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Ends all connections, and takes no more."""
        for one in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._sockets.clear()

    @contextlib.contextmanager
    def late(self, ask: Callable[[], object]) -> Iterator[None]:
        """Lets `ask` ask the server in a thread; the answer arrives after the block, and all others in time."""
        answered, may_pass = self._slow = threading.Event(), threading.Event()
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        assert answered.wait(60)
        self._slow = None
        try:
            yield
        finally:
            may_pass.set()
            thread.join(60)

    def _take(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                ours, _ = listener.accept()
                theirs = socket.create_connection(("127.0.0.1", self._to))
                self._sockets |= {ours, theirs}
                for ends in ((ours, theirs), (theirs, ours)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self._slow and source.getpeername()[1] == self._to:
                    answered, may_pass = self._slow
                    answered.set()
                    may_pass.wait(60)
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
