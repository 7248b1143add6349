"""The promises among processes: they see each other's changes, locks keep them apart, forks and kills do no harm."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from withings_auth.errors import StoreError
from withings_auth.store.base import SecretStore
from withings_auth.testing import fixtures
from withings_auth.testing.elsewhere import RefusedElsewhere, Talk
from withings_auth.testing.fixtures import NEW, OLD, OTHER, TOKEN, Fixtures, Start, is_free, latest_stamp, save

# ruff: noqa: S101  pytest rewrites these asserts, as `__init__` asks it to


def is_kept_out(process: Talk) -> bool:
    """Returns whether the process cannot lock the token."""
    with pytest.raises(RefusedElsewhere, match="LockBusy"):
        process("lock", TOKEN, 0.2)
    return True


class ProcessPromises(Fixtures):
    """What holds among processes; skipped for a store within one process."""

    def test_another_process_sees_every_change(self, store: SecretStore, start: Start) -> None:
        """What one process saves or clears, the other sees at once in load, names and stamp."""
        process = start()
        stamps = [latest_stamp(store, TOKEN)]
        assert (process("load", TOKEN), process("names")) == (None, [])
        for text in ("first", "second"):
            save(store, TOKEN, f"our {text}")
            stamps.append(latest_stamp(store, TOKEN))
            assert (process("load", TOKEN), process("names")) == (f"our {text}", [TOKEN])
            process("save", TOKEN, f"their {text}")
            stamps.append(latest_stamp(store, TOKEN))
            assert (store.load(TOKEN), store.names()) == (f"their {text}", [TOKEN])
        assert len(set(stamps)) == len(stamps)
        assert process("clear", TOKEN) is True
        assert latest_stamp(store, TOKEN) not in stamps[1:]
        assert (store.load(TOKEN), store.names(), process("names")) == (None, [], [])

    def test_one_process_at_a_time_holds_a_name(self, store: SecretStore, start: Start) -> None:
        """While one process holds a name, others get `LockBusy` for it, and can hold other names."""
        process = start()
        process("lock", TOKEN, 1)
        assert not is_free(store, TOKEN, 0.2)
        assert is_free(store, OTHER)
        process("unlock")
        with store.lock(TOKEN, 5):
            assert is_kept_out(process)
            process("lock", OTHER, 1)

    def test_a_wait_ends_when_the_holder_leaves(self, store: SecretStore, start: Start) -> None:
        """A process that waits gets the lock as soon as another one releases it."""
        process = start()
        with store.lock(TOKEN, 1):
            process.begin("lock", TOKEN, 50)
            time.sleep(0.3)  # by now it should be waiting; the promise holds either way
        process.answer(seconds=fixtures.PATIENCE_SECONDS)

    def test_a_killed_holder_leaves_a_free_lock(self, store: SecretStore, start: Start) -> None:
        """A process that is killed under the lock blocks nobody; what it saved and noted is there."""
        process = start()
        process("lock", TOKEN, 1)
        process("save", TOKEN, "saved")
        process("note", TOKEN, "a note")
        process.kill()
        assert store.load(TOKEN) == "saved"
        with store.lock(TOKEN, 1) as held:
            assert held.notes.recall() == "a note"

    def test_a_kill_leaves_a_whole_text(self, store: SecretStore, start: Start) -> None:
        """Whenever a process is killed during a save, the old text or the new one is there, and can be replaced."""
        for milliseconds in (3, 17, 41):
            process = start()
            process("save_in_a_thread", TOKEN, OLD, NEW)
            loaded = set()
            until = time.monotonic() + milliseconds / 1000
            while time.monotonic() < until:
                with suppress(StoreError):  # it could not be found out, which is not wrong
                    loaded.add(store.load(TOKEN))
                time.sleep(0.002)
            process.kill()
            assert loaded | {store.load(TOKEN)} <= {OLD, NEW}
        save(store, TOKEN, "after it")
        assert store.load(TOKEN) == "after it"

    def test_a_forked_child_does_not_hold_the_lock(self, store: SecretStore, start_to_fork: Start) -> None:
        """A child that is forked under a lock can read, is kept out like everybody, and cannot release the lock."""
        save(store, TOKEN, "text")
        process = start_to_fork()
        process("lock", TOKEN, 1)
        child = process.fork()
        assert child("load", TOKEN) == "text"
        assert is_kept_out(child)
        child("unlock")  # it leaves the block in which it was forked
        assert not is_free(store, TOKEN, 0.2)
        child.end()
        assert not is_free(store, TOKEN, 0.2)
        process("unlock")
        assert is_free(store, TOKEN)

    def test_a_child_does_not_keep_the_lock(self, store: SecretStore, start_to_fork: Start) -> None:
        """The lock of a killed holder is free at once although its child lives, which can hold it then."""
        process = start_to_fork()
        process("lock", TOKEN, 1)
        child = process.fork()
        process.kill()
        assert is_free(store, TOKEN)
        child("unlock")
        child("lock", TOKEN, 1)
        assert not is_free(store, TOKEN, 0.2)
        child("save", TOKEN, "of the child")
        child("unlock")
        assert is_free(store, TOKEN)
        assert store.load(TOKEN) == "of the child"

    def test_a_child_waits_for_no_thread(self, store: SecretStore, start_to_fork: Start) -> None:
        """A fork while other threads hold a lock and save gives the child a store that works."""
        for _ in range(3):
            save(store, TOKEN, "text")
            process = start_to_fork()
            process("hold_in_a_thread", TOKEN)
            process("save_in_a_thread", OTHER, "one", "two")
            child = process.fork()
            assert child("load", TOKEN) == "text"
            assert child("load", OTHER) in {"one", "two"}
            assert is_kept_out(child)
            process("end_threads")
            for name in (TOKEN, OTHER):
                child("save", name, "of the child")
                assert store.load(name) == "of the child"
            child.end()
            assert child.exit_code() == 0

    def test_many_processes_lose_no_save(self, store: SecretStore, start: Start) -> None:
        """When processes save under different names at once, every text is kept and every name is listed."""
        processes = {f"token/of-{number}": start() for number in range(3)}
        for name, process in processes.items():
            process.begin("save", name, *"01234")
        for process in processes.values():
            process.answer()
        assert store.names() == list(processes)
        assert [store.load(name) for name in processes] == ["4"] * 3
