"""What several tests of the doctor examine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.stores import save_record
from withings_auth.store.file_store import FileStore


@pytest.fixture
def files(tmp_path: Path) -> FileStore:
    """A store with two records."""
    store = FileStore(tmp_path / "store")
    save_record(store, "token/default", "{}")
    save_record(store, "app/abcdefgh", "{}")
    return store
