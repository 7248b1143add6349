"""Each of our places for secrets keeps the promises of a `SecretStore`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.store.elsewhere import Elsewhere
from tests.store.keyrings import Keyrings, ReplacingKeyring
from tests.store.promises import SharedStorePromises, StorePromises
from withings_auth.store import open_named_store
from withings_auth.store.base import SecretStore
from withings_auth.store.memory_store import MemoryStore

if TYPE_CHECKING:
    from tests.support.keyring_daemon import SecretService

OPEN = "from pathlib import Path; from withings_auth.store import open_named_store; store = open_named_store"


class TestMemory(StorePromises):
    @pytest.fixture
    def reopen(self) -> Callable[[], SecretStore]:
        store = MemoryStore()
        return lambda: store


class TestFiles(SharedStorePromises):
    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], SecretStore]:
        return lambda: open_named_store(f"file:{tmp_path / 'secrets'}", tmp_path / "state")

    @pytest.fixture
    def elsewhere(self, tmp_path: Path) -> Iterator[Elsewhere]:
        with Elsewhere(f"{OPEN}('file:{tmp_path / 'secrets'}', Path('{tmp_path}'))") as process:
            yield process


class TestKeyringInMemory(StorePromises):
    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], SecretStore]:
        return Keyrings(tmp_path)


class TestKeyringThatReplacesByDeleting(StorePromises):
    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], SecretStore]:
        return Keyrings(tmp_path, ReplacingKeyring({}), replaces_by_deleting=True)


class TestSecretService(SharedStorePromises):
    @pytest.fixture
    def reopen(
        self, tmp_path: Path, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[], SecretStore]:
        secret_service.enter(monkeypatch)
        return lambda: open_named_store("keyring", tmp_path)

    @pytest.fixture
    def elsewhere(self, reopen: object, tmp_path: Path) -> Iterator[Elsewhere]:  # noqa: ARG002  it enters the bus
        with Elsewhere(f"{OPEN}('keyring', Path('{tmp_path}'))") as process:
            yield process
