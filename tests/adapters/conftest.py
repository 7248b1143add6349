"""Fixtures: each client in turn, a store, and a Withings to log in to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.adapters.clients import CLIENTS, Client
from tests.support.canaries import Canaries
from tests.support.places import Place, own_certificate
from tests.support.services import Api, Login
from withings_auth.store.memory_store import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def login(store: MemoryStore, canaries: Canaries) -> Login:
    return Login(store, canaries)


@pytest.fixture
def api(canaries: Canaries) -> Iterator[Api]:
    with Api(canaries) as api:
        yield api


@pytest.fixture
def elsewhere() -> Iterator[Place]:
    with Place() as place:
        yield place


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return own_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(params=CLIENTS, ids=lambda made: made.__name__)
def client(request: pytest.FixtureRequest, store: MemoryStore, certificate: Path) -> Iterator[Client]:
    with ExitStack() as open_until_the_end:
        made: Client = request.param(store, certificate)
        open_until_the_end.callback(made.close)
        yield made
