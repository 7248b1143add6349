"""How the keyring is asked: over one connection, again if that has gone, and with word for the user only if locked."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from keyring.errors import InitError, KeyringLocked

from tests.store.keyrings import FailingKeyring, MemoryKeyring, SlowKeyring
from tests.support.stores import clear_record, save_record
from tests.support.waiting import wait_until
from withings_auth import threads
from withings_auth.errors import StoreNotDurable, StoreUnavailable
from withings_auth.store.backends import Backend
from withings_auth.store.base import latest_note, together
from withings_auth.store.keyring_store import MOST_COPIES, KeyringStore

TOKEN = "token/default"
SERVICE = "withings-auth/token/default"


class Desktop(SlowKeyring):
    """A keyring that is spoken to over connections; `breaking` are errors that the next calls raise."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []
        self.breaking: list[Exception] = []
        self.says_locked: list[bool] = []

    def happens(self, secret: str = "") -> None:
        self.log.append("call")
        if self.breaking:
            raise self.breaking.pop(0)
        super().happens(secret)

    def connect(self, tell_locked: Callable[[bool], None]) -> Any:
        self.log.append("connect")
        for locked in self.says_locked:
            tell_locked(locked)
        desktop = self

        class Connection:
            keyring = desktop

            def close(self) -> None:
                desktop.log.append("close")

        return Connection()


