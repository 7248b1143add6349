"""The proxy: a program's calls to Withings, with the real access token in them. Nothing else of them is changed.

It writes no access log, since that would hold tokens.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from withings_auth.borrow import token_service
from withings_auth.borrow.calls import (
    HOSTS,
    Call,
    hide_token,
    is_form,
    passed_on,
    target_url,
)
from withings_auth.borrow.entrance import Entrance
from withings_auth.borrow.placeholders import ACCESS_TOKEN
from withings_auth.borrow.token_service import Request
from withings_auth.borrow.tunnel import CONNECT_SECONDS, Traffic, abort
from withings_auth.borrow.upstream import LONGEST_LINE_BYTES, Reply, Upstream, open_upstream
from withings_auth.errors import WithingsAuthError
from withings_auth.validation import printable

if TYPE_CHECKING:
    from withings_auth.model import Token
    from withings_auth.tokens.source import AsyncTokenSource

logger = logging.getLogger(__name__)

LARGEST_FORM_BYTES = 1024 * 1024
IDLE_SECONDS = 3600.0  # a program may keep its connection for its next call
CLOSING_SECONDS = 0.1  # aiohttp takes 0 for no limit

_SILENT = logging.getLogger("withings_auth.borrow.aiohttp")
_SILENT.disabled = True
"""aiohttp would log a traceback for each malformed request, with parts of the request in it."""


class Proxy:
    """Answers what a program asks of Withings' hosts. `tell` is called with each error that the user should know."""

    def __init__(self, source: AsyncTokenSource, api_url: str, tell: Callable[[WithingsAuthError], None]) -> None:
        self._source = source
        self._api_url = api_url
        self._tell = tell
        self._told: object = None

    @asynccontextmanager
    async def serve(self, context: ssl.SSLContext, password: str) -> AsyncIterator[int]:
        """Serves on a free port of 127.0.0.1 until the context ends; yields the port."""
        traffic = Traffic()

        def take_over(server: web.Server, connection: socket.socket) -> None:
            traffic.begin(_serve_connection(server, connection, context, traffic))

        async with AsyncExitStack() as stack:
            upstream = await stack.enter_async_context(open_upstream())
            servers = {}
            for host in HOSTS:
                server = web.Server(
                    partial(self._answer, upstream, host),
                    access_log=None,
                    logger=_SILENT,
                    auto_decompress=False,  # a body passes as it is
                    handler_cancellation=True,  # nobody waits for an answer any more
                    keepalive_timeout=IDLE_SECONDS,
                    max_line_size=LONGEST_LINE_BYTES,
                    max_field_size=LONGEST_LINE_BYTES,
                )
                stack.push_async_callback(server.shutdown, CLOSING_SECONDS)
                servers[f"{host}:443"] = partial(take_over, server)
            stack.push_async_callback(traffic.end)
            # Made here, since asyncio hides the error if there is no descriptor left for it.
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            waiting: dict[Entrance, None] = {}
            listener = await asyncio.get_running_loop().create_server(
                lambda: Entrance(password, servers, traffic, waiting), sock=listening
            )
            stack.callback(listener.close)
            yield listening.getsockname()[1]

    async def _answer(self, upstream: Upstream, host: str, request: web.BaseRequest) -> web.StreamResponse:
        began = time.monotonic()
        path = request.rel_url.raw_path
        if not path.startswith("/"):  # that of OPTIONS or CONNECT
            raise web.HTTPBadRequest
        try:
            await _ask_for_body(request)
            service = token_service.find_service(path)
            if service is not None:
                response, outcome = await self._answer_for_tokens(service, await _read_parameters(request))
            else:
                form, rest = await _read_form(request)
                call = Call(
                    method=request.method,
                    url=target_url(host, request.rel_url.raw_path_qs, self._api_url),
                    headers=passed_on(request.headers.items()),
                    form=form,
                )
                response, outcome = await self._pass_on(upstream, request, call, rest)
        except (aiohttp.ClientError, OSError) as error:
            response, outcome = _hang_up(request), type(error).__name__
        milliseconds = (time.monotonic() - began) * 1000
        method = printable(request.method, limit=20)
        logger.debug("%s https://%s%s: %s, %.0f ms", method, host, printable(path), outcome, milliseconds)
        return response

    async def _answer_for_tokens(
        self, service: str, parameters: Mapping[str, object]
    ) -> tuple[web.StreamResponse, str]:
        asked = token_service.read_request(parameters)
        if asked is Request.RENEWAL:
            try:
                answer = token_service.tokens_answer(await self._get_token(), time.time())
            except WithingsAuthError as error:
                answer = token_service.error_answer(error, for_tokens=True)
        elif asked is Request.NONCE:
            answer = token_service.nonce_answer()
        else:
            self._tell_once(asked, token_service.refusal_error(asked))
            answer = token_service.refusal_answer(asked)
        return _make_response(answer, service)

    async def _pass_on(
        self, upstream: Upstream, request: web.BaseRequest, call: Call, rest: AsyncIterator[bytes] | None
    ) -> tuple[web.StreamResponse, str]:
        """Sends the call, and once more with a new token if the first one is refused."""
        if not call.wants_token:
            return await _deliver(request, await upstream.send(call, rest))
        try:
            token = await self._get_token()
            real = call.with_token(token)
            reply = await upstream.send(real, rest)
            # A body that was not kept cannot be sent again.
            if reply.refuses_token and real is not call and rest is None:
                reply.response.release()
                token = await self._get_token(rejected=token.access_token)
                reply = await upstream.send(call.with_token(token), rest)
        except WithingsAuthError as error:
            return _make_response(token_service.error_answer(error, for_tokens=False))
        return await _deliver(request, reply, secret=token.access_token)

    async def _get_token(self, rejected: str | None = None) -> Token:
        """Returns a token that works. Tells the user why if there is none, and raises it."""
        try:
            token = await self._source.token(rejected=rejected)
        except WithingsAuthError as error:
            self._tell_once(type(error), error)
            raise
        self._told = None
        return token

    def _tell_once(self, subject: object, error: WithingsAuthError) -> None:
        """Tells the user, but about the same thing only once in a row: programs repeat what fails."""
        if self._told != subject:
            self._told = subject
            self._tell(error)


