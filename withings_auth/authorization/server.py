"""The one-shot HTTP server: it passes requests on, and pages back. It decides nothing.

aiohttp's loggers are silenced, since a request line holds the code. Answers that aiohttp makes by itself carry our
headers too, and every connection is closed after its answer.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import cast

from aiohttp import web

from withings_auth.authorization import pages
from withings_auth.authorization.callback import HttpRequest, Reason
from withings_auth.authorization.connections import Connections, most_connections, most_descriptors
from withings_auth.authorization.visitors import Connection

FAREWELL_SECONDS = 1.0  # for pages still being sent when the login is over
LARGEST_HEADERS_BYTES = 1 << 20  # a browser sends the cookies of every port of localhost
LARGEST_REQUEST_BYTES = LARGEST_HEADERS_BYTES + (16 << 10)  # with the request line, and a body nobody wants
_TLS_HANDSHAKE = 0x16  # the first byte of a TLS record that opens a connection (RFC 8446, section 5.1)

# Not from getLogger, so that no logging configuration of the program can reach it.
_SILENT = logging.Logger("withings_auth.authorization", logging.CRITICAL + 1)


@asynccontextmanager
async def serve(
    sockets: Iterable[socket.socket],
    answer: Callable[[HttpRequest], Awaitable[pages.Page]],
    note_unreadable: Callable[[Reason], object],
) -> AsyncIterator[None]:
    """Serves the listening sockets during the block; at its end they and every connection are closed.

    `answer` returns the page for each HTTP request; `note_unreadable` gets the reason why anything else is ignored.
    """

    async def respond(request: web.BaseRequest) -> web.StreamResponse:
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers)
        connection = None
        if (transport := request.transport) is not None:
            connections.has_request(transport)
            connection = Connection(transport.get_extra_info("peername"), transport.get_extra_info("sockname"))
        return _response(
            await answer(
                HttpRequest(method=request.method, target=request.raw_path, headers=headers, connection=connection)
            )
        )

    manager = web.Server(respond)
    connections = Connections(most_connections(most_descriptors()))
    listeners = list(sockets)
    accepting = [
        asyncio.ensure_future(
            connections.accept(listening, lambda: _HttpConnection(manager, connections, note_unreadable))
        )
        for listening in listeners
    ]
    try:
        yield
    finally:
        for task in accepting:
            task.cancel()
        await asyncio.gather(*accepting, return_exceptions=True)
        for listening in listeners:
            listening.close()
        await manager.shutdown(FAREWELL_SECONDS)


def _response(page: pages.Page) -> web.Response:
    response = web.Response(status=page.status, headers=page.headers, body=page.body)
    response.headers["Server"] = "withings-auth"
    response.force_close()
    return response


class _HttpConnection(web.RequestHandler):
    """aiohttp's connection, which recognises TLS, bounds a request and puts our headers on its own answers."""

    def __init__(
        self, manager: web.Server, connections: Connections, note_unreadable: Callable[[Reason], object]
    ) -> None:
        super().__init__(
            manager,
            loop=asyncio.get_running_loop(),
            access_log=_SILENT,
            logger=_SILENT,
            lingering_time=0,
            tcp_keepalive=False,
            max_field_size=LARGEST_HEADERS_BYTES,
            max_headers=LARGEST_HEADERS_BYTES,  # how many: the bound on their bytes, below, is the one that counts
        )
        self._connections = connections
        self._note_unreadable = note_unreadable
        self._received_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.add(cast(asyncio.Transport, transport))
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.remove(cast(asyncio.Transport, self.transport))
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._received_bytes == 0 and data[:1] == bytes([_TLS_HANDSHAKE]):
            self._refuse(Reason.TLS)
            return
        self._received_bytes += len(data)
        if self._received_bytes > LARGEST_REQUEST_BYTES:
            self._refuse(Reason.TOO_LARGE)
            return
        super().data_received(data)

    def _refuse(self, reason: Reason) -> None:
        self._note_unreadable(reason)
        self.force_close()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        del request, exc, message  # what came over the wire is neither shown nor logged
        self._note_unreadable(Reason.MALFORMED)
        return _response(pages.page(pages.Text.NOT_FOR_US, status=status))
