"""When the keyring is looked into by the fast lane, and when by keyring itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.keyrings import MemoryKeyring
from tests.support.stores import save_record
from withings_auth.store import backends, keyring_store
from withings_auth.store.backends import Backend
from withings_auth.store.base import seems_writable, together
from withings_auth.store.keyring_store import KeyringStore

TOKEN = "token/default"
FAST = "the keyring of this desktop (Secret Service)"


class Lane:
    """A fast lane that has one record, or knows that there is none."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.has_none = False
        self.asked: list[tuple[str, str, str]] = []

    def read(self, state: str, name: str) -> str | None:
        self.asked.append(("read", state, name))
        return self.text

    def find_none(self, state: str, name: str) -> bool:
        self.asked.append(("find none", state, name))
        return self.has_none


@pytest.fixture
def lane(monkeypatch: pytest.MonkeyPatch) -> Lane:
    lane = Lane()
    monkeypatch.setattr(keyring_store, "read_fast", lane.read)
    monkeypatch.setattr(keyring_store, "has_none", lane.find_none)
    chosen = Backend(keyring=MemoryKeyring(), description="slow", replaces_by_deleting=False)
    monkeypatch.setattr(backends, "find_backend", lambda: chosen)
    return lane


def test_it_is_asked_first(lane: Lane, tmp_path: Path) -> None:
    store = KeyringStore(tmp_path)
    assert (seems_writable(store), store.description) == (False, "the keyring")
    lane.text = ""
    assert (store.load(TOKEN), seems_writable(store), store.description) == ("", True, FAST)
    assert lane.asked == [("read", str(tmp_path), TOKEN)]
    lane.text, lane.has_none = None, True
    assert (store.load(TOKEN), seems_writable(store), store.description) == (None, True, FAST)
    assert lane.asked[1:] == [("read", str(tmp_path), TOKEN), ("find none", str(tmp_path), TOKEN)]
    lane.has_none = False
    assert (store.load(TOKEN), seems_writable(store), store.description) == (None, False, "slow")


def test_it_is_out_of_the_way_of_a_connection(lane: Lane, tmp_path: Path) -> None:
    """Once keyring is loaded, another connection would only take time."""
    store = KeyringStore(tmp_path)
    save_record(store, TOKEN, "text")
    with together(store):
        assert store.load(TOKEN) == "text"
        assert store.names() == [TOKEN]
    assert lane.asked == []
    assert store.load(TOKEN) == "text"
    assert len(lane.asked) == 2


def test_it_does_not_know_another_keyring(lane: Lane, tmp_path: Path) -> None:
    lane.text = "of the desktop"
    store = KeyringStore(tmp_path, choose=backends.find_backend)
    assert (store.load(TOKEN), lane.asked) == (None, [])


def test_a_keyring_has_ten_seconds(tmp_path: Path) -> None:
    keyring = KeyringStore(tmp_path)._keyring
    assert keyring.patience_seconds == 10
    keyring.announce()
