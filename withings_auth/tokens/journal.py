"""What is noted of refreshes that were sent, beside the lock: when, and since when an outcome is unknown.

The notes let another process keep the guard that this one would have kept, and let a person know how long a login
whose answer was lost can still be saved. They hold no secret: the pair is known by a short digest.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass

from withings_auth.errors import StoreError
from withings_auth.model import Grant
from withings_auth.provider.repeat_guard import REPEAT_GUARD_SECONDS
from withings_auth.provider.replies import AnswerLost, Failure, NotSent, TokenReply
from withings_auth.store.base import Notes

SAFETY_NET_SECONDS = 8 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class _Noted:
    """When the last attempt began or ended, and when the first of those whose outcome is unknown began."""

    last_at: float | None = None
    unknown_since: float | None = None


class Journal:
    """The attempts to renew one grant, as far as the notes tell; notes on another one count as none."""

    def __init__(self, notes: Notes, grant: Grant) -> None:
        self._notes = notes
        self._digest = hashlib.sha256(f"{grant.access_token} {grant.refresh_token}".encode()).hexdigest()[:16]
        self._noted = self._before = self._recalled(notes.recall())

    @property
    def deadline(self) -> float | None:
        """Until when a refresh of unknown outcome can be repeated, in Unix seconds; None where none is unknown."""
        since = self._noted.unknown_since
        return None if since is None else since + SAFETY_NET_SECONDS

    def seconds_to_wait(self, now: float) -> float:
        """How long this refresh token must not be sent yet; the whole guard where the clock was set back."""
        if self._noted.last_at is None:
            return 0.0
        return min(REPEAT_GUARD_SECONDS, max(0.0, self._noted.last_at + REPEAT_GUARD_SECONDS - now))

    def begin(self, now: float) -> None:
        """Notes that the refresh token is about to be sent. Raises `StoreUnavailable`: then it must not be."""
        self._before = self._noted
        unknown_since = self._noted.unknown_since
        # A first attempt in the future was noted by a clock that has been set back since.
        self._noted = _Noted(last_at=now, unknown_since=now if unknown_since is None else min(now, unknown_since))
        self._write()

    def end(self, result: TokenReply | Failure | NotSent | AnswerLost, now: float) -> None:
        """Takes back what `begin` noted and is not true, and lets the guard begin now.

        A request can be long on its way, so that nobody knows when it arrived. After tokens nothing is noted: until
        they are saved the outcome is as unknown as it was, and once they are, the successor has notes of its own.
        """
        match result:
            case TokenReply():
                return
            case NotSent():
                self._noted = self._before
            case Failure(kind=kind) if not kind.outcome_unknown:
                self._noted = _Noted(last_at=now, unknown_since=self._before.unknown_since)
            case _:
                self._noted = _Noted(last_at=now, unknown_since=self._noted.unknown_since)
        with suppress(StoreError):  # what stays noted is the more careful, and the result matters more
            self._write()

    def _write(self) -> None:
        noted = {"digest": self._digest, "last_at": self._noted.last_at, "unknown_since": self._noted.unknown_since}
        self._notes.note(json.dumps(noted))

    def _recalled(self, text: str | None) -> _Noted:
        try:
            noted = json.loads(text or "{}")
            if noted["digest"] != self._digest:
                return _Noted()
            return _Noted(last_at=_moment(noted["last_at"]), unknown_since=_moment(noted["unknown_since"]))
        except (ValueError, TypeError, KeyError, RecursionError):
            return _Noted()


def _moment(value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or not 0 <= value < 1 << 40:
        raise ValueError
    return float(value)
