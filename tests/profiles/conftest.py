"""What the tests of an import, a status and a logout start from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.profiles.imports import Import
from tests.support.canaries import Canaries
from tests.tokens.scene import Clock, Scene
from withings_auth.profiles.foreign import ForeignLogin
from withings_auth.sandbox import Sandbox
from withings_auth.store.base import SecretStore
from withings_auth.store.memory_store import MemoryStore


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
