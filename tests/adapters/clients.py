"""The four libraries' clients behind one face, so that each promise is tested with all of them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
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
    """What the caller has in hand: the answer, and the library's own object."""

    http_status: int
    body: bytes
    response: Any = field(repr=False)


class Client(Protocol):
    """A session with the adapter in it."""

    def send(self, method: str, url: str, **details: Any) -> Got:
        """Sends one request and reads the answer; `details` are `form`, `content`, `headers`, `stream` and `opened`.

        With `stream` the answer is read in pieces of seven bytes; `opened` is called when it is in hand, unread.
        """

    def send_together(self, count: int, method: str, url: str, **details: Any) -> list[Got]:
        """Sends the same request so many times at once."""

    def one_shot(self, *chunks: bytes) -> Iterator[bytes] | AsyncIterator[bytes]:
        """Returns a body that can be sent only once."""

    def close(self) -> None:
        """Ends the session."""


class Requests:
    """requests."""

    def __init__(self, store: SecretStore, authority: Path | None = None, *, connections: int = 100) -> None:
        self.session = requests.Session()
        self.session.auth = RequestsBearerAuth(TokenSource(store=store))
        self.session.mount("http://", HTTPAdapter(pool_maxsize=connections, pool_block=True))
        self.verify = str(authority) if authority else True

    def send(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        opened: Callable[[], object] = bool,
    ) -> Got:
        body = form if form is not None else content
        # `verify` with each request: a CA bundle that the environment names goes before the session's own.
        with self.session.request(
            method, url, data=body, headers=headers, stream=stream, timeout=20, verify=self.verify
        ) as response:
            opened()
            read = b"".join(response.iter_content(7)) if stream else response.content
            return Got(http_status=response.status_code, body=read, response=response)

    def send_together(self, count: int, method: str, url: str, **details: Any) -> list[Got]:
        return _in_threads(count, partial(self.send, method, url, **details))

    def one_shot(self, *chunks: bytes) -> Iterator[bytes]:
        yield from chunks

    def close(self) -> None:
        self.session.close()


class Httpx:
    """httpx, blocking."""

    def __init__(self, store: SecretStore, authority: Path | None = None, *, connections: int = 100) -> None:
        auth = HttpxBearerAuth(TokenSource(store=store))
        self.client = httpx.Client(
            auth=auth,
            follow_redirects=True,
            verify=trusting(authority),
            timeout=20,
            limits=httpx.Limits(max_connections=connections),
        )

    def send(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        opened: Callable[[], object] = bool,
    ) -> Got:
        with self.client.stream(method, url, data=form, content=content, headers=headers) as response:
            opened()
            read = b"".join(response.iter_bytes(7)) if stream else response.read()
            return Got(http_status=response.status_code, body=read, response=response)

    def send_together(self, count: int, method: str, url: str, **details: Any) -> list[Got]:
        return _in_threads(count, partial(self.send, method, url, **details))

    def one_shot(self, *chunks: bytes) -> Iterator[bytes]:
        yield from chunks

    def close(self) -> None:
        self.client.close()


class AsyncHttpx:
    """httpx, async."""

    def __init__(self, store: SecretStore, authority: Path | None = None, *, connections: int = 100) -> None:
        self.runner = asyncio.Runner()
        auth = AsyncBearerAuth(AsyncTokenSource(store=store))
        self.client = httpx.AsyncClient(
            auth=auth,
            follow_redirects=True,
            verify=trusting(authority),
            timeout=20,
            limits=httpx.Limits(max_connections=connections),
        )

    async def _send(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        opened: Callable[[], object] = bool,
    ) -> Got:
        async with self.client.stream(method, url, data=form, content=content, headers=headers) as response:
            opened()
            read = b"".join([part async for part in response.aiter_bytes(7)]) if stream else await response.aread()
            return Got(http_status=response.status_code, body=read, response=response)

    def send(self, method: str, url: str, **details: Any) -> Got:
        return self.runner.run(self._send(method, url, **details))

    def send_together(self, count: int, method: str, url: str, **details: Any) -> list[Got]:
        async def all_of_them() -> list[Got]:
            return await asyncio.gather(*(self._send(method, url, **details) for _ in range(count)))

        return self.runner.run(all_of_them())

    async def one_shot(self, *chunks: bytes) -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    def close(self) -> None:
        self.runner.run(self.client.aclose())
        self.runner.close()


class Aiohttp:
    """aiohttp."""

    def __init__(self, store: SecretStore, authority: Path | None = None, *, connections: int = 100) -> None:
        self.runner = asyncio.Runner()
        self.session = self.runner.run(self._opened(store, trusting(authority), connections))

    async def _opened(self, store: SecretStore, trust: ssl.SSLContext, connections: int) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            middlewares=[BearerMiddleware(AsyncTokenSource(store=store))],
            connector=aiohttp.TCPConnector(ssl=trust, limit=connections),
            timeout=aiohttp.ClientTimeout(20),
        )

    async def _send(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        opened: Callable[[], object] = bool,
    ) -> Got:
        body = form if form is not None else content
        async with self.session.request(method, url, data=body, headers=headers) as response:
            opened()
            chunks = response.content.iter_chunked(7)
            read = b"".join([part async for part in chunks]) if stream else await response.read()
            return Got(http_status=response.status, body=read, response=response)

    def send(self, method: str, url: str, **details: Any) -> Got:
        return self.runner.run(self._send(method, url, **details))

    def send_together(self, count: int, method: str, url: str, **details: Any) -> list[Got]:
        async def all_of_them() -> list[Got]:
            return await asyncio.gather(*(self._send(method, url, **details) for _ in range(count)))

        return self.runner.run(all_of_them())

    async def one_shot(self, *chunks: bytes) -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    def close(self) -> None:
        self.runner.run(self.session.close())
        self.runner.close()


CLIENTS = (Aiohttp, AsyncHttpx, Httpx, Requests)


def trusting(authority: Path | None) -> ssl.SSLContext:
    """A context that trusts this certificate alone, or nobody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority is not None:
        context.load_verify_locations(authority)
    return context


def _in_threads(count: int, send: partial[Got]) -> list[Got]:
    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(send) for _ in range(count)]]
