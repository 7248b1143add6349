"""The proxy in a thread of this process, and what a program would use to reach it."""

from __future__ import annotations

import asyncio
import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from withings_auth.borrow.calls import HOSTS
from withings_auth.borrow.certificates import issue_certificates, make_server_context, write_bundle
from withings_auth.borrow.proxy import Proxy

if TYPE_CHECKING:
    from withings_auth.errors import WithingsAuthError
    from withings_auth.tokens.source import AsyncTokenSource

PASSWORD = "the-password-of-this-run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """Where the proxy is, whom to trust, and what it has told the user."""

    port: int
    bundle: Path
    told: list[WithingsAuthError] = field(default_factory=list)
    connections: list[socket.socket] = field(default_factory=list)

    @contextmanager
    def session(self) -> Iterator[requests.Session]:
        """A client that obeys the variables of the program's environment."""
        with requests.Session() as session:
            session.trust_env = False
            session.proxies["https"] = f"http://withings-auth:{PASSWORD}@127.0.0.1:{self.port}"
            session.verify = str(self.bundle)
            yield session

    def connect(self) -> socket.socket:
        """A bare connection to the proxy, closed when that ends."""
        self.connections.append(socket.create_connection(("127.0.0.1", self.port), timeout=60))
        return self.connections[-1]

    def ask(self, target: str, password: str = PASSWORD, early: bytes = b"") -> tuple[socket.socket, bytes]:
        """Asks for a tunnel; returns the connection and the head of the answer."""
        credentials = base64.b64encode(f"withings-auth:{password}".encode())
        connection = self.connect()
        connection.sendall(
            f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n".encode()
            + b"Proxy-Authorization: Basic " + credentials + b"\r\n\r\n" + early
        )  # fmt: skip
        return connection, read_head(connection)


def read_head(connection: socket.socket) -> bytes:
    """Reads up to the empty line, or to the end."""
    head = b""
    while not head.endswith(b"\r\n\r\n") and (byte := connection.recv(1)):
        head += byte
    return head


@contextmanager
def proxy_for_login(source: AsyncTokenSource, api_url: str, directory: Path) -> Iterator[Behind]:
    """Runs the proxy until the context ends."""
    certificates = issue_certificates(HOSTS)
    bundle = directory / "authorities.pem"
    write_bundle(bundle, certificates, more=[])
    told: list[WithingsAuthError] = []
    started: list[Behind] = []
    loop, up = asyncio.new_event_loop(), threading.Event()
    end = asyncio.Event()

    async def run() -> None:
        async with Proxy(source, api_url, told.append).serve(make_server_context(certificates), PASSWORD) as port:
            started.append(Behind(port=port, bundle=bundle, told=told))
            up.set()
            await end.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert up.wait(60)
    try:
        yield started[0]
    finally:
        for connection in started[0].connections:
            connection.close()
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()
