"""Starting to use an adapter: its types, the right kind of source, and a clear error if the library is missing."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable

import httpx
import pytest
import requests

from tests.support.programs import Cli
from tests.support.services import Api, Login
from withings_auth import AsyncTokenSource, TokenSource
from withings_auth.adapters.aiohttp import BearerMiddleware
from withings_auth.adapters.httpx import AsyncBearerAuth, BearerAuth
from withings_auth.adapters.requests import BearerAuth as RequestsBearerAuth
from withings_auth.store.base import SecretStore


def test_a_few_lines_are_all_there_is(login: Login, api: Api, store: SecretStore) -> None:
    """One object serves any number of clients, or a single request."""
    api.good = login.at(api.url).access_token
    auth = RequestsBearerAuth(TokenSource(store=store))
    session = requests.Session()
    session.auth = auth
    with session:
        assert session.get(api.url).json()["status"] == 0
    assert requests.get(api.url, auth=auth, timeout=60).json()["status"] == 0
    assert httpx.get(api.url, auth=BearerAuth(TokenSource(store=store))).json()["status"] == 0


class TestPairing:
    """A blocking client takes a TokenSource, an async one an AsyncTokenSource; mypy says so too."""

    def test_a_source_of_the_other_kind_is_refused(self, store: SecretStore) -> None:
        """The error comes at once, not as a coroutine that nobody awaits."""
        blocking, awaited = TokenSource(store=store), AsyncTokenSource(store=store)
        # The types are wrong on purpose, as in a program without a type checker.
        wrong: list[tuple[str, Callable[[], object]]] = [
            ("BearerAuth takes a TokenSource", lambda: BearerAuth(awaited)),  # type: ignore[arg-type]  # on purpose
            ("BearerAuth takes a TokenSource", lambda: RequestsBearerAuth(awaited)),  # type: ignore[arg-type]  # on purpose
            ("AsyncBearerAuth takes an AsyncTokenSource", lambda: AsyncBearerAuth(blocking)),  # type: ignore[arg-type]  # on purpose
            ("BearerMiddleware takes an AsyncTokenSource", lambda: BearerMiddleware(blocking)),  # type: ignore[arg-type]  # on purpose
        ]
        for words, make in wrong:
            with pytest.raises(TypeError, match=words):
                make()

    def test_a_client_of_the_other_kind_is_refused(self, store: SecretStore) -> None:
        """httpx has one type for both, so the error comes with the first request."""
        auth = AsyncBearerAuth(AsyncTokenSource(store=store))
        with (
            httpx.Client(auth=auth) as client,
            pytest.raises(TypeError, match=r"httpx.Client takes BearerAuth\(TokenSource\(\)\)"),
        ):
            client.get("http://127.0.0.1/")

        async def use() -> None:
            async with httpx.AsyncClient(auth=BearerAuth(TokenSource(store=store))) as client:
                await client.get("http://127.0.0.1/")

        with pytest.raises(TypeError, match=r"httpx.AsyncClient takes AsyncBearerAuth\(AsyncTokenSource\(\)\)"):
            asyncio.run(use())


@pytest.mark.parametrize("library", ["httpx", "requests"])
def test_a_library_that_is_missing_is_named(cli: Cli, library: str) -> None:
    """The error names the command that installs it."""
    ran = cli.using(sys.executable, "-c")(
        f"import sys; sys.modules[{library!r}] = None\nfrom withings_auth.adapters.{library} import BearerAuth"
    )
    assert ran.returncode == 1
    words = f"withings_auth.adapters.{library} needs {library}: pip install {library}"
    assert ran.stderr.splitlines()[-1] == f"ImportError: {words}"


@pytest.mark.parametrize("adapter", ["aiohttp", "httpx", "requests"])
def test_an_adapter_loads_its_own_library_alone(cli: Cli, adapter: str) -> None:
    ran = cli.using(sys.executable, "-c")(
        "import sys, json, withings_auth.adapters; before = set(sys.modules)\n"
        f"import withings_auth.adapters.{adapter}\n"
        "libraries = {'aiohttp', 'httpx', 'requests'}\n"
        "print(json.dumps([sorted(before & libraries), sorted(set(sys.modules) & libraries)]))"
    )
    assert json.loads(ran.stdout) == [[], [adapter]], ran.stderr
