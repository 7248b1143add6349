"""The index of a keyring's names: it repairs itself, changes with every save, and holds no secret."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.keyrings import Keyrings, MemoryKeyring
from tests.support.stores import clear_record, save_record
from withings_auth.store.base import SecretStore

TOKEN = "token/default"
SERVICE = "withings-auth/token/default"
RECORD = '{"version":1,"access_token":"0123456789abcdef0123456789abcdef01234567"}'


def test_it_repairs_itself_by_reading(tmp_path: Path) -> None:
    """A load adds a record that the index lacks; a name without a record is not listed."""
    keyring = MemoryKeyring()
    keyrings = Keyrings(tmp_path, keyring)
    keyring.held[SERVICE] = RECORD
    assert keyrings().names() == []
    keyrings().load(TOKEN)
    assert keyrings().names() == [TOKEN]
    keyring.held.clear()
    assert keyrings().names() == []


@pytest.mark.parametrize("use", [SecretStore.load, clear_record])
def test_a_keyring_without_the_record_removes_no_name(
    tmp_path: Path, use: Callable[[SecretStore, str], object]
) -> None:
    """Statement 50: two desktops that share a home directory have an index for two keyrings."""
    here, there = Keyrings(tmp_path), Keyrings(tmp_path)
    save_record(here(), TOKEN, RECORD)
    save_record(there(), "token/anna", RECORD)
    for name in (TOKEN, "token/anna"):
        use(there(), name)
        there().names()
    assert here().names() == [TOKEN]


def test_a_logout_on_one_desktop_leaves_the_other_its_name(tmp_path: Path) -> None:
    """Statement 50: the same profile is logged in on both, and one of them logs out."""
    here, there = Keyrings(tmp_path), Keyrings(tmp_path)
    for desktop in (here, there):
        save_record(desktop(), TOKEN, RECORD)
    assert clear_record(there(), TOKEN) is True
    assert (here().names(), there().names()) == ([TOKEN], [])


def test_a_logout_changes_the_stamp_even_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in another program's memory is dropped; only the name cannot be kept."""
    store = Keyrings(tmp_path)()
    save_record(store, TOKEN, RECORD)
    stamp = store.stamp(TOKEN)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with store.lock(TOKEN, 1) as held, monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        assert held.clear() is True
    assert store.stamp(TOKEN) != stamp


def test_the_stamp_changes_though_the_clock_was_set_back(tmp_path: Path) -> None:
    """A save after the clock was set back still gives a later time than before."""
    store = Keyrings(tmp_path)()
    save_record(store, TOKEN, RECORD)
    stamp = tmp_path / "token/default.stamp"
    ahead = 4_000_000_000 * 10**9
    os.utime(stamp, ns=(ahead, ahead))
    for _ in range(3):
        before = stamp.stat().st_mtime_ns
        save_record(store, TOKEN, RECORD)
        assert stamp.stat().st_mtime_ns > before


def test_a_save_during_a_read_stays_in_it(tmp_path: Path) -> None:
    """A reader that found nothing does not remove a name that was saved while it was reading."""
    keyring = MemoryKeyring()
    keyrings = Keyrings(tmp_path, keyring)
    save_record(keyrings(), TOKEN, RECORD)
    keyring.held.clear()

    class SavedMeanwhile(MemoryKeyring):
        def get_password(self, service: str, username: str) -> str | None:
            found = keyring.get_password(service, username)
            save_record(keyrings(), TOKEN, RECORD)
            return found

    assert Keyrings(tmp_path, SavedMeanwhile())().load(TOKEN) is None
    assert keyrings().names() == [TOKEN]


def test_it_holds_no_secret(tmp_path: Path) -> None:
    """Statement 24: nothing of the record is in the state directory, which is private anyway."""
    store = Keyrings(tmp_path / "state")()
    with store.lock(TOKEN, 1) as held:
        held.save(RECORD)
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"default.lock", "default.stamp"}
    assert [path.read_bytes() for path in files] == [b"", b""]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "state", tmp_path / "state/token")} == {0o700}
