"""Each of our stores keeps the promises of a `SecretStore`, tested by the published suite."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from tests.store.keyrings import FailingKeyring, ForgettingKeyring, Keyrings, ReplacingKeyring
from tests.support.sealing import sealed_memory
from withings_auth.store import open_named_store
from withings_auth.store.base import SecretStore
from withings_auth.store.memory_store import MemoryStore
from withings_auth.testing import SecretStorePromises

if TYPE_CHECKING:
    from tests.support.keyring_daemon import SecretService

OPEN = "from pathlib import Path; from withings_auth.store import open_named_store; store = open_named_store"


class TestMemory(SecretStorePromises):
    without: ClassVar = {
        "opening": "it ends with its process",
        "unavailable": "a dictionary is always there",
        "forgetful": "a dictionary keeps what it is given",
    }

    @pytest.fixture
    def store(self) -> SecretStore:
        return MemoryStore()


class TestFiles(SecretStorePromises):
    """Statement 28: one holder at a time among threads and processes, forked and killed ones too."""

    without: ClassVar = {"forgetful": "no file system here forgets; full disks have tests of their own"}

    @pytest.fixture
    def store(self, tmp_path: Path) -> SecretStore:
        return open_named_store(f"file:{tmp_path / 'secrets'}", tmp_path)

    @pytest.fixture
    def opening(self, tmp_path: Path) -> str:
        return f"{OPEN}('file:{tmp_path / 'secrets'}', Path('{tmp_path}'))"

    @pytest.fixture
    def unavailable(self, tmp_path: Path) -> SecretStore:
        (tmp_path / "secrets").write_text("no directory")
        return open_named_store(f"file:{tmp_path / 'secrets'}", tmp_path)


class TestSealedMemory(TestMemory):
    @pytest.fixture
    def store(self) -> SecretStore:
        return sealed_memory()


class TestKeyringInMemory(SecretStorePromises):
    without: ClassVar = {"opening": "the keyring under it lives in this process"}

    @pytest.fixture
    def keyrings(self, tmp_path: Path) -> Keyrings:
        return Keyrings(tmp_path)

    @pytest.fixture
    def store(self, keyrings: Keyrings) -> SecretStore:
        return keyrings()

    @pytest.fixture
    def another(self, keyrings: Keyrings) -> Callable[[], SecretStore]:
        return keyrings

    @pytest.fixture
    def unavailable(self, tmp_path: Path) -> SecretStore:
        return Keyrings(tmp_path, FailingKeyring(lambda secret: OSError(f"no keyring for {secret}")))()

    @pytest.fixture
    def forgetful(self, tmp_path: Path) -> SecretStore:
        return Keyrings(tmp_path, ForgettingKeyring())()


class TestKeyringThatReplacesByDeleting(TestKeyringInMemory):
    @pytest.fixture
    def keyrings(self, tmp_path: Path) -> Keyrings:
        return Keyrings(tmp_path, ReplacingKeyring({}), replaces_by_deleting=True)


class TestSecretService(SecretStorePromises):
    """Statement 28: one holder at a time among threads and processes, forked and killed ones too."""

    without: ClassVar = {
        "unavailable": "locked, stopped, killed and missing ones have tests of their own",
        "forgetful": "no real keyring forgets; keyrings in memory do",
    }

    @pytest.fixture
    def store(
        self, tmp_path: Path, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[SecretStore]:
        secret_service.enter(monkeypatch)
        yield open_named_store("keyring", tmp_path)
        gc.collect()

    @pytest.fixture
    def opening(self, tmp_path: Path) -> str:
        return f"{OPEN}('keyring', Path('{tmp_path}'))"