@pytest.fixture
def desktop() -> Desktop:
    return Desktop()


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the calls have paused; in truth they do not."""
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)
    return naps


def open_store(state: Path, keyring: MemoryKeyring, **options: Any) -> KeyringStore:
    connect = keyring.connect if isinstance(keyring, Desktop) else None
    unconnected = FailingKeyring(lambda _: AssertionError("not over the connection")) if connect else keyring
    backend = Backend(keyring=unconnected, description="the desktop", replaces_by_deleting=False, connect=connect)
    return KeyringStore(state, choose=lambda: backend, **options)


def test_a_block_has_one_connection_and_closes_it(tmp_path: Path, desktop: Desktop) -> None:
    store = open_store(tmp_path, desktop)
    with together(store):
        assert (store.load(TOKEN), store.load(TOKEN)) == (None, None)
        with store.lock(TOKEN, 1):
            store.load(TOKEN)
    assert desktop.log == ["connect", "call", "call", "call", "close"]
    desktop.log.clear()
    store.load(TOKEN)
    assert desktop.log == ["connect", "call", "close"]


@pytest.mark.parametrize("threads_start", [True, False])
def test_calls_are_made_in_a_thread_of_their_own_if_one_can_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads_start: bool
) -> None:
    """The connection is closed either way."""

    class Watched(Desktop):
        def happens(self, secret: str = "") -> None:
            names.append(threading.current_thread().name)
            super().happens(secret)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    names: list[str] = []
    desktop = Watched()
    if not threads_start:
        monkeypatch.setattr(threading.Thread, "start", refuse)
    assert open_store(tmp_path, desktop).load(TOKEN) is None
    assert names == ["withings-auth keyring" if threads_start else threading.current_thread().name]
    assert desktop.log == ["connect", "call", "close"]


def test_a_forked_child_makes_its_calls_in_a_thread_of_its_own(tmp_path: Path, desktop: Desktop) -> None:
    """And over its own connection; its parent has the others."""
    store = open_store(tmp_path, desktop)
    with together(store):
        store.load(TOKEN)
        desktop.log.clear()
        child = os.fork()
        if child == 0:
            try:
                store.load(TOKEN)
            finally:
                os._exit(0 if desktop.log == ["close", "connect", "call"] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


BROKEN = ConnectionResetError("gone")


@pytest.mark.parametrize(
    ("earlier", "errors", "log", "raised", "naps_taken"),
    [
        (1, [BROKEN], ["call", "close", "connect", "call"], None, [0.1]),
        (0, [BROKEN], ["connect", "call"], "gone", []),
        (1, [BROKEN, BROKEN], ["call", "close", "connect", "call"], "gone", [0.1]),
        (0, [InitError("no collection")], ["connect", "call", "close", "connect", "call"], None, [0.1]),
        (0, [InitError("none")] * 2, ["connect", "call", "close", "connect", "call"], "none", [0.1]),
        (1, [KeyringLocked("locked")], ["call"], "is locked and cannot be unlocked from here", []),
        (1, [StoreUnavailable("ours")], ["call"], "ours", []),
    ],
)
def test_a_call_is_repeated_once_if_the_connection_or_the_collection_went(
    tmp_path: Path,
    desktop: Desktop,
    naps: list[float],
    earlier: int,
    errors: list[Exception],
    log: list[str],
    raised: str | None,
    naps_taken: list[float],
) -> None:
    """Only over a connection of earlier calls may one have gone; a locked keyring stays locked."""
    store = open_store(tmp_path, desktop)
    with together(store):
        for _ in range(earlier):
            store.load(TOKEN)
        desktop.log.clear()
        desktop.breaking = list(errors)
        if raised is None:
            assert store.load(TOKEN) is None
        else:
            with pytest.raises(StoreUnavailable, match=raised):
                store.load(TOKEN)
        assert desktop.log == log
    assert [nap for nap in naps if nap == 0.1] == naps_taken


@pytest.mark.parametrize(
    ("says", "announced", "hint"),
    [([True], 1, "unlock your keyring"), ([], 0, "try again: the"), ([True, False], 0, "try again: the")],
    ids=["locked", "busy", "unlocked"],
)
def test_only_a_locked_keyring_is_announced_and_only_once(
    tmp_path: Path, desktop: Desktop, monkeypatch: pytest.MonkeyPatch, says: list[bool], announced: int, hint: str
) -> None:
    monkeypatch.setattr(threads, "NOTICEABLE_SECONDS", 0.02)
    told: list[str] = []
    store = open_store(tmp_path, desktop, patience_seconds=0.2, announce=lambda: told.append("unlock"))
    desktop.says_locked, desktop.hangs = says, True
    uses: dict[str, Callable[[], object]] = {
        "read": partial(store.load, TOKEN),
        "remove": partial(clear_record, store, TOKEN),
    }
    for doing, use in uses.items():
        with pytest.raises(StoreUnavailable, match=f"^the desktop did not {doing} a record within 0 seconds") as failed:
            use()
        assert failed.value.hint.startswith(hint)
    assert told == ["unlock"] * announced
    desktop.go.set()
    wait_until(lambda: desktop.log.count("close") == 2)


def test_the_index_says_which_records_can_be_read_without_keyring(tmp_path: Path, desktop: Desktop) -> None:
    """Those that were saved over a connection, until they are removed."""
    stamp = tmp_path / f"{TOKEN}.stamp"
    store = open_store(tmp_path, desktop)
    with store.lock(TOKEN, 1) as held:
        held.save("text")
        assert stamp.read_text() == "Secret Service"
        held.clear()
        assert stamp.read_text() == ""
    save_record(open_store(tmp_path, MemoryKeyring()), TOKEN, "text")
    assert stamp.read_text() == ""


def test_the_keyring_is_chosen_when_it_is_first_asked_and_once(tmp_path: Path) -> None:
    chosen: list[str] = []

    def choose() -> Backend:
        chosen.append("chosen")
        return Backend(keyring=MemoryKeyring(), description="the one", replaces_by_deleting=False)

    store = KeyringStore(tmp_path, choose=choose)
    assert (store.description, chosen) == ("the keyring", [])
    for _ in range(2):
        assert store.load(TOKEN) is None
    assert (store.description, chosen) == ("the one", ["chosen"])


class TestIndex:
    def test_a_repaired_name_is_private_and_only_of_a_record(self, tmp_path: Path) -> None:
        keyring = MemoryKeyring()
        keyring.held[SERVICE] = "text"
        store = open_store(tmp_path / "state", keyring)
        store.load("token/other")
        assert not (tmp_path / "state").exists()
        store.load(TOKEN)
        stamp = tmp_path / "state" / f"{TOKEN}.stamp"
        assert [path.stat().st_mode & 0o777 for path in (stamp, *stamp.parents[:2])] == [0o600, 0o700, 0o700]
        before = store.stamp(TOKEN)
        assert before == (stamp.stat().st_ino, stamp.stat().st_mtime_ns)
        store.load(TOKEN)
        assert store.stamp(TOKEN) == before

    def test_a_clear_of_nothing_leaves_nothing(self, tmp_path: Path) -> None:
        store = open_store(tmp_path, MemoryKeyring())
        with store.lock(TOKEN, 1) as held:
            assert held.clear() is False
            assert (latest_note(store, TOKEN), store.stamp(TOKEN)) == (None, None)
            held.notes.note("text")
            assert latest_note(store, TOKEN) == "text"
        assert not (tmp_path / "token/default.stamp").exists()
        assert store.traces() == [TOKEN]


def test_a_save_that_does_not_keep_puts_the_earlier_record_back(tmp_path: Path) -> None:
    """Half of the new one would be worse."""

    class CutsLong(MemoryKeyring):
        def set_password(self, service: str, username: str, password: str) -> None:
            super().set_password(service, username, password[:8])

    keyring = CutsLong()
    store = open_store(tmp_path, keyring)
    with store.lock(TOKEN, 1) as held:
        held.save("earlier")
        with pytest.raises(StoreNotDurable, match="accepted a record but did not keep it"):
            held.save("a longer one")
    assert store.load(TOKEN) == "earlier"


def test_every_copy_is_removed(tmp_path: Path) -> None:
    """As other programs may have added some; a keyring that never ends is given up."""

    class Copies(MemoryKeyring):
        copies = MOST_COPIES

        def get_password(self, service: str, username: str) -> str | None:
            assert (service, username) == (SERVICE, "withings-auth")
            return "text" if self.copies else None

        def delete_password(self, service: str, username: str) -> None:
            assert self.get_password(service, username)
            self.copies -= 1

    keyring = Copies()
    store = open_store(tmp_path, keyring)
    with store.lock(TOKEN, 1) as held:
        assert held.clear() is True
        assert (keyring.copies, MOST_COPIES) == (0, 10)
        keyring.copies = 100
        with pytest.raises(StoreUnavailable, match="still holds a record"):
            held.clear()
        assert keyring.copies == 90
