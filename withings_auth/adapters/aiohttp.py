"""The access token in aiohttp.

```python
async with aiohttp.ClientSession(middlewares=[BearerMiddleware(AsyncTokenSource())]) as session:
    async with session.post("https://wbsapi.withings.net/v2/user", data={"action": "getdevice"}) as response:
        print(await response.json())
```

aiohttp calls a middleware for each hop of a redirect, with headers that no other hop has touched.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.payload import BytesPayload

from withings_auth.adapters import rules
from withings_auth.provider.statuses import TOKEN_REFUSED

if TYPE_CHECKING:
    from withings_auth.model import Token
    from withings_auth.tokens.source import AsyncTokenSource


class BearerMiddleware:
    """Sends the access token with every request to the API; if it is refused, renews it once.

    Every request asks the source, because only the token says where the API is. Raises what `AsyncTokenSource.token`
    raises. A body from a file or an iterator is not repeated: the caller gets the refusal, and the next request works.
    """

    def __init__(self, source: AsyncTokenSource) -> None:
        rules.refuse_other_kind(source, awaited=True, adapter="BearerMiddleware")
        self._source = source

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Sends one request, or one hop of it."""
        token = await self._source.token()
        if not _place(token, request):
            return await handler(request)
        response = await _send(request, handler)
        try:
            if not await _is_refused(response):
                return response
            renewed = await self._source.token(rejected=token.access_token)
        except BaseException:
            response.close()
            raise
        if not isinstance(request.body, bytes | BytesPayload) or not _place(renewed, request):
            return response
        response.release()
        return await _send(request, handler)


def _place(token: Token, request: ClientRequest) -> bool:
    url = request.url
    return rules.place(token, request.headers, scheme=url.scheme, host=url.raw_host, port=url.port)


async def _send(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    try:
        return await handler(request)
    finally:
        # The response keeps these headers, and aiohttp's errors show them in their repr.
        request.headers.pop("Authorization", None)


async def _is_refused(response: ClientResponse) -> bool:
    if not rules.needs_reading(response.status, response.headers):
        return response.status == TOKEN_REFUSED
    body = await response.read()
    response.content = _make_stream(body)
    return rules.body_refuses(body)


def _make_stream(body: bytes) -> StreamReader:
    """Returns a stream of the whole body, for callers that read `response.content`."""
    loop = asyncio.get_running_loop()
    stream = StreamReader(BaseProtocol(loop), limit=max(1, len(body)), loop=loop)
    stream.feed_data(body)
    stream.feed_eof()
    return stream
