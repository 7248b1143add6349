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

from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING, NoReturn

try:
    import httpx
except ImportError as missing:
    raise ImportError("withings_auth.adapters.httpx needs httpx: pip install 'withings-auth[httpx]'") from missing

from withings_auth.adapters import rules

if TYPE_CHECKING:
    from withings_auth.model import Token
    from withings_auth.tokens.source import AsyncTokenSource, TokenSource


class BearerAuth(httpx.Auth):
    """Sends the access token with every request of an `httpx.Client` to the API; if it is refused, renews it once.

    Every request asks the source, because only the token says where the API is. Raises what `TokenSource.token`
    raises. A body from a file or an iterator is not repeated: the caller gets the refusal, and the next request works.
    """

    def __init__(self, source: TokenSource) -> None:
        rules.refuse_other_kind(source, awaited=False, adapter="BearerAuth")
        self._source = source

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sends a request, and sends it once more if its token is refused."""
        token = self._source.token()
        _place(token, request)
        response = yield request
        if _needs_reading(response, token):
            response.read()
        if _is_refused(response, token):
            renewed = self._source.token(rejected=token.access_token)
            if _prepare_again(response, renewed):
                yield response.request

    def async_auth_flow(self, request: httpx.Request) -> NoReturn:  # noqa: ARG002  the name is httpx's
        """Raises `TypeError`: it would block the event loop."""
        raise TypeError("BearerAuth is for httpx.Client; httpx.AsyncClient takes AsyncBearerAuth(AsyncTokenSource())")


class AsyncBearerAuth(httpx.Auth):
    """Does what `BearerAuth` does, for an `httpx.AsyncClient`."""

    def __init__(self, source: AsyncTokenSource) -> None:
        rules.refuse_other_kind(source, awaited=True, adapter="AsyncBearerAuth")
        self._source = source

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Sends a request, and sends it once more if its token is refused."""
        token = await self._source.token()
        _place(token, request)
        response = yield request
        if _needs_reading(response, token):
            await response.aread()
        if _is_refused(response, token):
            renewed = await self._source.token(rejected=token.access_token)
            if _prepare_again(response, renewed):
                yield response.request

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


def _is_refused(response: httpx.Response, token: Token) -> bool:
    """Whether the API refused the token. After a redirect through another origin, the last request has none."""
    return rules.carries(token, response.request.headers) and rules.is_refusal(
        response.status_code, response.headers, lambda: response.content
    )


def _prepare_again(response: httpx.Response, token: Token) -> bool:
    """Prepares the refused request to be sent again; returns False if its body is used up."""
    request = response.request
    return isinstance(request.stream, httpx.ByteStream) and _place(token, request)
