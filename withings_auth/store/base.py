"""What a place for secrets must do, whichever it is.

A store keeps short texts under names (`token/<profile>`, `app/<client_id>`), for all programs of one person on one
machine. Anyone may write another one; the behaviour below is what the rest of the package relies on.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import AbstractContextManager
from typing import Protocol


class Notes(Protocol):
    """A slip that lies beside a lock, for whoever holds the lock. It holds no secret and outlives the holder."""

    def recall(self) -> str | None:
        """Returns what was noted last, or None."""

    def note(self, text: str | None) -> None:
        """Notes the text in place of the earlier one; None takes the slip away. Raises `StoreUnavailable`."""


class HeldName(Protocol):
    """A name that is locked: what its one holder can do with it until the lock is released."""

    @property
    def notes(self) -> Notes:
        """The notes beside the lock."""

    def save(self, text: str) -> None:
        """Saves the text, durably: once this returns, it was read back and was equal.

        Raises `StoreUnavailable` or `StoreNotDurable`.
        """

    def clear(self) -> bool:
        """Removes every copy of what the name holds; returns whether there was one. Raises `StoreError`."""


class SecretStore(Protocol):
    """Where secrets rest."""

    @property
    def description(self) -> str:
        """What a person calls this place, to stand behind “saved in”."""

    def load(self, name: str) -> str | None:
        """Returns the text saved under the name; None only if there certainly is none.

        Raises `StoreUnavailable` where that cannot be found out.
        """

    def names(self) -> list[str]:
        """Returns the names under which something is saved, sorted."""

    def lock(self, name: str, timeout: float) -> AbstractContextManager[HeldName]:
        """Holds the name for one holder among all threads and processes.

        Raises `LockBusy` after `timeout` seconds, `StoreUnavailable` where there can be no lock.
        """

    def stamp(self, name: str) -> Hashable:
        """Returns a value that differs after every save and clear by any process. Costs one `stat`."""
