"""Where a program's connections come in: one CONNECT request, with the credentials of this run, then a tunnel.

A tunnel to Withings ends at a server of our own, every other one at the host that was asked for.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import logging
import re
import socket
from collections.abc import Callable, Mapping
from typing import cast

from withings_auth.borrow.tunnel import End, Traffic, connect
from withings_auth.errors import OutOfResources
from withings_auth.provider.variables import PROXY_USER
from withings_auth.validation import printable

logger = logging.getLogger(__name__)

HEAD_SECONDS = 30.0
LARGEST_HEAD_BYTES = 16_384
MOST_WAITING = 64  # whoever can connect, such as another user of this machine, must not use up our descriptors
_REQUEST = re.compile(rb"CONNECT (\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5}) HTTP/1\.[01]")

Serve = Callable[[socket.socket], None]
"""Takes a connection over."""


class _ProgramEnd(End):
    """The program's end of a tunnel. It acknowledges what comes at once.

    urllib3 sends a request's body only when the head is acknowledged (Nagle's algorithm, for proxies only), and Linux
    would wait up to 40 ms with that.
    """

    def data_received(self, data: bytes) -> None:
        if self.transport is not None and hasattr(socket, "TCP_QUICKACK"):
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # it lasts until the next answer
        super().data_received(data)


class Entrance(asyncio.Protocol):
    """Reads the CONNECT request of one connection, and makes a tunnel of it.

    `servers` are those that stand for a host and port, by name. `waiting` has all connections without a whole request,
    the oldest first, which has to go if there are too many.
    """

    def __init__(
        self, password: str, servers: Mapping[str, Serve], traffic: Traffic, waiting: dict[Entrance, None]
    ) -> None:
        self._expected = b"basic " + base64.b64encode(f"{PROXY_USER}:{password}".encode())
        self._servers = servers
        self._traffic = traffic
        self._waiting = waiting
        self._head = bytearray()
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._traffic.note(self._transport)
        self._deadline = asyncio.get_running_loop().call_later(HEAD_SECONDS, transport.close)
        self._waiting[self] = None
        if len(self._waiting) > MOST_WAITING:
            next(iter(self._waiting))._give_up()

    def connection_lost(self, _: Exception | None) -> None:
        self._end_wait()

    def data_received(self, data: bytes) -> None:
        self._head += data
        head, end, early = bytes(self._head).partition(b"\r\n\r\n")
        if len(head) > LARGEST_HEAD_BYTES:
            self._refuse("431 Request Header Fields Too Large")
        elif end:
            self._end_wait()
            self._admit(head, early)

    def _admit(self, head: bytes, early: bytes) -> None:
        request_line, *lines = head.split(b"\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        scheme, _, credentials = headers.get(b"proxy-authorization", b"").partition(b" ")
        given = scheme.lower() + b" " + credentials.strip()
        request = _REQUEST.fullmatch(request_line)
        if not hmac.compare_digest(given, self._expected):
            self._refuse("407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="withings-auth"\r\n')
        elif request is None:
            self._refuse("405 Method Not Allowed", "Allow: CONNECT\r\n")
        elif self._transport is not None:
            self._transport.pause_reading()
            host, port = request[1].decode().strip("[]").lower(), int(request[2])
            self._traffic.begin(self._open(self._transport, host, port, early))

    async def _open(self, transport: asyncio.Transport, host: str, port: int, early: bytes) -> None:
        try:
            outside = self._connect_to_server(f"{host}:{port}") or await connect(host, port)
        except (OSError, OutOfResources, ValueError, OverflowError) as error:  # the last two: no name, or no port
            logger.debug("no connection to %s:%d: %s", printable(host), port, type(error).__name__)
            self._refuse("502 Bad Gateway")
            return
        near, far = _ProgramEnd(), End()
        way_out, _ = await asyncio.get_running_loop().create_connection(lambda: far, sock=outside)
        self._traffic.note(way_out)
        transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        near.connection_made(transport)
        near.join(far, early)
        transport.set_protocol(near)
        transport.resume_reading()

    def _connect_to_server(self, target: str) -> socket.socket | None:
        serve = self._servers.get(target)
        if serve is None:
            return None
        ours, theirs = socket.socketpair()
        serve(theirs)
        return ours

    def _refuse(self, status: str, header: str = "") -> None:
        self._end_wait()
        if self._transport is not None:
            self._transport.write(
                f"HTTP/1.1 {status}\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
            )
            self._transport.close()

    def _give_up(self) -> None:
        self._end_wait()
        if self._transport is not None:
            self._transport.abort()

    def _end_wait(self) -> None:
        self._waiting.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
