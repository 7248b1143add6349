"""The journal of refreshes, kept beside the lock: when the last one was sent, and since when an outcome is unknown.

It lets every process keep the guard that another one started, and tells the user until when a login whose answer was
lost can still be saved. It holds no secret: a short digest stands for the pair of tokens.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass

from withings_auth.errors import StoreError
from withings_auth.model import Grant
from withings_auth.provider.repeat_guard import REPEAT_GUARD_SECONDS
from withings_auth.provider.replies import Failure, NotSent, TokenReply, TokenResult
from withings_auth.store.base import Notes

SAFETY_NET_SECONDS = 8 * 3600  # how long a refresh token lives on after its first use


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """When the last attempt began or ended, and when the first attempt of unknown outcome began."""

    last_at: float | None = None
    unknown_since: float | None = None


class Journal:
    """The attempts to renew one grant; an entry about any other grant counts as none."""

    def __init__(self, notes: Notes, grant: Grant) -> None:
        self._notes = notes
        self._digest = hashlib.sha256(f"{grant.access_token} {grant.refresh_token}".encode()).hexdigest()[:16]
        self._entry = self._previous = self._parse(notes.recall())

    @property
    def deadline(self) -> float | None:
        """Until when a refresh of unknown outcome can be repeated, in Unix seconds; None if no outcome is unknown."""
        since = self._entry.unknown_since
        return None if since is None else since + SAFETY_NET_SECONDS

    def seconds_to_wait(self, now: float) -> float:
        """How long this refresh token must not be sent yet; the whole guard if the clock was set back."""
        if self._entry.last_at is None:
            return 0.0
        return min(REPEAT_GUARD_SECONDS, max(0.0, self._entry.last_at + REPEAT_GUARD_SECONDS - now))

    def begin(self, now: float) -> None:
        """Writes that the refresh token is about to be sent. If this raises `StoreUnavailable`, it must not be."""
        self._previous = self._entry
        unknown_since = self._entry.unknown_since
        # A first attempt in the future was written with a clock that has been set back since.
        self._entry = _Entry(last_at=now, unknown_since=now if unknown_since is None else min(now, unknown_since))
        self._write()

    def end(self, result: TokenResult, now: float) -> None:
        """Corrects what `begin` wrote, and starts the guard again.

        The guard starts now because nobody knows when the request arrived. After tokens nothing is written: until they
        are saved, the outcome is as unknown as before; once they are, the new pair has a journal of its own.
        """
        match result:
            case TokenReply():
                return
            case NotSent():
                self._entry = self._previous
            case Failure(kind=kind) if not kind.outcome_unknown:
                self._entry = _Entry(last_at=now, unknown_since=self._previous.unknown_since)
            case _:
                self._entry = _Entry(last_at=now, unknown_since=self._entry.unknown_since)
        with suppress(StoreError):  # the old entry errs on the safe side, and the result matters more
            self._write()

    def _write(self) -> None:
        entry = {"digest": self._digest, "last_at": self._entry.last_at, "unknown_since": self._entry.unknown_since}
        self._notes.note(json.dumps(entry))

    def _parse(self, text: str | None) -> _Entry:
        try:
            entry = json.loads(text or "{}")
            if entry["digest"] != self._digest:
                return _Entry()
            return _Entry(last_at=_moment(entry["last_at"]), unknown_since=_moment(entry["unknown_since"]))
        except (ValueError, TypeError, KeyError, RecursionError):
            return _Entry()


def _moment(value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or not 0 <= value < 1 << 40:
        raise ValueError
    return float(value)
