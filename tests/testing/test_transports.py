"""Requests for Withings' API reach the sandbox with each library, and with its adapter they go on as at Withings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import httpx
import pytest
import requests

from withings_auth import AsyncTokenSource, TokenSource
from withings_auth.adapters.aiohttp import BearerMiddleware
from withings_auth.adapters.httpx import AsyncBearerAuth, BearerAuth
from withings_auth.adapters.requests import BearerAuth as RequestsAuth
from withings_auth.sandbox import Sandbox
from withings_auth.testing.aiohttp import SandboxConnector
from withings_auth.testing.httpx import SandboxTransport
from withings_auth.testing.requests import SandboxAdapter

URL = "https://wbsapi.withings.net/measure?appli=1"
FORM = {"action": "getmeas", "meastype": "1"}
OF_HTTPX: dict[str, Any] = {"follow_redirects": True, "timeout": 60}

Ask = Callable[[str], tuple[str, Any]]
"""Posts the form to an address; returns where the answer says that it comes from, and its JSON."""


@contextmanager
def with_requests(sandbox: Sandbox, source: TokenSource, _: AsyncTokenSource) -> Iterator[Ask]:
    with requests.Session() as session:
        session.auth = RequestsAuth(source)
        session.mount("https://wbsapi.withings.net", SandboxAdapter(sandbox))

        def ask(url: str) -> tuple[str, Any]:
            answer = session.post(url, data=FORM, timeout=60)
            return answer.url, answer.json()

        yield ask


@contextmanager
def with_httpx(sandbox: Sandbox, source: TokenSource, _: AsyncTokenSource) -> Iterator[Ask]:
    with httpx.Client(auth=BearerAuth(source), transport=SandboxTransport(sandbox), **OF_HTTPX) as client:

        def ask(url: str) -> tuple[str, Any]:
            answer = client.post(url, data=FORM)
            return str(answer.url), answer.json()

        yield ask


@contextmanager
def with_async_httpx(sandbox: Sandbox, _: TokenSource, source: AsyncTokenSource) -> Iterator[Ask]:
    with asyncio.Runner() as runner:
        client = httpx.AsyncClient(auth=AsyncBearerAuth(source), transport=SandboxTransport(sandbox), **OF_HTTPX)

        async def post(url: str) -> tuple[str, Any]:
            answer = await client.post(url, data=FORM)
            return str(answer.url), answer.json()

        yield lambda url: runner.run(post(url))
        runner.run(client.aclose())


@contextmanager
def with_aiohttp(sandbox: Sandbox, _: TokenSource, source: AsyncTokenSource) -> Iterator[Ask]:
    async def open_session() -> aiohttp.ClientSession:
        middlewares = [BearerMiddleware(source)]
        return aiohttp.ClientSession(connector=SandboxConnector(sandbox), middlewares=middlewares, trust_env=True)

    with asyncio.Runner() as runner:
        session = runner.run(open_session())

        async def post(url: str) -> tuple[str, Any]:
            async with session.post(url, data=FORM) as answer:
                return str(answer.url), await answer.json()

        yield lambda url: runner.run(post(url))
        runner.run(session.close())


CLIENTS = [with_requests, with_httpx, with_async_httpx, with_aiohttp]


@pytest.fixture(params=CLIENTS, ids=lambda client: client.__name__)
def ask(
    request: pytest.FixtureRequest,
    withings_sandbox: Sandbox,
    withings_token_source: TokenSource,
    withings_async_token_source: AsyncTokenSource,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Ask]:
    """A client with its adapter; the developer's own proxy is in nobody's way."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with request.param(withings_sandbox, withings_token_source, withings_async_token_source) as ask:
        yield ask


def test_a_client_goes_on_across_every_end_of_a_token(withings_sandbox: Sandbox, ask: Ask) -> None:
    """The answer seems to come from Withings, so the adapter repeats a refused request at once."""
    url, answer = ask(URL)
    assert (url, answer["status"]) == (URL, 0)
    withings_sandbox.advance(hours=3)
    assert ask(URL)[1]["status"] == 0
    assert withings_sandbox.counters.refreshes == 1
    withings_sandbox.expire_access_token()
    assert ask(URL)[1]["status"] == 0
    assert withings_sandbox.counters.refreshes == 2


def test_only_calls_to_withings_are_rerouted(withings_sandbox: Sandbox, ask: Ask) -> None:
    """Any other address is asked itself, and gets no token: the sandbox under its own name is one."""
    other = f"{withings_sandbox.url}/measure"
    url, answer = ask(other)
    assert (url, answer["status"]) == (other, 401)


def test_a_redirect_is_followed_back_to_the_sandbox(withings_sandbox: Sandbox, ask: Ask) -> None:
    """It stays at Withings, as far as the client can tell."""
    withings_sandbox.fail_next("redirect", where="measure", location="/v2/user?action=getdevice")
    url, answer = ask(URL)
    assert url == "https://wbsapi.withings.net/v2/user?action=getdevice"
    assert answer["body"]["devices"][0]["model"] == "Body+"
