"""The promises about the lock and the notes beside it, among the threads of one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from withings_auth.errors import LockBusy
from withings_auth.store.base import SecretStore
from withings_auth.testing.given import APP, OTHER, TOKEN, Given, hold, in_time, save

# ruff: noqa: S101  pytest rewrites these asserts, as `__init__` asks it to

HOLDERS = 12


class HoldingPromises(Given):
    """What holds among threads; `in_time` has a store asked by another thread, and never waits for ever."""

    def test_one_thread_at_a_time_holds_a_name(self, store: SecretStore, another: Callable[[], SecretStore]) -> None:
        """Two threads are never inside the lock of one name, whichever object they ask; each one's turn comes."""
        inside = 0
        seen: list[int] = []

        def enter(number: int) -> None:
            nonlocal inside
            with (store if number % 2 else another()).lock(TOKEN, 20):
                inside += 1
                seen.append(inside)
                time.sleep(0.005)  # long enough for the others to come in, if they could
                inside -= 1

        threads = [threading.Thread(target=enter, args=(number,), daemon=True) for number in range(HOLDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert seen == [1] * HOLDERS

    def test_a_busy_lock_ends_the_wait(self, store: SecretStore, another: Callable[[], SecretStore]) -> None:
        """The wait for a lock ends when it was said to, with `LockBusy`, and changes nothing for the holder."""
        with store.lock(TOKEN, 1):
            for asked in (store, another()):
                began = time.monotonic()
                with pytest.raises(LockBusy):
                    in_time(partial(hold, asked, TOKEN, 0.3))
                assert 0.2 < time.monotonic() - began < 5
            with pytest.raises(LockBusy):
                in_time(lambda: hold(another(), TOKEN, 0))
        in_time(lambda: hold(another(), TOKEN, 1))

    def test_the_holder_cannot_enter_twice(self, store: SecretStore, another: Callable[[], SecretStore]) -> None:
        """The same thread does not get in again, with this object or another: nothing is renewed inside a renewal."""

        def enter_twice(second: SecretStore) -> None:
            with store.lock(TOKEN, 1):
                with pytest.raises(LockBusy):
                    hold(second, TOKEN, 0.2)
                with pytest.raises(LockBusy):
                    in_time(lambda: hold(another(), TOKEN, 0.2))

        in_time(lambda: enter_twice(store))
        in_time(lambda: enter_twice(another()))
        in_time(lambda: hold(another(), TOKEN, 1))

    def test_a_lock_is_held_from_its_entry_on(self, store: SecretStore, another: Callable[[], SecretStore]) -> None:
        """`lock` alone holds nothing; entering what it returns does."""
        unused = store.lock(TOKEN, 1)
        in_time(lambda: hold(another(), TOKEN, 1))
        del unused

    @pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
    def test_a_lock_is_let_go_when_its_work_fails(
        self, store: SecretStore, another: Callable[[], SecretStore], error: type[BaseException]
    ) -> None:
        """An exception under the lock comes through, and frees it."""
        with pytest.raises(error), store.lock(TOKEN, 1):
            raise error
        in_time(lambda: hold(another(), TOKEN, 1))

    def test_two_names_do_not_wait_for_each_other(self, store: SecretStore, another: Callable[[], SecretStore]) -> None:
        """Somebody's renewal does not hold up somebody else's, in one thread or in two."""

        def both() -> None:
            with store.lock(TOKEN, 1) as token, store.lock(APP, 1) as app:
                token.save("text")
                app.save("text")
                in_time(lambda: hold(another(), OTHER, 1), seconds=10)

        in_time(both)
        assert store.names() == [APP, TOKEN]

    def test_who_reads_waits_for_nobody(self, store: SecretStore, another: Callable[[], SecretStore]) -> None:
        """A lock holds up other holders only: what is saved can be read meanwhile, by every object."""
        save(store, TOKEN, "text")
        with store.lock(TOKEN, 1):
            for asked in (store, another()):
                assert in_time(partial(asked.load, TOKEN)) == "text"
                assert in_time(asked.names) == [TOKEN]
                assert in_time(partial(asked.stamp, TOKEN)) is not None

    def test_notes_outlive_their_holder(self, store: SecretStore, another: Callable[[], SecretStore]) -> None:
        """The next holder reads what was noted last, to the letter; None takes it away, twice too."""
        with store.lock(TOKEN, 1) as held:
            assert held.notes.recall() is None
            held.notes.note("first")
            held.notes.note("second\r\nline\n")
            assert held.notes.recall() == "second\r\nline\n"
        with another().lock(TOKEN, 1) as held:
            assert held.notes.recall() == "second\r\nline\n"
            held.notes.note(None)
            assert held.notes.recall() is None
            held.notes.note(None)
        with store.lock(TOKEN, 1) as held:
            assert held.notes.recall() is None

    def test_each_name_has_notes_of_its_own(self, store: SecretStore) -> None:
        """What was noted for one login is nothing to another."""
        with store.lock(TOKEN, 1) as held, store.lock(OTHER, 1) as other:
            held.notes.note("of the token")
            assert other.notes.recall() is None
            other.notes.note("of the other")
            assert held.notes.recall() == "of the token"

    def test_notes_are_no_records(self, store: SecretStore, another: Callable[[], SecretStore]) -> None:
        """A slip beside a lock shows in no list of names and is no text; it survives save and clear."""
        with store.lock(TOKEN, 1) as held:
            held.notes.note("a note")
            assert store.names() == []
            assert store.load(TOKEN) is None
            held.save("text")
            held.clear()
        with another().lock(TOKEN, 1) as held:
            assert held.notes.recall() == "a note"
