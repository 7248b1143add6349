"""What is noted of refreshes that were sent, beside the lock: when, and since when an outcome is unknown.

The notes let another process keep the guard that this one would have kept, and let a person know how long a login
whose answer was lost can still be saved. They hold no secret: the refresh token is known by a short digest.
"""

from __future__ import annotations

import hashlib
import json

from withings_auth.model import Grant
from withings_auth.protocol import AnswerLost, Failure, FailureKind, NotSent, TokenReply
from withings_auth.store.base import Notes

REPEAT_GUARD_SECONDS = 11.0  # Withings refuses a repetition within ten; one more for the way there
SAFETY_NET_SECONDS = 8 * 3600

_NOTHING_HAPPENED = {
    FailureKind.TOO_MANY_REQUESTS,
    FailureKind.REFRESH_TOKEN_REFUSED,
    FailureKind.CODE_REFUSED,
    FailureKind.APP_REFUSED,
    FailureKind.REDIRECT_URI_REFUSED,
    FailureKind.REFUSED,
}


class Attempts:
    """The attempts with one refresh token, as far as the notes tell; notes on another one count as none."""

    def __init__(self, notes: Notes, grant: Grant) -> None:
        self._notes = notes
        self._digest = hashlib.sha256(grant.refresh_token.encode()).hexdigest()[:16]
        self._last_at, self._unknown_since = self._recalled(notes.recall())
        self._before = self._last_at, self._unknown_since

    @property
    def deadline(self) -> float | None:
        """Until when a refresh of unknown outcome can be repeated, in Unix seconds; None where none is unknown."""
        return None if self._unknown_since is None else self._unknown_since + SAFETY_NET_SECONDS

    def seconds_to_wait(self, now: float) -> float:
        """How long this refresh token must not be sent yet; the whole guard where the clock was set back."""
        if self._last_at is None:
            return 0.0
        return min(REPEAT_GUARD_SECONDS, max(0.0, self._last_at + REPEAT_GUARD_SECONDS - now))

    def begin(self, now: float) -> None:
        """Notes that the refresh token is about to be sent. Raises `StoreUnavailable` before anything was sent."""
        self._before = self._last_at, self._unknown_since
        self._last_at = now
        self._unknown_since = now if self._unknown_since is None else self._unknown_since
        self._write()

    def end(self, result: TokenReply | Failure | NotSent | AnswerLost) -> None:
        """Notes what came of it. After a reply nothing more is to be noted: its successor has notes of its own."""
        last_before, unknown_before = self._before
        match result:
            case NotSent():
                self._last_at, self._unknown_since = last_before, unknown_before
            case Failure(kind=kind) if kind in _NOTHING_HAPPENED:
                self._unknown_since = unknown_before
            case _:
                return
        self._write()

    def _write(self) -> None:
        noted = {"refresh_token_digest": self._digest, "last_at": self._last_at, "unknown_since": self._unknown_since}
        self._notes.note(json.dumps(noted))

    def _recalled(self, text: str | None) -> tuple[float | None, float | None]:
        try:
            noted = json.loads(text or "{}")
            if noted.get("refresh_token_digest") != self._digest:
                return None, None
            return _moment(noted["last_at"]), _moment(noted["unknown_since"])
        except (ValueError, TypeError, AttributeError, KeyError):
            return None, None


def _moment(value: float | None) -> float | None:
    return None if value is None else float(value)
