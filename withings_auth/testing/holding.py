"""The promises about locks and the notes beside them, among the threads of one process."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from withings_auth.errors import LockBusy
from withings_auth.store.base import SecretStore
from withings_auth.testing.fixtures import APP, OTHER, TOKEN, Fixtures, Open, hold, in_thread, save

# ruff: noqa: S101  pytest rewrites these asserts, as `__init__` asks it to

HOLDERS = 12


class HoldingPromises(Fixtures):
    """What holds among threads."""

    def test_one_thread_at_a_time_holds_a_name(self, store: SecretStore, another: Open) -> None:
        """Two threads never hold the same name, whichever object they ask; everyone gets a turn."""
        inside, seen = 0, list[int]()

        def enter(number: int) -> None:
            nonlocal inside
            with (store if number % 2 else another()).lock(TOKEN, 20):
                inside += 1
                seen.append(inside)
                time.sleep(0.005)  # long enough for the others to get in, if they could
                inside -= 1

        threads = [threading.Thread(target=enter, args=(number,), daemon=True) for number in range(HOLDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert seen == [1] * HOLDERS

    def test_a_busy_lock_ends_the_wait(self, store: SecretStore, another: Open) -> None:
        """The wait for a lock ends with `LockBusy` when its time is over, and the holder still holds it."""
        with store.lock(TOKEN, 1):
            for waiting in (store, another()):
                began = time.monotonic()
                with pytest.raises(LockBusy):
                    in_thread(partial(hold, waiting, TOKEN, 0.3))
                assert time.monotonic() - began > 0.2
            with pytest.raises(LockBusy):
                in_thread(lambda: hold(another(), TOKEN, 0))
        in_thread(lambda: hold(another(), TOKEN, 1))

    def test_the_holder_cannot_enter_twice(self, store: SecretStore, another: Open) -> None:
        """The holder's own thread does not get in again, through any object: no renewal inside a renewal."""

        def enter_twice(second: SecretStore) -> None:
            with store.lock(TOKEN, 1):
                with pytest.raises(LockBusy):
                    hold(second, TOKEN, 0.2)
                with pytest.raises(LockBusy):
                    in_thread(lambda: hold(another(), TOKEN, 0.2))

        in_thread(lambda: enter_twice(store))
        in_thread(lambda: enter_twice(another()))
        in_thread(lambda: hold(another(), TOKEN, 1))

    def test_a_lock_is_held_from_its_entry_on(self, store: SecretStore, another: Open) -> None:
        """Calling `lock` holds nothing; entering the context that it returns does."""
        unused = store.lock(TOKEN, 1)
        in_thread(lambda: hold(another(), TOKEN, 1))
        del unused

    @pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
    def test_a_failure_releases_the_lock(self, store: SecretStore, another: Open, error: type[BaseException]) -> None:
        """An exception under the lock passes through, and releases it."""
        with pytest.raises(error), store.lock(TOKEN, 1):
            raise error
        in_thread(lambda: hold(another(), TOKEN, 1))

    def test_two_names_do_not_wait_for_each_other(self, store: SecretStore, another: Open) -> None:
        """Both can be held at once, by one thread or by two, and each holder saves under its own name."""

        def hold_both() -> None:
            with store.lock(TOKEN, 1) as token, store.lock(APP, 1) as app:
                token.save("of the token")
                app.save("of the app")
                in_thread(lambda: hold(another(), OTHER, 1), seconds=10)

        in_thread(hold_both)
        assert store.names() == [APP, TOKEN]
        assert (store.load(TOKEN), store.load(APP)) == ("of the token", "of the app")

    def test_a_reader_waits_for_nobody(self, store: SecretStore, another: Open) -> None:
        """A lock keeps out other holders only: every object can still read."""
        save(store, TOKEN, "text")
        with store.lock(TOKEN, 1):
            for reader in (store, another()):
                assert in_thread(partial(reader.load, TOKEN)) == "text"
                assert in_thread(reader.names) == [TOKEN]
                assert in_thread(partial(reader.stamp, TOKEN)) is not None

    def test_notes_outlive_their_holder(self, store: SecretStore, another: Open) -> None:
        """The next holder recalls the latest note, to the letter; None removes it, and can be repeated."""
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

    def test_notes_are_not_records(self, store: SecretStore, another: Open) -> None:
        """A note is neither listed nor loaded, belongs to one name, and survives save and clear."""
        with store.lock(TOKEN, 1) as held, store.lock(OTHER, 1) as other:
            held.notes.note("of the token")
            assert other.notes.recall() is None
            other.notes.note("of the other")
            assert (store.names(), store.load(TOKEN)) == ([], None)
            held.save("text")
            held.clear()
        with another().lock(TOKEN, 1) as held:
            assert held.notes.recall() == "of the token"
