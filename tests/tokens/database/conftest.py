"""The scene's store is in a real database, which other processes can take part in by its name."""

from __future__ import annotations

import pytest

from tests.support.postgresql import Server
from withings_auth.store.base import SecretStore
from withings_auth.store.postgresql.address import parse_address
from withings_auth.store.postgresql.database_store import PostgresStore


@pytest.fixture
def name(postgresql: Server) -> str:
    return postgresql.new_store()


@pytest.fixture
def store(name: str) -> SecretStore:
    return PostgresStore(parse_address(name))
