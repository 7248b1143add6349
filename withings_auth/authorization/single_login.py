"""One pending login per profile: a second one is told where the first one waits.

There are two locks, because the first is held while the login waits, and its note must be readable meanwhile.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from withings_auth.errors import LockBusy, LoginError, WithingsAuthError
from withings_auth.store.base import SecretStore
from withings_auth.threads import Call, start_daemon
from withings_auth.validation import printable

NOTE_PATIENCE_SECONDS = 5.0


@contextmanager
def reserve_login(store: SecretStore, profile: str, place: str) -> Iterator[None]:
    """Reserves the profile for one pending login; `place` is where the user finds it.

    Raises `LoginError` if another one is pending, naming its place, and `StoreError`. Blocks for a moment.
    """
    entered, over = threading.Event(), threading.Event()

    def hold() -> None:
        # In a thread of its own, since a store may tie a lock to its thread, and a login shares its loop's.
        with store.lock(f"login/{profile}", 0):
            _note_place(store, profile, f"process {os.getpid()}, {place}")
            entered.set()
            over.wait()
            _note_place(store, profile, "")

    call = Call(hold)
    call.when_done = entered.set
    start_daemon(call, "withings-auth login")
    entered.wait()
    if call.finished(0):
        try:
            call.result()
        except LockBusy:
            other = _note_place(store, profile)
            raise LoginError(
                f"a login for profile {profile} is already pending" + (f" ({printable(other)})" if other else ""),
                hint="finish it in the browser, or stop it with Ctrl-C, then try again",
            ) from None
    try:
        yield
    finally:
        over.set()
        call.finished()


def _note_place(store: SecretStore, profile: str, text: str | None = None) -> str | None:
    """Writes where the pending login is (empty: removes it) or, with None, only reads it. Returns what is there."""
    try:
        with store.lock(f"pending/{profile}", NOTE_PATIENCE_SECONDS) as held:
            if text is not None:
                held.notes.note(text or None)
            return held.notes.recall()
    except WithingsAuthError:
        return None  # it only improves a message
