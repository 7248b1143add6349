"""A store that is watched, a sandbox for all tests of a module, and what it has counted since a test began."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.tokens.source.watched import Since, WatchedStore
from withings_auth.sandbox import Sandbox
from withings_auth.store.base import SecretStore
from withings_auth.store.memory_store import MemoryStore


@pytest.fixture
def store(store: SecretStore) -> WatchedStore:
    return WatchedStore(store)


@pytest.fixture
def memory() -> WatchedStore:
    return WatchedStore(MemoryStore())


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Iterator[Sandbox]:
    yield shared_sandbox
    shared_sandbox.clear_faults()


@pytest.fixture
def since(sandbox: Sandbox) -> Since:
    return Since(sandbox)
