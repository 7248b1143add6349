"""What every place for secrets promises: inherit, say how the place is opened, and each promise becomes a test."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.store.elsewhere import Elsewhere, RefusedElsewhere
from withings_auth.errors import RenewalBusy
from withings_auth.store.base import SecretStore

TOKEN = "token/default"
OTHER = "token/of.some-body_2"
APP = "app/0123456789abcdef"


class StorePromises:
    """The promises of `SecretStore` within one process.

    A subclass overrides the fixture `reopen`, which gives a function that opens the same, at first empty, place with
    another object each time (or the same one, where the object is the place).
    """

    @pytest.fixture
    def reopen(self) -> Callable[[], SecretStore]:
        raise NotImplementedError

    @pytest.fixture
    def store(self, reopen: Callable[[], SecretStore]) -> SecretStore:
        return reopen()

    def test_an_empty_place_holds_nothing(self, store: SecretStore) -> None:
        """None is said only of what certainly is not there; clearing it is no error."""
        assert store.load(TOKEN) is None
        assert store.names() == []
        assert store.clear(TOKEN) is False

    def test_what_was_saved_is_loaded_by_every_object(
        self, store: SecretStore, reopen: Callable[[], SecretStore]
    ) -> None:
        """A saved text is there for every object over the same place."""
        store.save(TOKEN, '{"a":1}')
        assert store.load(TOKEN) == reopen().load(TOKEN) == '{"a":1}'

    @pytest.mark.parametrize("text", ["x", "{}", 'ä"\\\n€ 🔑', "{" + "a1" * 600 + "}"], ids=len)
    def test_a_text_is_kept_to_the_letter(self, store: SecretStore, text: str) -> None:
        """The text that is loaded is the text that was saved."""
        store.save(TOKEN, text)
        assert store.load(TOKEN) == text

    def test_a_save_replaces_the_earlier_text_whole(self, store: SecretStore) -> None:
        """Nothing is left of a longer text under a shorter one."""
        store.save(TOKEN, "long " * 100)
        store.save(TOKEN, "short")
        assert store.load(TOKEN) == "short"

    def test_clear_removes_and_says_so(self, store: SecretStore, reopen: Callable[[], SecretStore]) -> None:
        """After a clear nobody finds the text, and only the first clear says that there was one."""
        store.save(TOKEN, "text")
        assert reopen().clear(TOKEN) is True
        assert store.load(TOKEN) is None
        assert store.clear(TOKEN) is False

    def test_names_do_not_touch_each_other(self, store: SecretStore, reopen: Callable[[], SecretStore]) -> None:
        """Every name has a text of its own, and `names` lists them sorted."""
        names = sorted([OTHER, TOKEN, APP, "token/a", "token/a.b", "token/a.json", "token/next"])
        for name in names:
            store.save(name, f"text of {name}")
        assert [store.load(name) for name in names] == [f"text of {name}" for name in names]
        assert reopen().names() == names
        store.clear("token/a")
        assert store.names() == [name for name in names if name != "token/a"]

    def test_the_stamp_stays_while_nothing_changes(self, store: SecretStore, reopen: Callable[[], SecretStore]) -> None:
        """Loading, locking and noting are no changes, and neither is a save under another name."""
        store.save(TOKEN, "text")
        stamp = store.stamp(TOKEN)
        store.load(TOKEN)
        with reopen().lock(TOKEN, 1) as notes:
            notes.note("a note")
        store.save(OTHER, "text")
        assert store.stamp(TOKEN) == stamp == reopen().stamp(TOKEN)

    def test_the_stamp_changes_with_every_save_and_clear(
        self, store: SecretStore, reopen: Callable[[], SecretStore]
    ) -> None:
        """No stamp ever comes back, however fast the saves follow, with an equal text too, whoever saves."""
        stamps = [store.stamp(TOKEN)]
        for turn in range(8):
            (store if turn % 2 else reopen()).save(TOKEN, "the same")
            stamps.append(store.stamp(TOKEN))
        assert len(set(stamps)) == len(stamps)
        store.clear(TOKEN)
        assert store.stamp(TOKEN) != stamps[-1]
        store.save(TOKEN, "the same")
        assert store.stamp(TOKEN) not in stamps

    def test_one_thread_at_a_time_holds_a_name(self, reopen: Callable[[], SecretStore]) -> None:
        """Statement 28: two threads are never inside the lock of one name, whichever object they ask."""
        shared = reopen()
        inside, most = 0, 0

        def hold(number: int) -> None:
            nonlocal inside, most
            with (shared if number % 2 else reopen()).lock(TOKEN, 20):
                inside += 1
                most = max(most, inside)
                time.sleep(0.005)
                inside -= 1

        with ThreadPoolExecutor(6) as threads:
            list(threads.map(hold, range(12)))
        assert most == 1

    def test_a_busy_lock_ends_the_wait(self, store: SecretStore, reopen: Callable[[], SecretStore]) -> None:
        """Statement 28: the wait for a lock is bounded, says that trying again helps, and changes nothing."""
        with store.lock(TOKEN, 1):
            began = time.monotonic()
            with ThreadPoolExecutor(1) as thread, pytest.raises(RenewalBusy) as busy:
                thread.submit(lambda: reopen().lock(TOKEN, 0.2).__enter__()).result()
            assert 0.15 < time.monotonic() - began < 2
            assert busy.value.temporary
            assert busy.value.exit_code == 4
        with reopen().lock(TOKEN, 0.2):
            pass

    def test_a_lock_is_let_go_when_its_work_fails(self, store: SecretStore) -> None:
        """An exception under the lock frees it."""
        with pytest.raises(ZeroDivisionError), store.lock(TOKEN, 1):
            raise ZeroDivisionError
        with store.lock(TOKEN, 0.2):
            pass

    def test_two_names_do_not_wait_for_each_other(self, store: SecretStore, reopen: Callable[[], SecretStore]) -> None:
        """Somebody's renewal does not hold up somebody else's, within one thread and from another."""
        with store.lock(TOKEN, 1), store.lock(APP, 0.2):
            store.save(TOKEN, "text")
            store.save(APP, "text")
            entered = threading.Event()

            def enter() -> None:
                with reopen().lock(OTHER, 0.5):
                    entered.set()

            threading.Thread(target=enter).start()
            assert entered.wait(5)
        assert store.names() == [APP, TOKEN]

    def test_notes_outlive_their_holder(self, store: SecretStore, reopen: Callable[[], SecretStore]) -> None:
        """The next holder reads what was noted last; a name's notes are its own; None takes them away."""
        with store.lock(TOKEN, 1) as notes:
            assert notes.recall() is None
            notes.note("first")
            notes.note("second")
            assert notes.recall() == "second"
        with reopen().lock(TOKEN, 1) as notes, store.lock(OTHER, 1) as others:
            assert notes.recall() == "second"
            assert others.recall() is None
            notes.note(None)
            assert notes.recall() is None
            notes.note(None)

    def test_notes_are_no_records(self, store: SecretStore) -> None:
        """A slip beside a lock shows in no list of names and survives save and clear."""
        with store.lock(TOKEN, 1) as notes:
            notes.note("a note")
            assert store.names() == []
            store.save(TOKEN, "text")
            store.clear(TOKEN)
            assert notes.recall() == "a note"

    def test_the_place_has_a_name_for_a_person(self, store: SecretStore) -> None:
        """“saved in …” reads well: one line, and no secret."""
        store.save(TOKEN, "the secret text")
        assert store.description.isprintable()
        assert "the secret text" not in store.description + repr(store)


