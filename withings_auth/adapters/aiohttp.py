"""The token inside aiohttp.

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
    """Sends the access token with every request to the API; renews and repeats once where it is refused.

    Each request asks the source, one that goes elsewhere too, since only the token says where the API is. Raises what
    `AsyncTokenSource.token` raises. A body that can be sent only once, or is read from a file, is not repeated: the
    caller gets the refusal, and the next request goes well.
    """

    def __init__(self, source: AsyncTokenSource) -> None:
        rules.refuse_other_kind(source, awaited=True, adapter="BearerMiddleware")
        self._source = source

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Sends one request, or one hop of it."""
        token = await self._source.token()
        if not _place(token, request):
            return await handler(request)
        response = await _sent(request, handler)
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
        return await _sent(request, handler)


def _place(token: Token, request: ClientRequest) -> bool:
    url = request.url
    return rules.place(token, request.headers, scheme=url.scheme, host=url.raw_host, port=url.port)


async def _sent(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    try:
        return await handler(request)
    finally:
        # The response keeps a view of these headers, and aiohttp's errors show them in their repr.
        request.headers.pop("Authorization", None)


async def _is_refused(response: ClientResponse) -> bool:
    if not rules.needs_reading(response.status, response.headers):
        return response.status == TOKEN_REFUSED
    body = await response.read()
    response.content = _stream_of(body)
    return rules.body_refuses(body)


def _stream_of(body: bytes) -> StreamReader:
    """Returns a stream with all of the body in it, for a caller who reads `response.content`."""
    loop = asyncio.get_running_loop()
    stream = StreamReader(BaseProtocol(loop), limit=max(1, len(body)), loop=loop)
    stream.feed_data(body)
    stream.feed_eof()
    return stream
