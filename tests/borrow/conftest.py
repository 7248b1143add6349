"""The fixtures of tests of the proxy: a login at a service, and the proxy in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.borrow.behind import Behind, proxy_for_login
from tests.support.canaries import Canaries
from tests.support.services import Api, Login
from withings_auth.store.memory_store import MemoryStore
from withings_auth.tokens.source import AsyncTokenSource


@pytest.fixture
def login(canaries: Canaries) -> Login:
    return Login(MemoryStore(), canaries)


@pytest.fixture
def api(canaries: Canaries) -> Iterator[Api]:
    with Api(canaries) as api:
        yield api


@pytest.fixture
def behind(api: Api, login: Login, tmp_path: Path) -> Iterator[Behind]:
    """The proxy for a login at `api`, whose access token works."""
    api.good = login.at(api.url).access_token
    with proxy_for_login(AsyncTokenSource(store=login.store), api.url, tmp_path) as behind:
        yield behind
