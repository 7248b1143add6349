"""Saves that land late, and keyrings that replace by deleting: a newer record is never overwritten or lost."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.store.keyrings import Keyrings, ReplacingKeyring, SlowKeyring
from tests.support.stores import clear_record, save_record
from tests.support.waiting import wait_until
from withings_auth.errors import LockBusy, StoreUnavailable
from withings_auth.store import backends
from withings_auth.store.base import SecretStore
from withings_auth.store.keyring_store import KeyringStore
from withings_auth.testing.elsewhere import Elsewhere, RefusedElsewhere

TOKEN = "token/default"
SERVICE = "withings-auth/token/default"
SAME_LOCK = (
    "from pathlib import Path; from withings_auth.store.keyring_store import KeyringStore; store = KeyringStore(Path"
)


def entered(store: SecretStore, timeout: float) -> bool:
    try:
        with store.lock(TOKEN, timeout):
            return True
    except LockBusy:
        return False


class TestLateSave:
    def test_it_keeps_the_lock_until_it_has_landed(self, tmp_path: Path) -> None:
        """Statement 28: the next holder waits for a save that hangs, so the late save never overwrites a newer one."""
        keyring = SlowKeyring()
        keyrings = Keyrings(tmp_path, keyring, patience_seconds=3)
        store = keyrings()
        with store.lock(TOKEN, 1) as held:
            held.save("first")
            keyring.hangs = True
            stamp = store.stamp(TOKEN)
            with pytest.raises(StoreUnavailable):
                held.save("second, late")
        with Elsewhere(f"{SAME_LOCK}('{tmp_path}'))") as process, ThreadPoolExecutor(1) as thread:
            with pytest.raises(RefusedElsewhere, match="LockBusy"):
                process("lock", TOKEN, 0.3)
            assert not thread.submit(entered, keyrings(), 0.2).result()
            assert not entered(store, 0.2)
            assert keyring.held[SERVICE] == "first"
            keyring.hangs = False
            keyring.go.set()
            assert process("lock", TOKEN, 5) is None
            assert keyring.held[SERVICE] == "second, late"
            assert store.stamp(TOKEN) != stamp
            process("unlock")
        with store.lock(TOKEN, 1) as held:
            assert store.load(TOKEN) == "second, late"
            held.save("third")
        time.sleep(0.1)
        assert keyring.held[SERVICE] == "third"

    def test_a_lock_within_it_does_not_let_the_outer_one_go(self, tmp_path: Path) -> None:
        """A call that hangs under an inner lock keeps only that one held; the outer name can go on."""
        keyring = SlowKeyring()
        keyrings = Keyrings(tmp_path, keyring, patience_seconds=3)
        store = keyrings()
        with store.lock(TOKEN, 1) as outer:
            keyring.hangs = True
            with pytest.raises(StoreUnavailable), store.lock("app/x", 1) as inner:
                inner.save("hangs")
            keyring.hangs = False
            outer.save("saved")
        assert entered(keyrings(), 0.2)
        with pytest.raises(LockBusy), keyrings().lock("app/x", 0.2):
            pass
        keyring.go.set()
        with keyrings().lock("app/x", 5):
            pass


class TestReplacedByDeleting:
    """The macOS backend replaces a record by deleting it and adding the new one."""

    def test_a_power_cut_at_any_point_leaves_the_old_or_the_new(self, tmp_path: Path) -> None:
        """Statement 30: at no step of a save is a login lost, and the next save leaves one record alone."""
        left: list[str | None] = []
        for steps in range(10):
            held = {SERVICE: "old"}
            state = tmp_path / str(steps)
            keyring = ReplacingKeyring(held, steps)
            with suppress(StoreUnavailable):
                save_record(Keyrings(state, keyring, replaces_by_deleting=True)(), TOKEN, "new")
                break
            after = Keyrings(state, ReplacingKeyring(held), replaces_by_deleting=True)
            left.append(after().load(TOKEN))
            assert after().names() == [TOKEN]
            save_record(after(), TOKEN, "newer")
            assert held == {SERVICE: "newer"}
        # the spare is written | the old record is deleted | the new one is added | the spare is removed
        assert left == ["old", "old", "new", "new"]

    def test_a_second_cut_cannot_bring_back_what_is_older(self, tmp_path: Path) -> None:
        """Statement 30: after any two cuts in a row the record is never older than what was last read."""
        order = ["old", "new", "newer"]
        for first in range(5):
            for second in range(6):
                held = {SERVICE: "old"}
                state = tmp_path / f"{first} {second}"
                reader = Keyrings(state, ReplacingKeyring(held), replaces_by_deleting=True)
                read = ["old"]
                for steps, text in ((first, "new"), (second, "newer")):
                    store = Keyrings(state, ReplacingKeyring(held, steps), replaces_by_deleting=True)()
                    with suppress(StoreUnavailable):
                        save_record(store, TOKEN, text)
                    found = reader().load(TOKEN)
                    assert found is not None
                    read.append(found)
                assert [order.index(text) for text in read] == sorted(order.index(text) for text in read)

    def test_a_logout_cut_in_the_middle_brings_back_nothing_old(self, tmp_path: Path) -> None:
        """Statement 34: both copies go, the spare one first."""
        for steps in range(3):
            held = {SERVICE: "new", f"{SERVICE}.next": "older"}
            state = tmp_path / str(steps)
            store = Keyrings(state, ReplacingKeyring(held, steps), replaces_by_deleting=True)()
            if steps == 2:
                assert clear_record(store, TOKEN) is True
                assert held == {}
                break
            with pytest.raises(StoreUnavailable):
                clear_record(store, TOKEN)
            assert Keyrings(state, ReplacingKeyring(held), replaces_by_deleting=True)().load(TOKEN) == "new"

    def test_a_load_between_delete_and_add_finds_the_record(self, tmp_path: Path) -> None:
        """If the record is missing and then its spare is gone too, a third look finds the record."""

        class SavedMeanwhile(ReplacingKeyring):
            def get_password(self, service: str, username: str) -> str | None:
                found = super().get_password(service, username)
                self.held = {SERVICE: "new"}
                return found

        assert (
            Keyrings(tmp_path, SavedMeanwhile({f"{SERVICE}.next": "new"}), replaces_by_deleting=True)().load(TOKEN)
            == "new"
        )

    @pytest.mark.parametrize(("module", "deletes"), [("keyring.backends.macOS", True), ("another_module", False)])
    def test_the_macos_backend_is_known_by_its_module(
        self, monkeypatch: pytest.MonkeyPatch, module: str, deletes: bool
    ) -> None:
        """Apple's Keychain is written with a spare record; other keyrings are not asked twice."""

        class Keyring(ReplacingKeyring):
            priority = 5

            def __init__(self) -> None:
                super().__init__({})

        Keyring.__module__ = module
        monkeypatch.setitem(sys.modules, module, type(sys)(module))
        monkeypatch.setattr(sys.modules[module], "Keyring", Keyring, raising=False)
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", f"{module}.Keyring")
        assert backends.find_backend().replaces_by_deleting is deletes


def test_no_thread_is_left_behind(tmp_path: Path) -> None:
    """The threads that call the keyring end with their call or lock."""
    import threading

    store: KeyringStore = Keyrings(tmp_path)()
    before = threading.active_count()
    for _ in range(5):
        with store.lock(TOKEN, 1) as held:
            held.save("text")
            with pytest.raises(LockBusy), Keyrings(tmp_path)().lock(TOKEN, 0.01):
                pass
        store.load(TOKEN)
    wait_until(lambda: threading.active_count() <= before)
