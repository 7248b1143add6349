"""Sends what httpx asks Withings' API to a sandbox instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from withings_auth.testing.route import sandbox_url

if TYPE_CHECKING:
    from withings_auth.sandbox import Sandbox


class SandboxTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Sends requests for Withings' API to the sandbox; for an `httpx.Client` or an `httpx.AsyncClient`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._blocking = httpx.HTTPTransport()
        self._asynchronous = httpx.AsyncHTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._blocking.handle_request(self._reroute(request))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._asynchronous.handle_async_request(self._reroute(request))

    def close(self) -> None:
        self._blocking.close()

    async def aclose(self) -> None:
        await self._asynchronous.aclose()

    def _reroute(self, request: httpx.Request) -> httpx.Request:
        url = httpx.URL(sandbox_url(str(request.url), self._sandbox))
        headers = httpx.Headers(request.headers)
        headers["Host"] = url.netloc.decode("ascii")
        return httpx.Request(request.method, url, headers=headers, stream=request.stream, extensions=request.extensions)