async def _serve_connection(
    server: web.Server, connection: socket.socket, context: ssl.SSLContext, traffic: Traffic
) -> None:
    """Begins TLS with the program; aiohttp takes over."""
    try:
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
            server, connection, ssl=context, ssl_handshake_timeout=CONNECT_SECONDS
        )
        traffic.note(transport)
    except OSError as error:
        logger.debug("the program did not accept the certificate of this run: %s", type(error).__name__)


async def _ask_for_body(request: web.BaseRequest) -> None:
    """Lets a program send its body if it waits to be asked for it, as curl does."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


async def _read_parameters(request: web.BaseRequest) -> dict[str, object]:
    """Returns what is in the query and in the form."""
    try:
        return {**request.rel_url.query, **await request.post()}
    except (ValueError, LookupError):  # not encoded as its headers say, or as nothing that there is
        raise web.HTTPBadRequest from None


async def _read_form(request: web.BaseRequest) -> tuple[bytes | None, AsyncIterator[bytes] | None]:
    """Returns the body if it is a form, or else the stream of it; nothing if there is none."""
    if not request.can_read_body:
        return None, None
    if not is_form(request.headers):
        return None, request.content.iter_any()
    form = bytearray()
    async for piece in request.content.iter_any():
        form += piece
        if len(form) > LARGEST_FORM_BYTES:
            return None, _continue(bytes(form), request.content)
    return bytes(form), None


async def _continue(beginning: bytes, rest: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    yield beginning
    async for piece in rest.iter_any():
        yield piece


async def _deliver(request: web.BaseRequest, reply: Reply, *, secret: str = "") -> tuple[web.StreamResponse, str]:
    """Passes the answer on as it comes, but without the secret in a header or a refusal: both may repeat the query."""
    source = reply.response
    headers, beginning = passed_on(source.headers.items()), reply.beginning
    if secret:
        headers = tuple((name, value.replace(secret, ACCESS_TOKEN)) for name, value in headers)
        if reply.is_refusal:
            headers, beginning = hide_token(headers, beginning, secret)
    try:
        response = web.StreamResponse(status=source.status, reason=source.reason, headers=headers)
        await response.prepare(request)
        await response.write(beginning)
        async for piece in source.content.iter_any():
            await response.write(piece)
        await response.write_eof()
    except BaseException:
        source.close()
        raise
    source.release()
    return response, f"HTTP {source.status}" + (f", status {reply.status}" if reply.status else "")


def _make_response(answer: Mapping[str, Any], service: str = "") -> tuple[web.Response, str]:
    body = token_service.write_answer(answer, service)
    return web.Response(body=body, content_type="application/json"), f"answered here, status {answer['status']}"


def _hang_up(request: web.BaseRequest) -> web.Response:
    """Ends the connection without an answer: what happened to the program's call without us."""
    if request.transport is not None:
        abort(request.transport)
    return web.Response()
