"""The access token in httpx, blocking and async.

```python
with httpx.Client(auth=BearerAuth(TokenSource())) as client:
    print(client.post("https://wbsapi.withings.net/v2/user", data={"action": "getdevice"}).json())
```

httpx follows redirects within the flow and drops the header if the origin changes; only the last hop is judged and
repeated. A small JSON answer has already been read when the caller gets it, so `iter_raw` does not work; every other
stream does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import TYPE_CHECKING, NoReturn

try:
    import httpx
except ImportError as missing:
    raise ImportError("withings_auth.adapters.httpx needs httpx: pip install httpx") from missing

from withings_auth.adapters import rules

if TYPE_CHECKING:
    from withings_auth.model import Token
    from withings_auth.tokens.source import AsyncTokenSource, TokenSource


class BearerAuth(httpx.Auth):
    """Sends the access token with every request of an `httpx.Client` to the API; if it is refused, renews it once.

    If Withings refuses a request because it came too soon (status 601), waits and repeats it once; `longest_wait` is
    for how many seconds at most, 0 for not at all. `wait` is what waits, for a test with a clock of its own. Every
    request asks the source, because only the token says where the API is. Raises what `TokenSource.token` raises. A
    body from a file or an iterator is not repeated: the caller gets the refusal, and the next request works.
    """

    def __init__(
        self,
        source: TokenSource,
        *,
        longest_wait: float = rules.LONGEST_WAIT_SECONDS,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        rules.refuse_other_kind(source, awaited=False, adapter="BearerAuth")
        self._source = source
        self._longest_wait = longest_wait
        self._wait = wait

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sends a request, and sends it again if its token is refused, or if it came too soon."""
        token = self._source.token()
        attempts = rules.Attempts(longest_wait=self._longest_wait)
        _place(token, request)
        while True:
            response = yield request
            body = response.read() if _needs_reading(response, token) else None
            retry = _judge(attempts, response, token, body)
            if retry is not None and retry.renews:
                token = self._source.token(rejected=token.access_token)
            if retry is None or not isinstance(response.request.stream, httpx.ByteStream):
                return
            self._wait(retry.wait_seconds)
            request = response.request
            if not _place(token, request):
                return

    def async_auth_flow(self, request: httpx.Request) -> NoReturn:  # noqa: ARG002  the name is httpx's
        """Raises `TypeError`: it would block the event loop."""
        raise TypeError("BearerAuth is for httpx.Client; httpx.AsyncClient takes AsyncBearerAuth(AsyncTokenSource())")


class AsyncBearerAuth(httpx.Auth):
    """Does what `BearerAuth` does, for an `httpx.AsyncClient`."""

    def __init__(
        self,
        source: AsyncTokenSource,
        *,
        longest_wait: float = rules.LONGEST_WAIT_SECONDS,
        wait: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        rules.refuse_other_kind(source, awaited=True, adapter="AsyncBearerAuth")
        self._source = source
        self._longest_wait = longest_wait
        self._wait = wait

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Sends a request, and sends it again if its token is refused, or if it came too soon."""
        token = await self._source.token()
        attempts = rules.Attempts(longest_wait=self._longest_wait)
        _place(token, request)
        while True:
            response = yield request
            body = await response.aread() if _needs_reading(response, token) else None
            retry = _judge(attempts, response, token, body)
            if retry is not None and retry.renews:
                token = await self._source.token(rejected=token.access_token)
            if retry is None or not isinstance(response.request.stream, httpx.ByteStream):
                return
            await self._wait(retry.wait_seconds)
            request = response.request
            if not _place(token, request):
                return

    def sync_auth_flow(self, request: httpx.Request) -> NoReturn:  # noqa: ARG002  the name is httpx's
        """Raises `TypeError`: nobody would await the source."""
        raise TypeError("AsyncBearerAuth is for httpx.AsyncClient; httpx.Client takes BearerAuth(TokenSource())")


def _place(token: Token, request: httpx.Request) -> bool:
    url, host = request.url, request.url.raw_host.decode("ascii")
    return rules.place(token, request.headers, scheme=url.scheme, host=host, port=url.port, keeps_on_upgrade="httpx")


def _needs_reading(response: httpx.Response, token: Token) -> bool:
    return rules.carries(token, response.request.headers) and rules.needs_reading(
        response.status_code, response.headers
    )


def _judge(attempts: rules.Attempts, response: httpx.Response, token: Token, body: bytes | None) -> rules.Retry | None:
    """Judges an answer of the API. After a redirect through another origin, the last request has no token."""
    if not rules.carries(token, response.request.headers):
        return None
    return attempts.judge(response.status_code, response.headers, body)
