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
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.payload import BytesPayload

from withings_auth.adapters import rules

if TYPE_CHECKING:
    from withings_auth.model import Token
    from withings_auth.tokens.source import AsyncTokenSource


class BearerMiddleware:
    """Sends the access token with every request to the API; if it is refused, renews it once.

    If Withings refuses a request because it came too soon (status 601), waits and repeats it once; `longest_wait` is
    for how many seconds at most, 0 for not at all. `wait` is what waits, for a test with a clock of its own. The wait
    counts towards the session's total timeout. Every request asks the source, because only the token says where the API
    is. Raises what `AsyncTokenSource.token` raises. A body from a file or an iterator is not repeated: the caller gets
    the refusal, and the next request works.
    """

    def __init__(
        self,
        source: AsyncTokenSource,
        *,
        longest_wait: float = rules.LONGEST_WAIT_SECONDS,
        wait: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        rules.refuse_other_kind(source, awaited=True, adapter="BearerMiddleware")
        self._source = source
        self._longest_wait = longest_wait
        self._wait = wait

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Sends one request, or one hop of it."""
        token = await self._source.token()
        if not _place(token, request):
            return await handler(request)
        attempts = rules.Attempts(longest_wait=self._longest_wait)
        while True:
            response = await _send(request, handler)
            try:
                retry = attempts.judge(response.status, response.headers, await _read_if_needed(response))
                if retry is not None and retry.renews:
                    token = await self._source.token(rejected=token.access_token)
                if retry is None or not isinstance(request.body, bytes | BytesPayload):
                    return response
                await self._wait(retry.wait_seconds)
            except BaseException:
                response.close()
                raise
            if not _place(token, request):
                return response
            response.release()


def _place(token: Token, request: ClientRequest) -> bool:
    url = request.url
    return rules.place(token, request.headers, scheme=url.scheme, host=url.raw_host, port=url.port)


async def _send(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    try:
        return await handler(request)
    finally:
        # The response keeps these headers, and aiohttp's errors show them in their repr.
        request.headers.pop("Authorization", None)


async def _read_if_needed(response: ClientResponse) -> bytes | None:
    if not rules.needs_reading(response.status, response.headers):
        return None
    body = await response.read()
    response.content = _make_stream(body)
    return body


def _make_stream(body: bytes) -> StreamReader:
    """Returns a stream of the whole body, for callers that read `response.content`."""
    loop = asyncio.get_running_loop()
    stream = StreamReader(BaseProtocol(loop), limit=max(1, len(body)), loop=loop)
    stream.feed_data(body)
    stream.feed_eof()
    return stream
