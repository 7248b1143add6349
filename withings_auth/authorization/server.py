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

from aiohttp import web

from withings_auth.authorization import pages
from withings_auth.authorization.callback import HttpRequest, Reason

FAREWELL_SECONDS = 1.0  # for pages still being sent when the login is over
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
        return _response(await answer(HttpRequest(method=request.method, target=request.raw_path, headers=headers)))

    manager = web.Server(respond)
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(lambda: _Connection(manager, note_unreadable), sock=listening) for listening in sockets
    ]
    try:
        yield
    finally:
        for server in servers:
            server.close()
        await manager.shutdown(FAREWELL_SECONDS)


def _response(page: pages.Page) -> web.Response:
    response = web.Response(status=page.status, headers=page.headers, body=page.body)
    response.headers["Server"] = "withings-auth"
    response.force_close()
    return response


class _Connection(web.RequestHandler):
    """aiohttp's connection, which recognises TLS and puts our headers on its own answers."""

    def __init__(self, manager: web.Server, note_unreadable: Callable[[Reason], object]) -> None:
        super().__init__(manager, loop=asyncio.get_running_loop(), access_log=_SILENT, logger=_SILENT, lingering_time=0)
        self._note_unreadable = note_unreadable
        self._is_new = True

    def data_received(self, data: bytes) -> None:
        if self._is_new and data:
            self._is_new = False
            if data[0] == _TLS_HANDSHAKE:
                self._note_unreadable(Reason.TLS)
                self.force_close()
                return
        super().data_received(data)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        del request, exc, message  # what came over the wire is neither shown nor logged
        self._note_unreadable(Reason.MALFORMED)
        return _response(pages.page(pages.Text.NOT_FOR_US, status=status))
