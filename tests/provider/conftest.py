"""A login on which calls are tried."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.tokens.scene import Clock, Scene
from withings_auth.sandbox import Sandbox
from withings_auth.store.memory_store import MemoryStore


@pytest.fixture
def scene() -> Iterator[Scene]:
    """Somebody logged in ten minutes ago, by the clock of the wall."""
    clock = Clock()
    clock.at = time.time() - 600
    with Sandbox() as sandbox:
        scene = Scene(MemoryStore(), sandbox, clock)
        scene.log_in(age=600)
        yield scene
