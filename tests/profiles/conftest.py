"""What the tests of an import, a status, a logout and a move start from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.profiles.imports import Import
from tests.profiles.moves import put
from tests.support.canaries import Canaries
from tests.support.stores import save_record
from tests.test_model import APP, GRANT
from tests.tokens.scene import Clock, Scene
from withings_auth.profiles.foreign import ForeignLogin
from withings_auth.sandbox import Sandbox
from withings_auth.store.base import SecretStore
from withings_auth.store.file_store import FileStore
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.records import app_name


@pytest.fixture
def foreign(store: SecretStore, canaries: Canaries) -> Iterator[Import]:
    """A login of the sandbox's first person in another tool's file; waiting takes no time."""
    clock = Clock()
    with Sandbox(now=clock) as sandbox:
        pair = sandbox.issue_pair()
        login = ForeignLogin(
            tool="a tool", access_token=pair.access_token, refresh_token=pair.refresh_token, userid=str(pair.userid)
        )
        yield Import(store=store, sandbox=sandbox, clock=clock, login=login)
        for number, secret in enumerate(sorted(sandbox.secrets)):
            canaries.plant(f"the sandbox's secret {number}", secret)


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A login with an access token that has just expired."""
    clock = Clock()
    with Sandbox(now=clock) as sandbox:
        scene = Scene(MemoryStore(), sandbox, clock)
        scene.log_in()
        yield scene


@pytest.fixture
def source(store: SecretStore) -> SecretStore:
    """A store with one login and its app."""
    put(store, "default", GRANT)
    save_record(store, app_name(APP.client_id), APP.to_record())
    return store


@pytest.fixture
def target(home: Path) -> SecretStore:
    """An empty store in files, to move logins to."""
    return FileStore(home / "new")
