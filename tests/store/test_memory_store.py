"""What only memory could get wrong: other threads see each of its steps."""

from __future__ import annotations

from collections.abc import Hashable

from tests.support.stores import clear_record, save_record
from withings_auth.store.memory_store import MemoryStore

TOKEN = "token/default"


def test_a_stamp_that_was_seen_beside_a_record_changes_when_the_record_goes() -> None:
    """Statement 34: a reader during a removal never gets the record with the stamp of an empty place."""
    seen: list[tuple[Hashable, str | None]] = []

    class Looking(dict[str, str]):
        """Reads as another thread might, just before the record goes."""

        def pop(self, name: str, *default: object) -> object:  # type: ignore[override]  # dict has overloads
            seen.append((store.stamp(TOKEN), store.load(TOKEN)))
            return super().pop(name, *default)

    store = MemoryStore()
    store._records = Looking()  # there is no other way to get between the steps
    save_record(store, TOKEN, "text")
    assert clear_record(store, TOKEN)
    assert [text for _, text in seen] == ["text"]
    assert store.stamp(TOKEN) != seen[0][0]
