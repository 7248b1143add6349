"""The state beside a keyring, when the disk fails or others can write it, and what a keyring's failures leave of it."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from tests.store.disks import Disk
from tests.store.keyrings import CuttingKeyring, Keyrings, MemoryKeyring, SlowKeyring
from tests.support.stores import clear_record, save_record
from withings_auth.errors import StoreNotDurable, StoreUnavailable
from withings_auth.store import CHOOSE_FILES
from withings_auth.store.backends import remedies
from withings_auth.store.keyring_store import FOREIGN_STATE

TOKEN = "token/default"
FULL, DENIED = OSError(errno.ENOSPC, "full"), PermissionError(errno.EACCES, "denied")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_a_state_that_went_is_made_again(state: Path) -> None:
    """A renewed pair is not lost to whoever removed it meanwhile."""
    store = Keyrings(state)()
    with store.lock(TOKEN, 1) as held:
        shutil.rmtree(state)
        held.save("text")
    assert store.names() == [TOKEN]
    assert (state / "token").stat().st_mode & 0o777 == 0o700


def test_a_disk_that_fails_is_named(state: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Keyrings(state)()
    save_record(store, TOKEN, "text")
    with store.lock(TOKEN, 1) as held:
        disk.failing["replace"] = FULL
        with pytest.raises(StoreUnavailable, match=f"^cannot use {state}/{TOKEN}.stamp: full"):
            held.save("text")
        disk.failing["unlink"] = FULL
        assert held.clear() is True, "what became of the name is no failure of a logout"

    def fail(*_: object) -> None:
        raise FULL

    monkeypatch.setattr(Path, "glob", fail)
    with pytest.raises(StoreUnavailable, match=f"^cannot use {state}: full"):
        store.names()


def test_what_cannot_be_looked_at_hides_no_record(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Keyrings(state)()
    save_record(store, TOKEN, "text")

    def fail(_: Path) -> os.stat_result:
        raise DENIED

    monkeypatch.setattr(Path, "lstat", fail)
    assert store.load(TOKEN) == "text"


def test_an_index_that_others_could_have_emptied_is_refused(state: Path) -> None:
    store = Keyrings(state)()
    save_record(store, TOKEN, "text")
    (state / f"{TOKEN}.stamp").unlink()
    assert store.names() == []
    (state / "token").chmod(0o770)
    with pytest.raises(StoreUnavailable, match=f"^{state}/token is not safe for locks: other users have access"):
        store.names()


def test_a_link_has_a_way_out(state: Path) -> None:
    store = Keyrings(state)()
    save_record(store, TOKEN, "text")
    state.rename(state.with_name("elsewhere"))
    state.symlink_to("elsewhere")
    with pytest.raises(StoreUnavailable, match=f"^{state} is not safe for locks: it is a symbolic link") as refused:
        store.load(TOKEN)
    assert refused.value.hint == FOREIGN_STATE


def test_only_a_change_that_hangs_keeps_the_lock(state: Path) -> None:
    keyring = SlowKeyring()
    store = Keyrings(state, keyring, patience_seconds=0.1)()
    keyring.hangs = True
    with pytest.raises(StoreUnavailable, match="did not read a record"), store.lock(TOKEN, 1):
        store.load(TOKEN)
    with pytest.raises(StoreUnavailable, match="did not save a record"), store.lock(TOKEN, 0) as held:
        held.save("text")
    keyring.hangs = False
    keyring.go.set()
    patient = Keyrings(state, keyring)()
    with patient.lock(TOKEN, 20):
        assert patient.load(TOKEN) == "text"


def test_a_keyring_that_keeps_half_is_called_unreliable(state: Path) -> None:
    with pytest.raises(StoreNotDurable) as failed:
        save_record(Keyrings(state, CuttingKeyring())(), TOKEN, "more than twenty characters")
    assert str(failed.value) == "the test's keyring accepted a record but did not keep it"
    assert failed.value.hint == "this keyring is unreliable; name another one in PYTHON_KEYRING_BACKEND"


def test_a_keyring_that_removes_nothing_has_remedies(state: Path) -> None:
    class Stubborn(MemoryKeyring):
        def delete_password(self, service: str, username: str) -> None:
            self.asked.append((service, username))

    keyring = Stubborn()
    save_record(Keyrings(state, keyring)(), TOKEN, "text")
    with pytest.raises(StoreUnavailable) as failed:
        clear_record(Keyrings(state, keyring)(), TOKEN)
    assert str(failed.value) == "the keyring still holds a record after removing it"
    assert failed.value.hint == remedies()
    assert CHOOSE_FILES in failed.value.hint
    assert keyring.asked[1:] == [(f"withings-auth/{TOKEN}", "withings-auth")] * 10
