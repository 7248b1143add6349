"""Shelves that each break one promise about what they keep, by a mistake that an author might not notice.

The table at the end says which promise finds which of them.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path

from tests.testing.shelf import Book, Shelf
from withings_auth.errors import StoreError, StoreUnavailable


class UnreadableIsEmpty(Shelf):
    def load(self, name: str) -> str | None:
        try:
            return super().load(name)
        except StoreError:
            return None


class NotReadBack(Shelf):
    def save(self, name: str, text: str) -> None:
        self.change(name, text)


class SecretInTheError(Shelf):
    def save(self, name: str, text: str) -> None:
        try:
            super().save(name, text)
        except StoreError as error:
            raise StoreUnavailable(f"cannot save {text}") from error


class NoStampMethod(Shelf):
    stamp = property()  # asking for it raises AttributeError


class AlwaysCleared(Shelf):
    def clear(self, name: str) -> bool:
        super().clear(name)
        return True


class ReadOnce(Shelf):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._book = super().book()

    def book(self) -> Book:
        return self._book


class Stripped(NotReadBack):
    def change(self, name: str, text: str | None) -> None:
        super().change(name, text and text.strip())


class NotTruncated(Shelf):
    def save(self, name: str, text: str) -> None:
        super().save(name, text + (self.load(name) or "")[len(text) :])


class BackupComesBack(Shelf):
    def save(self, name: str, text: str) -> None:
        earlier = self.load(name)
        super().save(name, text)
        if earlier is not None:
            self.change(f"{name}.bak", earlier)

    def clear(self, name: str) -> bool:
        found = super().clear(name)
        if (earlier := self.load(f"{name}.bak")) is not None:
            super().save(name, earlier)
            self.change(f"{name}.bak", None)
        return found


class NamesWithoutSuffix(Shelf):
    def load(self, name: str) -> str | None:
        return super().load(name.partition(".")[0])

    def change(self, name: str, text: str | None) -> None:
        super().change(name.partition(".")[0], text)


class UnsortedNames(Shelf):
    def names(self) -> list[str]:
        return [name for name, (_, text) in self.book().items() if text is not None]


class ClearedNamesToo(Shelf):
    def names(self) -> list[str]:
        return sorted(self.book())


class OneThreadOnly(Shelf):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._thread = threading.get_ident()

    def book(self) -> Book:
        if threading.get_ident() != self._thread:
            raise StoreUnavailable("objects created in a thread can only be used in that same thread")
        return super().book()


class WrittenInPlace(Shelf):
    def write(self, text: str) -> None:
        self.path.write_text(text[:100])
        time.sleep(0.01)
        self.path.write_text(text)

    def book(self) -> Book:
        with suppress(StoreError):
            return super().book()
        return {}


class DeletedThenWritten(Shelf):
    def change(self, name: str, text: str | None) -> None:
        super().change(name, None)
        time.sleep(0.03)
        super().change(name, text)


class StampOfTheText(Shelf):
    def stamp(self, name: str) -> Hashable:
        return self.load(name)


class StampOfTheObject(Shelf):
    changes = 0

    def change(self, name: str, text: str | None) -> None:
        super().change(name, text)
        self.changes += 1

    def stamp(self, name: str) -> Hashable:
        return name, self.changes


class StampOfTheFile(Shelf):
    def stamp(self, name: str) -> Hashable:
        return name, self.path.exists() and self.path.stat().st_mtime_ns


class StampIsNone(Shelf):
    def stamp(self, name: str) -> Hashable:  # noqa: ARG002
        return None


class StampWithoutClears(Shelf):
    def clear(self, name: str) -> bool:
        number, text = self.book().get(name, (0, None))
        found = super().clear(name)
        if text is not None:
            self.write(json.dumps(self.book() | {name: (number, None)}))
        return found


class StampOfEarlier(Shelf):
    seen: Hashable = None

    def load_with_stamp(self, name: str) -> tuple[str | None, Hashable]:
        text, self.seen = self.load(name), super().stamp(name)
        return text, self.seen

    def stamp(self, name: str) -> Hashable:
        return super().stamp(name) if self.seen is None else self.seen


class StampOnlyWithAText(Shelf):
    def load_with_stamp(self, name: str) -> tuple[str | None, Hashable]:
        return self.load(name), super().stamp(name)

    def stamp(self, name: str) -> Hashable:  # noqa: ARG002
        return None


class SecretInTheRepr(Shelf):
    def __repr__(self) -> str:
        return f"Shelf({self.book()})"


FOUND_BY: dict[str, list[type[Shelf]]] = {
    "test_nothing_is_missing": [NoStampMethod],
    "test_a_text_is_kept_to_the_letter": [ReadOnce, Stripped],
    "test_a_save_replaces_the_whole_text": [NotTruncated],
    "test_a_clear_removes_and_says_so": [AlwaysCleared, BackupComesBack],
    "test_names_do_not_touch_each_other": [NamesWithoutSuffix, UnsortedNames, ClearedNamesToo],
    "test_every_thread_can_use_it": [OneThreadOnly],
    "test_nobody_reads_a_half_saved_text": [WrittenInPlace],
    "test_a_kill_leaves_a_whole_text": [DeletedThenWritten],
    "test_the_stamp_stays_while_nothing_changes": [StampOfTheFile, StampIsNone],
    "test_the_stamp_changes_with_every_save_and_clear": [StampOfTheText, StampOfTheObject, StampWithoutClears],
    "test_the_stamp_is_not_an_old_one": [StampOfEarlier, StampOnlyWithAText],
    "test_the_description_reads_well": [SecretInTheRepr],
    "test_a_store_out_of_reach_is_an_error": [UnreadableIsEmpty, SecretInTheError],
    "test_what_is_not_kept_is_not_saved": [NotReadBack],
}
