"""What a check finds, and the one place where a check that itself fails becomes a result too."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from withings_auth.errors import WithingsAuthError
from withings_auth.threads import StillRunning, Worker

T = TypeVar("T")

CHECK_SECONDS = 15.0  # longer than looking up a host name and one request, which have limits of their own


class Verdict(StrEnum):
    """How a check came out.

    Only `FAILED` means that something does not work. `WARNING` is for what works, or is not needed yet, but deserves a
    look; `SKIPPED` for a check that was not made.
    """

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a check found; `remedy` says what to do about it, if anything. The checklist adds the check's `name`."""

    verdict: Verdict
    words: str
    remedy: str = ""
    name: str = ""

    def fields(self) -> dict[str, str]:
        return {"name": self.name, "verdict": str(self.verdict), "words": self.words, "remedy": self.remedy}


def ok(words: str) -> Result:
    return Result(verdict=Verdict.OK, words=words)


def warning(words: str, remedy: str = "") -> Result:
    return Result(verdict=Verdict.WARNING, words=words, remedy=remedy)


def failed(words: str, remedy: str = "") -> Result:
    return Result(verdict=Verdict.FAILED, words=words, remedy=remedy)


def skipped(why: str) -> Result:
    return Result(verdict=Verdict.SKIPPED, words=why)


def run_check(check: Callable[[], T], *, seconds: float | None = CHECK_SECONDS) -> T | Result:
    """Returns what `check` returns, or its failure as a result; waits up to `seconds` for it.

    With None it runs in this thread, which receives signals: for a check that ends by itself and may have to clean up.
    """
    try:
        if seconds is None:
            return check()
        with closing(Worker("withings-auth doctor")) as worker:
            return worker.do(check, seconds=seconds)
    except StillRunning:
        return failed(f"no result within {seconds:.0f} seconds", "find out what is slow, and try again")
    except WithingsAuthError as error:
        return failed(str(error), error.hint)
    except Exception as error:  # noqa: BLE001  a checklist goes on; the text of a foreign error may hold a secret
        return failed(f"the check itself failed ({type(error).__name__})", "please report this with the whole output")
