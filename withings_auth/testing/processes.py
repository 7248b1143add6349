"""The promises among processes: others see every change, a lock excludes them, and a fork or a kill breaks nothing."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest

from withings_auth.errors import LockBusy, StoreError
from withings_auth.store.base import SecretStore
from withings_auth.testing.elsewhere import Elsewhere, RefusedElsewhere
from withings_auth.testing.given import OTHER, TOKEN, Given, hold, in_time, save

# ruff: noqa: S101  pytest rewrites these asserts, as `__init__` asks it to


class ProcessPromises(Given):
    """What holds among processes; skipped for a store that says it lives within one."""

    @pytest.fixture
    def start(self, opening: str | None, store: SecretStore) -> Iterator[Callable[[], Elsewhere]]:  # noqa: ARG002
        """Starts another process with a store over the same place."""
        if opening is None:
            self.missing("opening")
        with ExitStack() as running:
            yield lambda: running.enter_context(Elsewhere(opening, to_be_forked=hasattr(os, "fork")))

    @pytest.fixture
    def start_to_fork(self, start: Callable[[], Elsewhere]) -> Callable[[], Elsewhere]:
        """Starts another process that will fork."""
        if not hasattr(os, "fork"):
            pytest.skip("this system has no fork")
        if "fork" in self.without:
            self.missing("fork")
        return start

    @pytest.fixture
    def elsewhere(self, start: Callable[[], Elsewhere]) -> Elsewhere:
        """Another process with a store over the same place."""
        return start()

    def test_another_process_sees_every_change(self, store: SecretStore, elsewhere: Elsewhere) -> None:
        """What one process saves or clears, the other sees at once, by load, names and stamp."""
        stamps = [store.stamp(TOKEN)]
        assert elsewhere("load", TOKEN) is None
        save(store, TOKEN, "ours")
        stamps.append(store.stamp(TOKEN))
        assert elsewhere("load", TOKEN) == "ours"
        assert elsewhere("names") == [TOKEN]
        elsewhere("save", TOKEN, "theirs")
        stamps.append(store.stamp(TOKEN))
        assert store.load(TOKEN) == "theirs"
        elsewhere("save", TOKEN, "theirs")
        stamps.append(store.stamp(TOKEN))
        assert len(set(stamps)) == len(stamps)
        assert elsewhere("clear", TOKEN) is True
        assert store.stamp(TOKEN) not in stamps[1:]
        assert store.load(TOKEN) is None
        assert store.names() == []

    def test_one_process_at_a_time_holds_a_name(self, store: SecretStore, elsewhere: Elsewhere) -> None:
        """While another process holds the name nobody else does; other names are free; each is told it is busy."""
        elsewhere("lock", TOKEN, 1)
        with pytest.raises(LockBusy):
            in_time(lambda: hold(store, TOKEN, 0.2))
        in_time(lambda: hold(store, OTHER, 1))
        elsewhere("unlock")
        with store.lock(TOKEN, 5):
            with pytest.raises(RefusedElsewhere, match="LockBusy"):
                elsewhere("lock", TOKEN, 0.2)
            elsewhere("lock", OTHER, 1)

    def test_who_waits_gets_in_when_the_holder_leaves(self, store: SecretStore, elsewhere: Elsewhere) -> None:
        """A wait ends with the lock, and not first with its time, once the other process has let go."""
        elsewhere("load", TOKEN)  # it has started: what it is asked from here on it does at once
        with store.lock(TOKEN, 1):
            elsewhere.begin("lock", TOKEN, 30)
            time.sleep(0.2)  # it should have begun to wait by now; the promise holds either way
        began = time.monotonic()
        assert elsewhere.answer() is None
        assert time.monotonic() - began < 5

    def test_a_killed_holder_leaves_the_lock_free_and_its_notes(self, store: SecretStore, elsewhere: Elsewhere) -> None:
        """A process that is killed under the lock holds up nobody; what it had saved and noted is there."""
        elsewhere("lock", TOKEN, 1)
        elsewhere("save", TOKEN, "saved")
        elsewhere("note", "was at it")
        elsewhere.kill()
        assert store.load(TOKEN) == "saved"
        with store.lock(TOKEN, 1) as held:
            assert held.notes.recall() == "was at it"

    def test_a_process_killed_in_the_middle_of_a_save_leaves_a_whole_text(
        self, store: SecretStore, start: Callable[[], Elsewhere]
    ) -> None:
        """Whenever it is killed, the old text or the new one is there, and the next save works."""
        texts = ("old " * 200, "new " * 250)
        for milliseconds in (3, 17, 41):
            elsewhere = start()
            elsewhere("saving", TOKEN, *texts)
            read = set()
            until = time.monotonic() + milliseconds / 1000
            while time.monotonic() < until:
                with suppress(StoreError):  # it could not be found out, which is no wrong answer
                    read.add(store.load(TOKEN))
                time.sleep(0.002)
            elsewhere.kill()
            read.add(store.load(TOKEN))
            assert read <= set(texts)
        with store.lock(TOKEN, 1) as held:
            held.save("after it")
        assert store.load(TOKEN) == "after it"

    def test_a_forked_child_neither_holds_nor_frees_its_parents_lock(
        self, store: SecretStore, start_to_fork: Callable[[], Elsewhere]
    ) -> None:
        """A child that is forked under the lock can ask, is kept out as others are, and leaves the lock alone."""
        elsewhere = start_to_fork()
        elsewhere("save", TOKEN, "text")
        elsewhere("lock", TOKEN, 1)
        child = elsewhere.fork()
        assert child("load", TOKEN) == "text"
        with pytest.raises(RefusedElsewhere, match="LockBusy"):
            child("lock", TOKEN, 0.2)
        child("unlock")  # it leaves the block in which it was forked
        with pytest.raises(LockBusy):
            in_time(lambda: hold(store, TOKEN, 0.2))
        child.end()
        with pytest.raises(LockBusy):
            in_time(lambda: hold(store, TOKEN, 0.2))
        elsewhere("unlock")
        in_time(lambda: hold(store, TOKEN, 1))

    def test_a_lock_ends_with_its_holder_though_a_child_lives(
        self, store: SecretStore, start_to_fork: Callable[[], Elsewhere]
    ) -> None:
        """A killed holder's lock is free at once, whatever children it had; they can take it then."""
        elsewhere = start_to_fork()
        elsewhere("lock", TOKEN, 1)
        child = elsewhere.fork()
        elsewhere.kill()
        in_time(lambda: hold(store, TOKEN, 1))
        assert child("lock", TOKEN, 1) is None
        with pytest.raises(LockBusy):
            in_time(lambda: hold(store, TOKEN, 0.2))
        child("unlock")
        child("save", TOKEN, "of the child")
        assert store.load(TOKEN) == "of the child"

    def test_a_child_can_ask_whatever_its_parents_threads_were_doing(
        self, store: SecretStore, start_to_fork: Callable[[], Elsewhere]
    ) -> None:
        """A fork while other threads hold a lock and save leaves the child a store that works."""
        save(store, TOKEN, "text")
        for _ in range(3):
            elsewhere = start_to_fork()
            elsewhere("holding", TOKEN, 5)
            elsewhere("saving", OTHER, "one", "two")
            child = elsewhere.fork()
            assert child("load", TOKEN) == "text"
            assert child("load", OTHER) in {"one", "two"}
            with pytest.raises(RefusedElsewhere, match="LockBusy"):
                child("lock", TOKEN, 0.2)
            elsewhere("finish")
            for name in (TOKEN, OTHER):
                assert child("lock", name, 20) is None
                child("save", name, "text")
            child("unlock")
            child.end()
            elsewhere.kill()

    def test_many_processes_lose_no_save(self, store: SecretStore, start: Callable[[], Elsewhere]) -> None:
        """Processes that save under different names at once each find their text, and every name is listed."""
        others = [start() for _ in range(3)]
        names = [f"token/of-{number}" for number in range(3)]
        for turn, (elsewhere, name) in itertools.product(range(5), list(zip(others, names, strict=True))):
            elsewhere.begin("save", name, f"{name} {turn}")
        for elsewhere in others * 5:
            assert elsewhere.answer() is None
        assert store.names() == names
        assert [store.load(name) for name in names] == [f"{name} 4" for name in names]
