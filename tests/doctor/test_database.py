"""What the doctor says about a store in a database: nothing about a keyring that it does not need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from withings_auth.config.places import state_directory
from withings_auth.doctor import cron, storage
from withings_auth.doctor.results import Verdict, ok, run_check, skipped
from withings_auth.store import open_named_store
from withings_auth.store.base import SecretStore
from withings_auth.store.rekeying import prepare_key
from withings_auth.store.sealed_store import SealedStore

if TYPE_CHECKING:
    from tests.support.keyring_daemon import SecretService
    from tests.support.postgresql import Server


def opened(name: str) -> SecretStore:
    return open_named_store(name, state_directory())


def sealed(name: str) -> SealedStore:
    store = opened(name)
    assert isinstance(store, SealedStore)
    prepare_key(store)
    return store


@pytest.fixture(params=["sealed with a key in a file", "not sealed"])
def store(
    request: pytest.FixtureRequest, postgresql: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SecretStore:
    monkeypatch.setenv("WITHINGS_AUTH_STORE_KEY_FILE", str(tmp_path / "keys"))
    return opened(postgresql.new_store()) if request.param == "not sealed" else sealed(postgresql.new_store(""))


def test_it_is_tried_out(store: SecretStore) -> None:
    assert storage.check_backend(store) == ok(f"{store.description}, as configured; no keyring is used")
    assert storage.check_round_trip(store, state_directory()).verdict is Verdict.OK
    assert storage.check_locks(store, state_directory()) == ok(f"a lock in {store.description} keeps others out")
    assert storage.check_permissions(store) == skipped("the database decides who has access")
    assert cron.check_session_bus(store, works=True) == skipped("no keyring is used")
    assert store.names() == []


def test_a_key_in_the_keyring_needs_one(
    postgresql: Server, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret_service.enter(monkeypatch)
    store = sealed(postgresql.new_store(""))
    words = f"{store.description}, its keys in the keyring of this desktop (Secret Service)"
    assert storage.check_backend(store).words.startswith(words)
    assert storage.check_round_trip(store, state_directory()).verdict is Verdict.OK


def test_a_server_without_a_keyring_hears_what_else_keeps_the_keys(postgresql: Server) -> None:
    """Its remedy is not to choose another store."""
    store = opened(postgresql.new_store(""))
    found = run_check(lambda: storage.check_backend(store))
    assert found.verdict is Verdict.FAILED
    assert "no keys for the sealed store: no usable keyring" in found.words
    assert "let WITHINGS_AUTH_STORE_KEY_FILE name one" in found.remedy
    assert "WITHINGS_AUTH_STORE_KEY_FILE" in cron.check_session_bus(store, works=False).remedy
