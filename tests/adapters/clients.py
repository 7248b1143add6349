"""The clients of all libraries behind one interface, so that each promise is tested with all of them.

Each passes the keywords that it does not know to its adapter.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import httpx
import requests
from requests.adapters import HTTPAdapter

from withings_auth import AsyncTokenSource, TokenSource
from withings_auth.adapters.aiohttp import BearerMiddleware
from withings_auth.adapters.httpx import AsyncBearerAuth
from withings_auth.adapters.httpx import BearerAuth as HttpxBearerAuth
from withings_auth.adapters.requests import BearerAuth as RequestsBearerAuth
from withings_auth.store.base import SecretStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """What the caller gets: the answer, and the library's own object."""

    http_status: int
    body: bytes
    response: Any = field(repr=False)


class Client(Protocol):
    """A session that uses the adapter."""

    def send(self, method: str, url: str, **details: Any) -> Got:
        """Sends one request and reads the answer; `details` are those of `Call`.

        With `stream` the answer is read in pieces of 101 bytes; `opened` is called when it is in hand, unread.
        """

    def send_together(self, count: int, method: str, url: str, **details: Any) -> list[Got]:
        """Sends the same request several times at once."""

    def one_shot(self, *chunks: bytes) -> Iterator[bytes] | AsyncIterator[bytes]:
        """Returns a body that can be sent only once."""

    def close(self) -> None:
        """Ends the session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What to send, and how to read the answer."""

    method: str
    url: str
    form: Mapping[str, str] | None = None
    content: Any = None
    headers: Mapping[str, str] | None = None
    stream: bool = False
    opened: Callable[[], object] = bool


class Blocking:
    """A client for blocking code; “together” means in threads."""

    def _sent(self, call: Call) -> Got:
        raise NotImplementedError

    def send(self, method: str, url: str, **details: Any) -> Got:
        return self._sent(Call(method=method, url=url, **details))

    def send_together(self, count: int, method: str, url: str, **details: Any) -> list[Got]:
        call = Call(method=method, url=url, **details)
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(self._sent, [call] * count))

    def one_shot(self, *chunks: bytes) -> Iterator[bytes]:
        yield from chunks


class Awaited:
    """A client for asyncio, in its own loop; “together” means in tasks."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()

    async def _sent(self, call: Call) -> Got:
        raise NotImplementedError

    def send(self, method: str, url: str, **details: Any) -> Got:
        return self.runner.run(self._sent(Call(method=method, url=url, **details)))

    def send_together(self, count: int, method: str, url: str, **details: Any) -> list[Got]:
        call = Call(method=method, url=url, **details)

        async def all_of_them() -> list[Got]:
            return await asyncio.gather(*(self._sent(call) for _ in range(count)))

        return self.runner.run(all_of_them())

    async def one_shot(self, *chunks: bytes) -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk


class Requests(Blocking):
    """requests."""

    def __init__(
        self, store: SecretStore, authority: Path | None = None, *, connections: int = 100, **adapter: Any
    ) -> None:
        self.session = requests.Session()
        self.session.auth = RequestsBearerAuth(TokenSource(store=store), **adapter)
        self.session.mount("http://", HTTPAdapter(pool_maxsize=connections, pool_block=True))
        self.verify = str(authority) if authority else True

    def _sent(self, call: Call) -> Got:
        with self.session.request(
            call.method,
            call.url,
            data=call.content if call.form is None else call.form,
            headers=call.headers,
            stream=call.stream,
            timeout=20,
            verify=self.verify,  # here, since a CA bundle that the environment names goes before the session's own
        ) as response:
            call.opened()
            read = b"".join(response.iter_content(101)) if call.stream else response.content
            return Got(http_status=response.status_code, body=read, response=response)

    def close(self) -> None:
        self.session.close()


class Httpx(Blocking):
    """httpx, blocking."""

    def __init__(
        self, store: SecretStore, authority: Path | None = None, *, connections: int = 100, **adapter: Any
    ) -> None:
        auth = HttpxBearerAuth(TokenSource(store=store), **adapter)
        limits = httpx.Limits(max_connections=connections)
        trust = trusting(authority)
        self.client = httpx.Client(auth=auth, follow_redirects=True, verify=trust, timeout=20, limits=limits)

    def _sent(self, call: Call) -> Got:
        with self.client.stream(
            call.method, call.url, data=call.form, content=call.content, headers=call.headers
        ) as response:
            call.opened()
            read = b"".join(response.iter_bytes(101)) if call.stream else response.read()
            return Got(http_status=response.status_code, body=read, response=response)

    def close(self) -> None:
        self.client.close()


class AsyncHttpx(Awaited):
    """httpx, async."""

    def __init__(
        self, store: SecretStore, authority: Path | None = None, *, connections: int = 100, **adapter: Any
    ) -> None:
        super().__init__()
        auth = AsyncBearerAuth(AsyncTokenSource(store=store), **adapter)
        limits = httpx.Limits(max_connections=connections)
        trust = trusting(authority)
        self.client = httpx.AsyncClient(auth=auth, follow_redirects=True, verify=trust, timeout=20, limits=limits)

    async def _sent(self, call: Call) -> Got:
        async with self.client.stream(
            call.method, call.url, data=call.form, content=call.content, headers=call.headers
        ) as response:
            call.opened()
            pieces = response.aiter_bytes(101)
            read = b"".join([piece async for piece in pieces]) if call.stream else await response.aread()
            return Got(http_status=response.status_code, body=read, response=response)

    def close(self) -> None:
        self.runner.run(self.client.aclose())
        self.runner.close()


class Aiohttp(Awaited):
    """aiohttp."""

    def __init__(
        self, store: SecretStore, authority: Path | None = None, *, connections: int = 100, **adapter: Any
    ) -> None:
        super().__init__()
        middleware = BearerMiddleware(AsyncTokenSource(store=store), **adapter)
        self.session = self.runner.run(self._opened(middleware, trusting(authority), connections))

    async def _opened(
        self, middleware: BearerMiddleware, trust: ssl.SSLContext, connections: int
    ) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            middlewares=[middleware],
            connector=aiohttp.TCPConnector(ssl=trust, limit=connections),
            timeout=aiohttp.ClientTimeout(20),
        )

    async def _sent(self, call: Call) -> Got:
        body = call.content if call.form is None else call.form
        async with self.session.request(call.method, call.url, data=body, headers=call.headers) as response:
            call.opened()
            pieces = response.content.iter_chunked(101)
            read = b"".join([piece async for piece in pieces]) if call.stream else await response.read()
            return Got(http_status=response.status, body=read, response=response)

    def close(self) -> None:
        self.runner.run(self.session.close())
        self.runner.close()


CLIENTS = (Aiohttp, AsyncHttpx, Httpx, Requests)


def trusting(authority: Path | None) -> ssl.SSLContext:
    """Returns a context that trusts this certificate alone, or none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority is not None:
        context.load_verify_locations(authority)
    return context
