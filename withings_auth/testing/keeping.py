"""The promises about what is kept: texts, names and stamps, and the errors where a place cannot keep."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from contextlib import suppress

import pytest

from withings_auth.errors import StoreError, StoreNotDurable
from withings_auth.store.base import SecretStore
from withings_auth.testing.given import APP, OTHER, TOKEN, Given, clear, in_time, save

# ruff: noqa: S101  pytest rewrites these asserts, as `__init__` asks it to

TEXTS = ("x", "{}", ' "ä\\€ 🔑" ', "one\r\ntwo\nthree\n", "{" + "a1" * 600 + "}")
NAMES = sorted([OTHER, TOKEN, APP, "app/a", "token/a", "token/a.b", "token/a.json", "token/a-b", "token/next"])


class KeepingPromises(Given):
    """What holds within one process."""

    def test_an_empty_place_holds_nothing(self, store: SecretStore) -> None:
        """A place where nothing was saved holds None under every name; clearing that is no error."""
        assert store.load(TOKEN) is None
        assert store.names() == []
        assert clear(store, TOKEN) is False

    def test_what_was_saved_is_there_for_every_object(
        self, store: SecretStore, another: Callable[[], SecretStore]
    ) -> None:
        """A saved text is there for every object over the same place, whether it was opened before or after."""
        before = another()
        save(store, TOKEN, '{"a":1}')
        assert store.load(TOKEN) == before.load(TOKEN) == another().load(TOKEN) == '{"a":1}'

    @pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
    def test_a_text_is_kept_to_the_letter(
        self, store: SecretStore, another: Callable[[], SecretStore], text: str
    ) -> None:
        """The text that is loaded is the text that was saved: line ends, blanks and every script as they were."""
        save(store, TOKEN, text)
        assert store.load(TOKEN) == another().load(TOKEN) == text

    def test_a_save_replaces_the_earlier_text_whole(
        self, store: SecretStore, another: Callable[[], SecretStore]
    ) -> None:
        """Nothing is left of a longer text under a shorter one."""
        save(store, TOKEN, "long " * 100)
        save(store, TOKEN, "short")
        assert store.load(TOKEN) == another().load(TOKEN) == "short"

    def test_a_clear_removes_and_says_so(self, store: SecretStore, another: Callable[[], SecretStore]) -> None:
        """After a clear nobody finds the text, and only the first clear says that there was one."""
        save(store, TOKEN, "first")
        save(store, TOKEN, "second")
        assert clear(another(), TOKEN) is True
        assert store.load(TOKEN) is None
        assert another().load(TOKEN) is None
        assert store.names() == []
        assert clear(store, TOKEN) is False

    def test_names_do_not_touch_each_other(self, store: SecretStore, another: Callable[[], SecretStore]) -> None:
        """Every name has a text of its own, however alike they look."""
        for name in NAMES:
            save(store, name, f"text of {name}")
        assert [store.load(name) for name in NAMES] == [f"text of {name}" for name in NAMES]
        clear(store, "token/a")
        assert [another().load(name) for name in NAMES if name != "token/a"] == [
            f"text of {name}" for name in NAMES if name != "token/a"
        ]

    def test_names_are_listed_whole_and_sorted(self, store: SecretStore, another: Callable[[], SecretStore]) -> None:
        """`names` lists what holds a text, as it was given to `save`, sorted, and nothing else."""
        for name in reversed(NAMES):
            save(store, name, "text")
            save(store, name, "text again")
        assert store.names() == another().names() == NAMES
        clear(store, "token/a")
        store.load("token/never-saved")
        assert store.names() == [name for name in NAMES if name != "token/a"]

    def test_every_thread_may_ask(self, store: SecretStore) -> None:
        """A store may be opened in one thread and used in others: a renewal runs in a thread of its own."""
        in_time(lambda: save(store, TOKEN, "from a thread"))
        assert store.load(TOKEN) == "from a thread"
        assert in_time(lambda: store.load(TOKEN)) == "from a thread"
        assert in_time(store.names) == [TOKEN]
        assert in_time(lambda: store.stamp(TOKEN)) == store.stamp(TOKEN)

    def test_nobody_reads_a_text_that_is_being_replaced(
        self, store: SecretStore, another: Callable[[], SecretStore]
    ) -> None:
        """Who loads while another saves gets the old text or the new one, whole: never a part, never None."""
        texts = ("old " * 200, "new " * 250)
        save(store, TOKEN, texts[0])
        read: set[str | None] = set()
        done = threading.Event()

        def reading() -> None:
            reader = another()
            ended = False
            while not ended:
                with suppress(StoreError):  # it could not be found out, which is no wrong answer
                    read.add(reader.load(TOKEN))
                ended = done.wait(0.002)

        thread = threading.Thread(target=reading, daemon=True)
        thread.start()
        try:
            for turn in range(1, 41):
                save(store, TOKEN, texts[turn % 2])
        finally:
            done.set()
            thread.join(20)
        assert read, "somebody reads meanwhile"
        assert read <= set(texts)

    def test_the_stamp_stays_while_nothing_changes(
        self, store: SecretStore, another: Callable[[], SecretStore]
    ) -> None:
        """Loading, locking and noting are no changes, and neither is a save under another name."""
        save(store, TOKEN, "text")
        stamp = store.stamp(TOKEN)
        assert stamp is not None, "what is saved has a stamp"
        store.load(TOKEN)
        store.names()
        with another().lock(TOKEN, 1) as held:
            held.notes.note("a note")
        save(store, OTHER, "text")
        clear(store, OTHER)
        assert store.stamp(TOKEN) == stamp == another().stamp(TOKEN)

    def test_the_stamp_changes_with_every_save(self, store: SecretStore, another: Callable[[], SecretStore]) -> None:
        """No stamp comes back, however fast the saves follow, with an equal text too, whoever saves."""
        stamps = [store.stamp(TOKEN)]
        for turn in range(8):
            save(store if turn % 2 else another(), TOKEN, "the same")
            stamps.append(store.stamp(TOKEN))
        assert len(set(stamps)) == len(stamps)

    def test_the_stamp_changes_with_a_clear(self, store: SecretStore, another: Callable[[], SecretStore]) -> None:
        """After a clear, by whomever, the stamp is another one, and so it is after the next save of the same text."""
        save(store, TOKEN, "the same")
        first = store.stamp(TOKEN)
        clear(another(), TOKEN)
        assert store.stamp(TOKEN) != first
        save(store, TOKEN, "the same")
        assert store.stamp(TOKEN) != first

    def test_the_place_has_a_name_for_a_person(self, store: SecretStore) -> None:
        """“saved in …” reads well: a few words on one line, and no secret, which no repr shows either."""
        secret = "the secret text"  # noqa: S105  made up
        save(store, TOKEN, secret)
        assert store.description.strip()
        assert store.description.isprintable()
        assert secret not in store.description + repr(store)

    def test_what_cannot_be_found_out_is_an_error(self, unavailable: SecretStore) -> None:
        """A place that cannot be asked is a `StoreError`: None would mean that nobody is logged in."""
        with pytest.raises(StoreError):
            unavailable.load(TOKEN)
        with pytest.raises(StoreError):
            clear(unavailable, TOKEN)

    def test_what_cannot_be_saved_is_an_error_that_keeps_the_secret(self, unavailable: SecretStore) -> None:
        """A save that fails raises `StoreError`, and nothing that this shows repeats the text."""
        secret = "s3cr3t" * 6
        with pytest.raises(StoreError) as failed:
            save(unavailable, TOKEN, secret)
        shown = "".join(traceback.format_exception(failed.value)) + failed.value.hint + repr(failed.value)
        assert secret not in shown

    def test_what_is_not_kept_is_not_saved(self, forgetful: SecretStore) -> None:
        """A save returns only once the text was read back: a place that forgets raises `StoreNotDurable`."""
        with pytest.raises(StoreNotDurable):
            save(forgetful, TOKEN, "text")
