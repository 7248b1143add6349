"""What a `SecretStore` promises: each test is a promise, and its docstring says which."""

from __future__ import annotations

import threading
import time
import traceback
from contextlib import suppress
from functools import partial

import pytest

from withings_auth.errors import LockBusy, StoreError, StoreNotDurable
from withings_auth.store.base import STAMP_AGE_SECONDS, SecretStore
from withings_auth.testing.fixtures import (
    APP,
    NEW,
    OLD,
    OTHER,
    TOKEN,
    Fixtures,
    Open,
    clear,
    in_thread,
    is_free,
    latest_stamp,
    save,
)

# ruff: noqa: S101  pytest rewrites these asserts, as `__init__` asks it to

NAMES = sorted([OTHER, TOKEN, APP, "app/a", "token/a", "token/a.b", "token/a.json", "token/a-b", "token/next"])
TEXTS = ("x", "{}", ' "ä\\€ 🔑" ', "one\r\ntwo\nthree\n", "{" + "a1" * 600 + "}")
HOLDERS = 12
METHODS = ("description", "load", "names", "lock", "stamp")


class TextPromises(Fixtures):
    """What is kept, within one process."""

    def test_nothing_is_missing(self, store: SecretStore) -> None:
        """A store has every method of the protocol, and so has what its `lock` yields."""
        assert [method for method in METHODS if not hasattr(store, method)] == [], "methods that the store lacks"
        with store.lock(TOKEN, 1) as held:
            assert [m for m in ("save", "clear", "notes") if not hasattr(held, m)] == [], "what `lock` yields lacks"
            assert [m for m in ("recall", "note") if not hasattr(held.notes, m)] == [], "its `notes` lack"

    @pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
    def test_a_text_is_kept_to_the_letter(self, store: SecretStore, another: Open, text: str) -> None:
        """Every object, opened before or after a save, loads the same text: line ends, blanks and every script."""
        before = another()
        before.load(TOKEN)
        save(store, TOKEN, text)
        assert store.load(TOKEN) == before.load(TOKEN) == another().load(TOKEN) == text

    def test_a_save_replaces_the_whole_text(self, store: SecretStore, another: Open) -> None:
        """Nothing remains of a longer text under a shorter one."""
        save(store, TOKEN, "long " * 100, "short")
        assert store.load(TOKEN) == another().load(TOKEN) == "short"

    def test_a_clear_removes_and_says_so(self, store: SecretStore, another: Open) -> None:
        """Before a save and after a clear nobody finds a text; a clear reports whether there was one."""
        assert (store.load(TOKEN), store.names(), clear(store, TOKEN)) == (None, [], False)
        save(store, TOKEN, "first", "second")
        assert clear(another(), TOKEN) is True
        assert (store.load(TOKEN), another().load(TOKEN), store.names()) == (None, None, [])
        assert clear(store, TOKEN) is False

    def test_names_do_not_touch_each_other(self, store: SecretStore, another: Open) -> None:
        """Every name has its own text, however similar the names are; `names` lists those with a text, sorted."""
        texts = {name: f"text of {name}" for name in reversed(NAMES)}
        for name, text in texts.items():
            save(store, name, "earlier", text)
        assert {name: store.load(name) for name in texts} == texts
        assert store.names() == another().names() == NAMES
        clear(store, "token/a")
        store.load("token/never-saved")
        del texts["token/a"]
        assert {name: another().load(name) for name in texts} == texts
        assert store.names() == sorted(texts)

    def test_every_thread_can_use_it(self, store: SecretStore) -> None:
        """A store can be opened in one thread and used in others: a renewal runs in its own thread."""
        in_thread(lambda: save(store, TOKEN, "from a thread"))
        assert store.load(TOKEN) == in_thread(lambda: store.load(TOKEN)) == "from a thread"
        assert in_thread(store.names) == [TOKEN]
        assert in_thread(lambda: latest_stamp(store, TOKEN)) == latest_stamp(store, TOKEN)

    def test_nobody_reads_a_half_saved_text(self, store: SecretStore, another: Open) -> None:
        """A load during a save returns the old text or the new one, whole: never a part, never None."""
        save(store, TOKEN, OLD)
        loaded: set[str | None] = set()
        done = threading.Event()

        def load() -> None:
            reader, ended = another(), False
            while not ended:
                with suppress(StoreError):  # it could not be found out, which is not wrong
                    loaded.add(reader.load(TOKEN))
                ended = done.wait(0.002)

        thread = threading.Thread(target=load, daemon=True)
        thread.start()
        try:
            for _ in range(20):
                save(store, TOKEN, NEW)
                save(store, TOKEN, OLD)
        finally:
            done.set()
            thread.join(20)
        assert loaded, "nothing was loaded meanwhile"
        assert loaded <= {OLD, NEW}

    def test_the_stamp_stays_while_nothing_changes(self, store: SecretStore, another: Open) -> None:
        """Loading, locking, noting, and changing another name leave a name's stamp as it is."""
        save(store, TOKEN, "text")
        stamp = latest_stamp(store, TOKEN)
        assert stamp is not None, "a saved text has a stamp"
        store.load(TOKEN)
        store.names()
        with another().lock(TOKEN, 1) as held:
            held.notes.note("a note")
        save(store, OTHER, "text")
        clear(store, OTHER)
        assert latest_stamp(store, TOKEN) == stamp == latest_stamp(another(), TOKEN)

    def test_the_stamp_changes_with_every_save_and_clear(self, store: SecretStore, another: Open) -> None:
        """No stamp of a text comes back: not after an equal text, a clear, or a change by another object."""
        stamps = [latest_stamp(store, TOKEN)]
        for turn in range(8):
            save(store if turn % 2 else another(), TOKEN, "the same")
            stamps.append(latest_stamp(store, TOKEN))
        assert len(set(stamps)) == len(stamps)
        clear(another(), TOKEN)
        assert latest_stamp(store, TOKEN) not in stamps[1:]
        save(store, TOKEN, "the same")
        assert latest_stamp(store, TOKEN) not in stamps

    def test_the_stamp_is_not_an_old_one(self, store: SecretStore, another: Open) -> None:
        """What was just loaded has a stamp, and a save by another object changes it: at once, or if the store must ask
        another machine for stamps (it has `load_with_stamp`), in `STAMP_AGE_SECONDS`."""
        save(store, TOKEN, "text")
        stamps = [(store.load(TOKEN), store.stamp(TOKEN))[1] for _ in range(5)]  # one may be too old on a busy machine
        stamp = latest_stamp(store, TOKEN)
        assert set(stamps) - {None} == {stamp}
        save(another(), TOKEN, "text of another")
        time.sleep(STAMP_AGE_SECONDS if hasattr(store, "load_with_stamp") else 0)
        assert store.stamp(TOKEN) != stamp

    def test_the_description_reads_well(self, store: SecretStore) -> None:
        """“saved in …” needs a few words on one line; neither they nor the repr show a secret."""
        save(store, TOKEN, "the secret text")
        assert store.description.strip()
        assert store.description.isprintable()
        assert "the secret text" not in store.description + repr(store)

    def test_a_store_out_of_reach_is_an_error(self, unavailable: SecretStore) -> None:
        """A store that cannot be reached raises `StoreError`, which does not show the text that it could not save."""
        with pytest.raises(StoreError):
            unavailable.load(TOKEN)  # None would mean that nobody is logged in
        with pytest.raises(StoreError):
            clear(unavailable, TOKEN)
        with pytest.raises(StoreError) as failed:
            save(unavailable, TOKEN, text := "s3cr3t" * 6)
        assert text not in "".join(traceback.format_exception(failed.value)) + failed.value.hint + repr(failed.value)

    def test_what_is_not_kept_is_not_saved(self, forgetful: SecretStore) -> None:
        """`save` returns only after it read the text back: a store that forgets raises `StoreNotDurable`."""
        with pytest.raises(StoreNotDurable):
            save(forgetful, TOKEN, "text")


