"""What the tests of our stores share, and which promises are left out for a store that cannot keep them."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.store.disks import Disk
from withings_auth.config.places import state_directory
from withings_auth.model import Grant
from withings_auth.store.keyring_store import KeyringStore
from withings_auth.testing import SecretStorePromises

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.canaries import Canaries
    from tests.support.keyring_daemon import SecretService

# The key of `without` that each fixture depends on.
NEEDS = {"unavailable": "unavailable", "forgetful": "forgetful", "start": "opening", "start_to_fork": "fork"}


def declared_without(item: pytest.Item) -> bool:
    """Returns whether the published suite would skip this promise because of its class's `without`."""
    if not isinstance(item, pytest.Function) or not isinstance(item.instance, SecretStorePromises):
        return False
    return any(NEEDS.get(name) in item.instance.without for name in item.fixturenames)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects what `without` declares, so that a skipped test always deserves a look."""
    left_out = [item for item in items if declared_without(item)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """What is asked of the disk from here on."""
    return Disk(monkeypatch)


@pytest.fixture
def no_descriptor_leaks() -> Iterator[None]:
    """Whatever was opened is closed again."""

    def opened() -> set[int]:
        return {number for number in range(256) if os.path.lexists(f"/proc/self/fd/{number}")}

    before = opened()
    yield
    assert opened() <= before  # what an earlier test has left open may be collected meanwhile


@pytest.fixture
def desktop(secret_service: SecretService, monkeypatch: pytest.MonkeyPatch) -> KeyringStore:
    """A store over the real keyring."""
    secret_service.enter(monkeypatch)
    return KeyringStore(state_directory())


@pytest.fixture
def record(canaries: Canaries) -> str:
    """A login's record, good for an hour."""
    now = int(time.time())
    return Grant(
        access_token=canaries.plant("access token"),
        refresh_token=canaries.plant("refresh token"),
        expires_at=now + 3600,
        obtained_at=now,
        scopes=("user.metrics",),
        userid="1",
        client_id="c" * 64,
        token_url="https://wbsapi.withings.net/v2/oauth2",
    ).to_record()
