"""What a check finds, and the one place where a check that goes wrong becomes a finding too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from withings_auth.errors import WithingsAuthError
from withings_auth.threads import StillRunning, Worker

T = TypeVar("T")

PATIENCE_SECONDS = 15.0  # longer than a look-up of a name and a request, which have limits of their own


class Verdict(StrEnum):
    """How a check came out; only `FAILED` says that something does not work."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a check has found, as this machine says it; `remedy` is what to do about it, empty where nothing is."""

    verdict: Verdict
    words: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A line of the checklist, fit to be shown to anybody."""

    name: str
    verdict: Verdict
    words: str
    remedy: str

    def fields(self) -> dict[str, str]:
        """Returns what a program may read of it."""
        return {"name": self.name, "verdict": str(self.verdict), "words": self.words, "remedy": self.remedy}


def ok(words: str) -> Found:
    """Returns what is well."""
    return Found(verdict=Verdict.OK, words=words)


def warning(words: str, remedy: str = "") -> Found:
    """Returns what works, or is not needed yet, and still deserves a look."""
    return Found(verdict=Verdict.WARNING, words=words, remedy=remedy)


def failed(words: str, remedy: str = "") -> Found:
    """Returns what does not work."""
    return Found(verdict=Verdict.FAILED, words=words, remedy=remedy)


def skipped(words: str) -> Found:
    """Returns why a check was not made."""
    return Found(verdict=Verdict.SKIPPED, words=words)


def tried(look: Callable[[], T], *, seconds: float | None = PATIENCE_SECONDS) -> T | Found:
    """Returns what `look` returns, or what its failure amounts to; it is waited for `seconds` at most.

    None is for what bounds itself, and must be where a signal arrives: it may have something to put back.
    """
    try:
        return look() if seconds is None else _in_time(look, seconds)
    except StillRunning:
        return failed(f"this could not be found out within {seconds:.0f} seconds", "see what is slow, and try again")
    except WithingsAuthError as error:
        return failed(str(error), error.hint)
    except Exception as error:  # noqa: BLE001  a checklist goes on; the text of a foreign error may hold a secret
        return failed(f"this check itself failed ({type(error).__name__})", "please report that, with all these lines")


def _in_time(look: Callable[[], T], seconds: float) -> T:
    worker = Worker("withings-auth doctor")
    try:
        return worker.do(look, seconds=seconds)
    finally:
        worker.close()