class SharedStorePromises(StorePromises):
    """The promises among processes; `elsewhere` is another process with a store over the same place."""

    @pytest.fixture
    def elsewhere(self) -> Elsewhere:
        raise NotImplementedError

    def test_another_process_sees_every_change(self, store: SecretStore, elsewhere: Elsewhere) -> None:
        """What one process saves or clears, the other sees at once, by load, names and stamp."""
        stamps = [store.stamp(TOKEN)]
        assert elsewhere("load", TOKEN) is None
        store.save(TOKEN, "ours")
        stamps.append(store.stamp(TOKEN))
        assert elsewhere("load", TOKEN) == "ours"
        assert elsewhere("names") == [TOKEN]
        elsewhere("save", TOKEN, "theirs")
        stamps.append(store.stamp(TOKEN))
        assert store.load(TOKEN) == "theirs"
        assert elsewhere("clear", TOKEN) is True
        stamps.append(store.stamp(TOKEN))
        assert store.load(TOKEN) is None
        assert all(one != next_one for one, next_one in itertools.pairwise(stamps))
        assert len(set(stamps[:3])) == 3

    def test_one_process_at_a_time_holds_a_name(self, store: SecretStore, elsewhere: Elsewhere) -> None:
        """Statement 28: while another process holds the name nobody else does; other names are free."""
        elsewhere("lock", TOKEN, 1)
        with pytest.raises(RenewalBusy), store.lock(TOKEN, 0.2):
            pass
        with store.lock(OTHER, 0.2):
            pass
        elsewhere("unlock")
        with store.lock(TOKEN, 0.2), pytest.raises(RefusedElsewhere, match="RenewalBusy"):
            elsewhere("lock", TOKEN, 0.2)

    def test_a_killed_holder_leaves_the_lock_free_and_its_notes(self, store: SecretStore, elsewhere: Elsewhere) -> None:
        """A process that is killed under the lock holds up nobody, and what it noted is still there."""
        elsewhere("lock", TOKEN, 1)
        elsewhere("save", TOKEN, "saved")
        elsewhere("note", "was at it")
        elsewhere.kill()
        with store.lock(TOKEN, 0.2) as notes:
            assert notes.recall() == "was at it"
            assert store.load(TOKEN) == "saved"
