"""The sandbox's web server, on a loopback address: it carries requests in and replies out, and nothing else.

The only module of the sandbox that imports aiohttp. It writes no access log, since that would hold codes and tokens.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from .http import HttpReply, HttpRequest

HOST = "127.0.0.1"

_SILENT = logging.getLogger("withings_auth.sandbox.aiohttp")
_SILENT.disabled = True
"""aiohttp would log a traceback for each malformed request, with parts of the request in it."""


@asynccontextmanager
async def serve(answer: Callable[[HttpRequest], HttpReply], *, port: int) -> AsyncIterator[int]:
    """Serves on a port (0: any free one) until the context ends; yields the port.

    An exception in `answer` is a bug of the sandbox: the client gets a 500, and leaving the context raises.
    """
    bugs: list[Exception] = []

    with socket.create_server((HOST, port)) as listener:  # it listens, so whoever connects from now on is served
        bound_port: int = listener.getsockname()[1]

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            try:
                reply = answer(await _read(request, f"http://{HOST}:{bound_port}"))
            except Exception as bug:
                if not isinstance(bug, web.HTTPException):
                    bugs.append(bug)
                raise
            return await _deliver(request, reply)

        server = web.Server(handle, access_log=None, logger=_SILENT)
        runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        try:
            yield bound_port
        finally:
            await _stop_accepting(listener)
            await runner.cleanup()
    if bugs:
        raise RuntimeError("the sandbox itself failed to answer a request") from bugs[0]


async def _stop_accepting(listener: socket.socket) -> None:
    """Lets connections that were just accepted reach aiohttp, which closes those that it knows.

    asyncio sets up a connection over several turns of its loop. If the server is closed in between, the connection
    is never closed (seen as ResourceWarnings with Python 3.11).
    """
    with suppress(NotImplementedError):  # the event loop on Windows accepts in another way
        asyncio.get_running_loop().remove_reader(listener)
    for _ in range(5):
        await asyncio.sleep(0)


async def _read(request: web.BaseRequest, origin: str) -> HttpRequest:
    return HttpRequest(
        method=request.method,
        path=request.rel_url.raw_path,
        origin=origin,
        query=request.rel_url.raw_query_string,
        body=await request.read(),
        headers={name.lower(): text for name, text in request.headers.items()},
    )


async def _deliver(request: web.BaseRequest, reply: HttpReply) -> web.StreamResponse:
    if reply.delay_seconds:
        await asyncio.sleep(reply.delay_seconds)
    if reply.delivery == "none":
        _hang_up(request)
        return web.Response()
    response = web.Response(status=reply.http_status, body=reply.body, headers=dict(reply.headers))
    response.content_type = reply.media_type
    response.charset = "utf-8"
    if reply.delivery == "whole":
        return response
    half = web.StreamResponse(status=reply.http_status, headers=response.headers)
    half.content_length = len(reply.body)
    await half.prepare(request)
    await half.write(reply.body[: len(reply.body) // 2])
    _hang_up(request)
    return half


def _hang_up(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.close()
