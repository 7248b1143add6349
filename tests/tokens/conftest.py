"""A scene for every test, with the two stores that need nothing from the machine; and processes to kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.canaries import Canaries
from tests.tokens.combinations import Combinations
from tests.tokens.processes import Processes
from tests.tokens.scene import Clock, Scene
from withings_auth.sandbox import Sandbox
from withings_auth.store.base import SecretStore
from withings_auth.store.file_store import FileStore
from withings_auth.store.memory_store import MemoryStore


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock, canaries: Canaries) -> Iterator[Sandbox]:
    """A Withings by the scene's clock; none of its secrets may show in any log (statement 23)."""
    with Sandbox(now=clock) as sandbox:
        yield sandbox
        for number, secret in enumerate(sorted(sandbox.secrets)):
            canaries.plant(f"the sandbox's secret {number}", secret)


@pytest.fixture
def scene(store: SecretStore, sandbox: Sandbox, clock: Clock) -> Scene:
    return Scene(store, sandbox, clock)


@pytest.fixture
def file_scene(directory: Path, sandbox: Sandbox, clock: Clock) -> Scene:
    """A scene that other processes can take part in."""
    return Scene(FileStore(directory), sandbox, clock)


@pytest.fixture
def everywhere(sandbox: Sandbox, clock: Clock) -> Combinations:
    """A scene under every combination of the sandbox's switches, in memory."""
    return Combinations(sandbox=sandbox, clock=clock, open_store=MemoryStore)


@pytest.fixture
def everywhere_on_disk(sandbox: Sandbox, clock: Clock, directory: Path) -> Combinations:
    """The same in `directory`, so that other processes can take part; each login replaces the one before."""
    return Combinations(sandbox=sandbox, clock=clock, open_store=lambda: FileStore(directory))


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    """Real processes for a few milliseconds each."""
    with Processes() as processes:
        yield processes
