"""The transaction, broken on purpose: its own source with one rule taken out, to see that the simulation notices."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tests.simulation.play import Renew
from withings_auth.tokens import journal, renewal


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Texts of `renewal.py` or `journal.py` and what stands there instead; `promise` is a part of what is broken."""

    name: str
    promise: str
    renewal: tuple[tuple[str, str], ...] = ()
    journal: tuple[tuple[str, str], ...] = ()


BREAKS = (
    Break(
        name="hands the token out where the save failed",
        promise="a token is handed out that is not stored",
        renewal=(("        raise StoreNotDurable(", "        return\n        raise StoreNotDurable("),),
    ),
    Break(
        name="does not read again under the lock",
        promise="a refresh token is sent that is not the stored one",
        renewal=(
            (
                "        with ExitStack() as stack:",
                "        before = load_grant(store, profile)\n        with ExitStack() as stack:",
            ),
            (
                "_renew_under_lock(store, held, profile, requirement,",
                "_renew_under_lock(before, store, held, profile, requirement,",
            ),
            ("def _renew_under_lock(\n", "def _renew_under_lock(\n    grant: Grant,\n"),
            ("    grant = load_grant(store, profile)\n    if requirement.met_by", "    if requirement.met_by"),
        ),
    ),
    Break(
        name="renews although somebody else has just done so",
        promise="a token is renewed that would have done",
        renewal=(
            (
                "    if requirement.met_by(grant, effects.now()):\n        log",
                "    if False:\n        log",
            ),
        ),
    ),
    Break(
        name="lets the lock go before it asks",
        promise="two refreshes are in flight",
        renewal=(("            for _ in range(2):\n", "            stack.close()\n            for _ in range(2):\n"),),
    ),
    Break(
        name="waits for the lock as long as it takes",
        promise="waits for the lock without end",
        renewal=(("if effects.steady() >= give_up_at:", "if False:"),),
    ),
    Break(
        name="repeats a lost answer without waiting",
        promise="a refresh token is sent again after",
        renewal=(("    effects.wait(guard_seconds)\n", ""),),
    ),
    Break(
        name="keeps the old refresh token",
        promise="replaced by something else than its successor",
        renewal=(
            (
                "return grant_from_reply(reply,",
                "return grant_from_reply(__import__('dataclasses').replace(reply, refresh_token=None),",
            ),
        ),
    ),
    Break(
        name="counts the life from when the answer came",
        promise="seconds too long",
        renewal=(("_successor(grant, profile, result, sent_at)", "_successor(grant, profile, result, effects.now())"),),
    ),
    Break(
        name="clears the record when Withings refuses",
        promise="a renewal removes the login",
        renewal=(
            (
                "found = load_grant(store, profile)",
                "held.clear(); found = load_grant(store, profile)",
            ),
        ),
    ),
    Break(
        name="takes an outage for the end of the login",
        promise="somebody is told to log in though the login lives",
        renewal=(("error = refresh_error(result,", 'error = LoginRequired("over") or refresh_error(result,'),),
    ),
    Break(
        name="hands out the refused token when Withings cannot be reached",
        promise="the token is handed out that was reported as refused",
        renewal=(
            (
                "        if requirement.tolerates(grant, effects.now()):\n            log",
                "        if grant.seconds_left(effects.now()) > 0:\n            log",
            ),
        ),
    ),
    Break(
        name="hands out a dead token when Withings cannot be reached",
        promise="a token is handed out that has no life",
        renewal=(
            (
                "        if requirement.tolerates(grant, effects.now()):\n            log",
                "        if grant.access_token != requirement.rejected:\n            log",
            ),
        ),
    ),
    Break(
        name="renews a token again that is not a minute old",
        promise="a token is renewed that is not a minute old",
        renewal=(("    _refuse_futile_renewal(grant, requirement, effects.now())\n", ""),),
    ),
    Break(
        name="hands out a pair that came a second time, dead by now",
        promise="a token is handed out that has no life",
        renewal=(("                if requirement.tolerates(grant, effects.now()):\n", "                if True:\n"),),
    ),
    Break(
        name="is content with any life",
        promise="does not live as long as was asked",
        renewal=(
            (
                "    if requirement.met_by(grant,",
                "    if Requirement(min_valid=0, rejected=requirement.rejected).met_by(grant,",
            ),
        ),
    ),
    Break(
        name="gives up at the first lost answer",
        promise="nothing went wrong that cannot be mended",
        renewal=(("case AnswerLost() if not lost:", "case AnswerLost() if False:"),),
    ),
    Break(
        name="repeats lost answers without end",
        promise="sends the same refresh token again and again",
        renewal=(("case AnswerLost() if not lost:", "case AnswerLost():"),),
    ),
    Break(
        name="does not wait out a 601",
        promise="nothing went wrong that cannot be mended",
        renewal=(("not refused and", "False and"),),
    ),
    Break(
        name="tells a deadline that comes too late",
        promise="comes after",
        renewal=(("deadline=journal.deadline)", "deadline=journal.deadline and journal.deadline + 3600)"),),
    ),
    Break(
        name="does not tell the deadline",
        promise="no deadline is told",
        renewal=(("deadline=journal.deadline)", "deadline=None)"),),
    ),
    Break(
        name="gives up after the first lost answer and forgets it",
        promise="no deadline is noted",
        renewal=(
            ("journal.end(result, effects.now())", "journal.end(result, effects.now()); journal._notes.note(None)"),
        ),
    ),
    Break(
        name="notes nothing",
        promise="no deadline is noted",
        journal=(("        self._notes.note(json.dumps(entry))\n", "        json.dumps(entry)\n"),),
    ),
    Break(
        name="counts the eight hours from the latest attempt",
        promise="too late",
        journal=(("now if unknown_since is None else min(now, unknown_since)", "now"),),
    ),
    Break(
        name="takes a lost answer for one that was never sent",
        promise="no deadline",
        journal=(
            (
                "            case NotSent():\n",
                "            case found if not isinstance(found, TokenReply | Failure):\n",
            ),
        ),
    ),
    Break(
        name="counts the guard from when the request left",
        promise="a refresh token is sent again after 5 seconds",
        journal=(("last_at=now, unknown_since=self._entry", "last_at=self._entry.last_at, unknown_since=self._entry"),),
    ),
    Break(
        name="waits for a clock that was set back",
        promise="waits for",
        journal=(
            (
                "min(REPEAT_GUARD_SECONDS, max(0.0, self._entry.last_at + REPEAT_GUARD_SECONDS - now))",
                "max(0.0, self._entry.last_at + REPEAT_GUARD_SECONDS - now)",
            ),
        ),
    ),
)


def broken(one: Break) -> Renew:
    """Returns the `renew` of a transaction that lacks the rule."""
    notes = _changed(journal, one.journal, "journal_broken_on_purpose")
    sent_there = (f"from {journal.__name__} import", f"from {notes.__name__} import")
    renew: Renew = _changed(renewal, (*one.renewal, sent_there), "renewal_broken_on_purpose").renew
    return renew


def _changed(module: ModuleType, changes: tuple[tuple[str, str], ...], name: str) -> ModuleType:
    assert module.__file__ is not None
    source = Path(module.__file__).read_text("utf-8")
    for text, instead in changes:
        assert source.count(text) == 1, f"{module.__name__} does not say just once: {text}"
        source = source.replace(text, instead)
    changed = ModuleType(name)
    sys.modules[name] = changed  # the dataclasses in it look there for what their annotations name
    exec(compile(source, module.__file__, "exec"), changed.__dict__)  # noqa: S102  our own source
    return changed
