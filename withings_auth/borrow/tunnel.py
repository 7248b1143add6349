"""Connections that are carried through unseen, byte by byte, to the host that a program asked for."""

from __future__ import annotations

import asyncio
import base64
import re
import socket
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, cast
from urllib.parse import SplitResult, unquote, urlsplit
from weakref import WeakSet

from withings_auth.errors import UnusableVariable
from withings_auth.provider.variables import proxy_for
from withings_auth.threads import in_thread

CONNECT_SECONDS = 30.0
_LONGEST_HEAD_BYTES = 16_384
_ADMITTED = re.compile(rb"HTTP/1\.[01] +200[ \r]")  # some proxies leave out the words, and the blank before them


class End(asyncio.Protocol):
    """One end of a tunnel: what it reads, the other end writes, no faster than that can."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._other: End | None = None
        self._is_read = False  # nothing more will come from this end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def join(self, other: End, early: bytes) -> None:
        """Makes a tunnel of two ends; `early` is what this one has read already."""
        self._other, other._other = other, self
        if early:
            self.data_received(early)

    @property
    def _way_out(self) -> asyncio.Transport | None:
        return self._other.transport if self._other else None

    def data_received(self, data: bytes) -> None:
        if self._way_out is not None:
            self._way_out.write(data)

    def eof_received(self) -> bool:
        """Passes the end on; the other direction stays open until it ends as well."""
        self._is_read = True
        if self._way_out is None or self._other is None or self._other._is_read:
            return False
        self._way_out.write_eof()
        return True

    def connection_lost(self, _: Exception | None) -> None:
        if self._way_out is not None:
            self._way_out.close()

    def pause_writing(self) -> None:
        if self._way_out is not None:
            self._way_out.pause_reading()

    def resume_writing(self) -> None:
        if self._way_out is not None:
            self._way_out.resume_reading()


class Traffic:
    """Everything that is under way, so that it can be ended."""

    def __init__(self) -> None:
        self._transports: WeakSet[asyncio.Transport] = WeakSet()
        self._tasks: set[asyncio.Task[None]] = set()

    def note(self, transport: asyncio.Transport) -> None:
        """Keeps an eye on a connection."""
        self._transports.add(transport)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Does this in a task of its own."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """Ends all tasks and connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for transport in self._transports:
            abort(transport)
        await asyncio.sleep(0)  # they are closed in the loop's next turn


def abort(transport: asyncio.Transport) -> None:
    """Ends a connection at once, even one that is closing.

    Python 3.11.1 to 3.11.3 raise `AttributeError` if it has TLS and was closed twice (CPython's pull request 104485).
    """
    with suppress(AttributeError):
        transport.abort()


async def connect(host: str, port: int) -> socket.socket:
    """Returns a connection to the host, through the machine's own proxy if it has one. Raises `OSError`.

    Everything happens in a thread, since a name that is slow to resolve must stop nobody.
    """
    return await in_thread(lambda: _connect(host, port))


def _connect(host: str, port: int) -> socket.socket:
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        proxy = proxy_for(f"https://{target}")
    except UnusableVariable as error:
        raise OSError(str(error)) from error
    if proxy is None:
        return socket.create_connection((host, port), CONNECT_SECONDS)
    return _connect_through(urlsplit(proxy), target)


def _connect_through(proxy: SplitResult, target: str) -> socket.socket:
    if proxy.scheme != "http":
        raise OSError("a proxy that is itself reached by https cannot be passed through")
    connection = socket.create_connection((proxy.hostname or "", proxy.port or 80), CONNECT_SECONDS)
    try:
        credentials = ""
        if proxy.username is not None:
            pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
            credentials = f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"
        connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{credentials}\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)  # no more than the head: what follows belongs to the program
            if not byte or len(head) > _LONGEST_HEAD_BYTES:
                raise OSError("the proxy gave no answer")
            head += byte
        if _ADMITTED.match(head) is None:
            raise OSError("the proxy refused the connection")
    except BaseException:
        connection.close()
        raise
    return connection
