"""One pending login a profile at a time: the second one is told where the first one waits.

Two locks, because the first is held for as long as the login waits, and what it says must be readable meanwhile.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from withings_auth.errors import LockBusy, LoginError, WithingsAuthError
from withings_auth.store.base import SecretStore
from withings_auth.threads import Call
from withings_auth.validation import printable

SLIP_PATIENCE_SECONDS = 5.0


@contextmanager
def reserve_login(store: SecretStore, profile: str, place: str) -> Iterator[None]:
    """Holds the profile's one pending login; `place` is where a person finds it.

    Raises `LoginError` where another one is pending, naming its place, and `StoreError`. Blocks for a moment.
    """
    entered, over = threading.Event(), threading.Event()

    def hold() -> None:
        # In a thread of its own: a store may tie a lock to the thread that took it, and a login shares its loop's.
        with store.lock(f"login/{profile}", 0):
            _slip(store, profile, f"process {os.getpid()}, {place}")
            entered.set()
            over.wait()
            _slip(store, profile, "")

    call = Call(hold)
    call.when_done = entered.set
    threading.Thread(target=call, name="withings-auth login", daemon=True).start()
    entered.wait()
    if call.finished(0):
        _raise_why(call, store, profile)
    try:
        yield
    finally:
        over.set()
        call.finished()


def _raise_why(call: Call[None], store: SecretStore, profile: str) -> None:
    try:
        call.result()
    except LockBusy:
        where = _slip(store, profile)
        raise LoginError(
            f"a login for profile {profile} is pending already" + (f" ({printable(where)})" if where else ""),
            hint="finish that one in the browser, or stop it with Ctrl-C, and try again",
        ) from None


def _slip(store: SecretStore, profile: str, text: str | None = None) -> str | None:
    """Writes the slip that says where the pending login is (nothing: takes it away), or reads it."""
    try:
        with store.lock(f"pending/{profile}", SLIP_PATIENCE_SECONDS) as notes:
            if text is not None:
                notes.note(text or None)
            return notes.recall()
    except WithingsAuthError:
        return None  # it only makes a message better
