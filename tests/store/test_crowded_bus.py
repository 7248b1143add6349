"""Hundreds of programs may start at once: whoever finds the queue of the bus full waits for a moment."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest
import secretstorage

from tests.support.stores import save_record
from withings_auth.config.places import state_place
from withings_auth.store import fast_lane, secret_service
from withings_auth.store.fast_lane import read_fast
from withings_auth.store.keyring_store import KeyringStore

if TYPE_CHECKING:
    from tests.support.keyring_daemon import SecretService

TOKEN = "token/default"
MOMENT_SECONDS = 0.1


@pytest.fixture
def crowd(
    desktop: KeyringStore, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[threading.Timer]:
    """A socket with a full queue in place of the bus, with a record in the keyring; the timer puts the bus back."""
    bus: SecretService = request.getfixturevalue("secret_service")
    save_record(desktop, TOKEN, "text")
    path, other = bus.directory / "crowded", bus.directory / "link"
    with ExitStack() as stack:
        queue = stack.enter_context(socket.socket(socket.AF_UNIX))
        queue.bind(str(path))
        queue.listen(0)
        with suppress(BlockingIOError):
            while True:
                waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
                waiting.setblocking(False)
                waiting.connect(str(path))
        other.symlink_to(bus.directory / "bus")
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={path}")
        monkeypatch.setattr(fast_lane, "_gave_way", False)
        timer = threading.Timer(MOMENT_SECONDS, lambda: other.replace(path))
        yield timer
        timer.cancel()


def test_the_fast_lane_waits(crowd: threading.Timer) -> None:
    crowd.start()
    assert read_fast(state_place(), TOKEN) == "text"


def test_keyring_waits(crowd: threading.Timer) -> None:
    crowd.start()
    with secret_service.connect(None) as connection:
        assert secretstorage.check_service_availability(connection)


@pytest.mark.usefixtures("crowd")
def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fast lane gives way to keyring, which says why it fails."""
    monkeypatch.setattr(fast_lane, "PATIENCE_SECONDS", 2 * MOMENT_SECONDS)
    assert read_fast(state_place(), TOKEN) is None
    with pytest.raises(BlockingIOError):
        secret_service.connect(None)
