"""One look at all of a store's records: what a store that must ask another machine for each of them may offer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from withings_auth.errors import StoreError
from withings_auth.store.base import SecretStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look finds under a name: the text, or why it cannot be read, the note, and whether the lock is held."""

    text: str | StoreError = field(repr=False)
    note: str | None
    is_held: bool


def look_at(store: SecretStore, names: list[str] | None = None) -> dict[str, Look] | None:
    """Returns what one look finds under those of the names that have a text, or under all names.

    Returns None if the store has to be asked for each of them. Raises `StoreError` if it cannot be reached.
    """
    look: Callable[[list[str] | None], dict[str, Look] | None] | None = getattr(store, "look_at", None)
    return None if look is None else look(names)  # no promise of a store