class LockPromises(Fixtures):
    """Who holds a name, among the threads of one process, and the notes beside the lock."""

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
        """From its entry to its exit a lock is held: others wait, and get `LockBusy` when their time is over."""
        unused = store.lock(TOKEN, 1)
        assert is_free(another(), TOKEN), "calling `lock` must not hold the name: entering what it returns does"
        del unused
        with store.lock(TOKEN, 1):
            for waiting in (store, another()):
                began = time.monotonic()
                assert not is_free(waiting, TOKEN, 0.3)
                assert time.monotonic() - began > 0.2
            assert not is_free(another(), TOKEN, 0)
        assert is_free(another(), TOKEN)

    def test_the_holder_cannot_enter_twice(self, store: SecretStore, another: Open) -> None:
        """The holder's own thread does not get in again, through any object: no renewal inside a renewal."""

        def enter_twice(second: SecretStore) -> None:
            with store.lock(TOKEN, 1):
                with pytest.raises(LockBusy), second.lock(TOKEN, 0.2):
                    pass
                assert not is_free(another(), TOKEN, 0.2)

        in_thread(partial(enter_twice, store))
        in_thread(partial(enter_twice, another()))
        assert is_free(another(), TOKEN)

    @pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
    def test_a_failure_releases_the_lock(self, store: SecretStore, another: Open, error: type[BaseException]) -> None:
        """An exception under the lock passes through, and releases it."""
        with pytest.raises(error), store.lock(TOKEN, 1):
            raise error
        assert is_free(another(), TOKEN)

    def test_two_names_do_not_wait_for_each_other(self, store: SecretStore, another: Open) -> None:
        """Both can be held at once, by one thread or by two, and each holder saves under its own name."""

        def hold_both() -> None:
            with store.lock(TOKEN, 1) as token, store.lock(APP, 1) as app:
                token.save("of the token")
                app.save("of the app")
                assert is_free(another(), OTHER)

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
                assert in_thread(partial(latest_stamp, reader, TOKEN)) is not None

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
