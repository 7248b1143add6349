"""Sends what aiohttp asks Withings' API to a sandbox instead."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import aiohttp

from withings_auth.testing.route import API_HOST, sandbox_url

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

    from withings_auth.sandbox import Sandbox


class SandboxConnector(aiohttp.TCPConnector):
    """Sends requests for Withings' API to the sandbox; make one for each `aiohttp.ClientSession`."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self._sandbox = sandbox

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """Connects to the sandbox past any proxy, and lets the request name it; its URL stays what it was."""
        if req.url.raw_host != API_HOST:
            return await super().connect(req, traces, timeout)
        rerouted = copy(req)
        rerouted.url = type(req.url)(sandbox_url(str(req.url), self._sandbox))
        rerouted.proxy = req.proxy = None
        req.headers["Host"] = rerouted.url.authority
        return await super().connect(rerouted, traces, timeout)
