"""The journal of refreshes, kept beside the lock: when the last one was sent, and what is known of its outcome.

It lets every process keep the guard that another one started, tells the user until when a login whose answer was lost
can still be saved, and keeps a refused refresh token from being sent again and again. It holds no secret: a short
digest stands for the pair of tokens.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from withings_auth.errors import StoreError
from withings_auth.model import Grant
from withings_auth.provider.failures import login_ended_error, quote
from withings_auth.provider.repeat_guard import REPEAT_GUARD_SECONDS
from withings_auth.provider.replies import Failure, NotSent, TokenReply, TokenResult
from withings_auth.store.base import Notes
from withings_auth.tokens.requirement import REFUSAL_MARK
from withings_auth.validation import printable
from withings_auth.wording import local_time

LONGEST_WORDS = 400
SAFETY_NET_SECONDS = 8 * 3600  # how long a refresh token lives on after its first use


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """When Withings definitely refused to renew the pair (Unix seconds), and in which words."""

    at: float
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """What is known of one pair of tokens; all times are Unix seconds.

    When the last attempt ended, or else when its request arrives at the latest; when the first attempt of unknown
    outcome began, how Withings refused, and whether the pair was issued because its predecessor's access token had been
    rejected.
    """

    last_at: float | None = None
    unknown_since: float | None = None
    refusal: Refusal | None = None
    after_rejection: bool = False


class Journal:
    """The attempts to renew one grant; an entry about any other grant counts as none."""

    def __init__(self, notes: Notes, grant: Grant, *, late_seconds: float = 0.0) -> None:
        """Reads the notes. A request may arrive `late_seconds` after it began, even if others hold the lock by then."""
        self.late_seconds = late_seconds
        self._notes = notes
        self._digest = _digest(grant)
        self._entry = self._previous = _read(notes.recall(), self._digest)
        self._was_refused = self._entry.refusal is not None

    @property
    def deadline(self) -> float | None:
        """Until when a refresh of unknown outcome can be repeated, in Unix seconds; None if no outcome is unknown."""
        since = self._entry.unknown_since
        return None if since is None else since + SAFETY_NET_SECONDS

    @property
    def refusal(self) -> Refusal | None:
        """How Withings definitely refused this pair's refresh token; None if it has not."""
        return self._entry.refusal

    @property
    def newly_refused(self) -> bool:
        """Whether Withings has refused it just now, and nobody had noted a refusal before."""
        return self._entry.refusal is not None and not self._was_refused

    @property
    def after_rejection(self) -> bool:
        """Whether this pair was issued because its predecessor's access token had been rejected."""
        return self._entry.after_rejection

    def seconds_to_wait(self, now: float) -> float:
        """How long this refresh token must not be sent yet; the whole guard if the clock was set back.

        After an attempt that never ended, the guard begins when its request can no longer arrive.
        """
        if self._entry.last_at is None:
            return 0.0
        longest = REPEAT_GUARD_SECONDS + self.late_seconds
        return min(longest, max(0.0, self._entry.last_at + REPEAT_GUARD_SECONDS - now))

    def begin(self, now: float) -> None:
        """Writes that the refresh token is about to be sent. If this raises `StoreError`, it must not be."""
        self._previous = self._entry
        unknown_since = self._entry.unknown_since
        # A first attempt in the future was written with a clock that has been set back since.
        unknown_since = now if unknown_since is None else min(now, unknown_since)
        # Should Withings renew after all and its answer be lost, others must repeat that: the refusal counts no longer.
        last_at = now + self.late_seconds
        self._entry = replace(self._entry, last_at=last_at, unknown_since=unknown_since, refusal=None)
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
                self._entry = replace(self._previous, last_at=now)
                if kind.refuses_for_good:
                    self._entry = replace(self._entry, refusal=Refusal(at=now, words=quote(result)))
            case _:
                self._entry = replace(self._entry, last_at=now)
        with suppress(StoreError):  # the old entry errs on the safe side, and the result matters more
            self._write()

    def replace_rejected(self, successor: Grant) -> None:
        """Starts the journal of a pair that replaces a rejected one."""
        self._digest, self._entry = _digest(successor), _Entry(after_rejection=True)
        with suppress(StoreError):  # the pair is saved; without the note one renewal more is made
            self._write()

    def _write(self) -> None:
        self._notes.note(json.dumps({"digest": self._digest, **asdict(self._entry)}))


def refuse_ended(profile: str, note: str | None, load: Callable[[], Grant]) -> None:
    """Raises `LoginRequired` if the note says that Withings has definitely refused to renew the stored grant.

    The grant is loaded only if the note is of a refusal. Raises what `load` raises.
    """
    if note is None or REFUSAL_MARK not in note:
        return
    refusal = _read(note, _digest(load())).refusal
    if refusal is not None:
        raise login_ended_error(profile, f"refused on {local_time(refusal.at)}: {refusal.words}")


def _read(note: str | None, digest: str) -> _Entry:
    if note is None:
        return _Entry()
    try:
        entry = json.loads(note)
        if entry["digest"] != digest:
            return _Entry()
        return _Entry(
            last_at=_moment(entry["last_at"]),
            unknown_since=_moment(entry["unknown_since"]),
            refusal=_refusal(entry["refusal"]),
            after_rejection=entry["after_rejection"] is True,
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return _Entry()


def note_by_clock(note: str, ahead_seconds: float) -> str:
    """Returns the note with its times by another clock, which is this much ahead; as it is if it cannot be read."""
    try:
        entry = json.loads(note)
        for key in ("last_at", "unknown_since"):
            if entry[key] is not None:
                entry[key] += ahead_seconds
        if entry["refusal"] is not None:
            entry["refusal"]["at"] += ahead_seconds
    except (ValueError, TypeError, KeyError, RecursionError):
        return note
    return json.dumps(entry)


def _digest(grant: Grant) -> str:
    return hashlib.sha256(f"{grant.access_token} {grant.refresh_token}".encode()).hexdigest()[:16]


def _moment(value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or not 0 <= value < 1 << 40:
        raise ValueError
    return float(value)


def _refusal(value: Mapping[str, object] | None) -> Refusal | None:
    if value is None:
        return None
    at, words = _moment(value["at"]), value["words"]
    if at is None or not isinstance(words, str):
        raise ValueError
    return Refusal(at=at, words=printable(words, limit=LONGEST_WORDS))
