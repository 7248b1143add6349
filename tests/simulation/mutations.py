"""Mutations of the transaction: its source with one rule removed, each of which the simulation must notice."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tests.simulation.engine import Renew
from withings_auth.tokens import journal, renewal


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """Replacements in the source of `renewal.py` and `journal.py`; `promise` is a part of the broken promise."""

    name: str
    promise: str
    renewal: tuple[tuple[str, str], ...] = ()
    journal: tuple[tuple[str, str], ...] = ()


MUTATIONS = (
    Mutation(
        name="returns the token although the save failed",
        promise="a token is returned that is not stored",
        renewal=(("        raise StoreNotDurable(", "        return\n        raise StoreNotDurable("),),
    ),
    Mutation(
        name="does not read again under the lock",
        promise="a refresh token is sent that is not the stored one",
        renewal=(
            (
                "        with ExitStack() as stack:",
                "        before = load_grant(store, profile)\n        with ExitStack() as stack:",
            ),
            ("                stored = load_grant(store, profile)\n", "                stored = before\n"),
        ),
    ),
    Mutation(
        name="renews although another process has just done so",
        promise="a token is renewed that was good enough",
        renewal=(
            (
                "    if requirement.met_by(grant, effects.now()):\n        log",
                "    if False:\n        log",
            ),
        ),
    ),
    Mutation(
        name="releases the lock before it asks",
        promise="two refreshes are in flight",
        renewal=(("            for _ in range(2):\n", "            stack.close()\n            for _ in range(2):\n"),),
    ),
    Mutation(
        name="waits for the lock as long as it takes",
        promise="waits for the lock without end",
        renewal=(("if effects.steady() >= give_up_at:", "if False:"),),
    ),
    Mutation(
        name="waits for the lock although another process has saved",
        promise="waits for the lock although the token that it needs is saved",
        renewal=(("            if (seen is None or seen != before) and (saved", "            if False and (saved"),),
    ),
    Mutation(
        name="repeats a lost answer without waiting",
        promise="a refresh token is sent again after",
        renewal=(("    effects.wait(guard_seconds)\n", ""),),
    ),
    Mutation(
        name="keeps the old refresh token",
        promise="replaced with something else than its successor",
        renewal=(
            (
                "return grant_from_reply(reply,",
                "return grant_from_reply(__import__('dataclasses').replace(reply, refresh_token=None),",
            ),
        ),
    ),
    Mutation(
        name="counts the life from when the answer arrived",
        promise="seconds too long",
        renewal=(("_successor(grant, profile, result, sent_at)", "_successor(grant, profile, result, effects.now())"),),
    ),
    Mutation(
        name="clears the record when Withings refuses",
        promise="a renewal removes the login",
        renewal=(
            (
                "found = load_grant(store, profile)",
                "held.clear(); found = load_grant(store, profile)",
            ),
        ),
    ),
    Mutation(
        name="takes an outage for the end of the login",
        promise="the user is told to log in although the login is alive",
        renewal=(("error = refresh_error(result,", 'error = LoginRequired("over") or refresh_error(result,'),),
    ),
    Mutation(
        name="returns the refused token when Withings cannot be reached",
        promise="the refused token is returned",
        renewal=(
            (
                "if stored is not None and requirement.tolerates(stored, effects.now()):",
                "if stored is not None and stored.seconds_left(effects.now()) > 0:",
            ),
        ),
    ),
    Mutation(
        name="returns an expired token when Withings cannot be reached",
        promise="an expired token is returned",
        renewal=(
            (
                "if stored is not None and requirement.tolerates(stored, effects.now()):",
                "if stored is not None and stored.access_token != requirement.rejected:",
            ),
        ),
    ),
    Mutation(
        name="fails during an outage although the token still lives",
        promise="it fails although the stored token still lives: ProviderUnavailable",
        renewal=(("    except (ProviderUnavailable, LockBusy", "    except (LockBusy"),),
    ),
    Mutation(
        name="fails when the lock is busy although the token still lives",
        promise="it fails although the stored token still lives: LockBusy",
        renewal=(("(ProviderUnavailable, LockBusy, LockLost)", "(ProviderUnavailable, LockLost)"),),
    ),
    Mutation(
        name="does not look whether a program without the lock has saved a newer login",
        promise="another program has saved a newer login",
        renewal=(("load_grant(store, profile) if isinstance(error, LoginRequired) else grant", "grant"),),
    ),
    Mutation(
        name="takes the tokens of another user",
        promise="a renewal changes whose login it is",
        renewal=(("    if reply.userid not in {None, grant.userid}:\n", "    if False:\n"),),
    ),
    Mutation(
        name="waits after a 601 only as long as its own guard",
        promise="before the wait is over that a 601 asked for",
        renewal=(("effects.wait(seconds or 0)", "effects.wait(0)"),),
    ),
    Mutation(
        name="takes the notes of another pair for its own",
        promise="too early",
        journal=(('if entry["digest"] != digest:', "if False:"),),
    ),
    Mutation(
        name="renews again and again because new tokens are rejected too",
        promise="a token that replaced a rejected one is renewed within a minute",
        renewal=(("    if journal.after_rejection:\n", "    if False:\n"),),
    ),
    Mutation(
        name="does not renew a young token that was rejected",
        promise="it fails although it could recover",
        renewal=(("    if journal.after_rejection:\n", "    if True:\n"),),
    ),
    Mutation(
        name="forgets that a token replaced a rejected one",
        promise="nothing notes that a token replaced a rejected one",
        renewal=(("        journal.replace_rejected(successor)\n", "        pass\n"),),
    ),
    Mutation(
        name="sends a refused refresh token again",
        promise="a refresh token is sent that was definitely refused before",
        renewal=(("    if not requirement.ask_anew:\n        refuse_ended(", "    if False:\n        refuse_ended("),),
    ),
    Mutation(
        name="forgets a refusal",
        promise="a refresh token is sent that was definitely refused before",
        journal=(("if kind.refuses_for_good:", "if False:"),),
    ),
    Mutation(
        name="returns a pair that came a second time and has expired",
        promise="an expired token is returned",
        renewal=(("                if requirement.tolerates(grant, effects.now()):\n", "                if True:\n"),),
    ),
    Mutation(
        name="ignores how long the token must live",
        promise="does not live as long as was asked",
        renewal=(
            (
                "\n    if requirement.met_by(grant,",
                "\n    if Requirement(min_valid=0, rejected=requirement.rejected).met_by(grant,",
            ),
        ),
    ),
    Mutation(
        name="gives up at the first lost answer",
        promise="it fails although it could recover",
        renewal=(("case AnswerLost() if not lost:", "case AnswerLost() if False:"),),
    ),
    Mutation(
        name="repeats lost answers without end",
        promise="sends the same refresh token again and again",
        renewal=(("case AnswerLost() if not lost:", "case AnswerLost():"),),
    ),
    Mutation(
        name="does not wait out a 601",
        promise="it fails although it could recover",
        renewal=(("not refused and", "False and"),),
    ),
    Mutation(
        name="tells a deadline that is too late",
        promise="is later than",
        renewal=(("deadline=journal.deadline)", "deadline=journal.deadline and journal.deadline + 3600)"),),
    ),
    Mutation(
        name="does not tell the deadline",
        promise="no deadline is told",
        renewal=(("deadline=journal.deadline)", "deadline=None)"),),
    ),
    Mutation(
        name="gives up after the first lost answer and forgets it",
        promise="no deadline is noted",
        renewal=(
            ("journal.end(result, effects.now())", "journal.end(result, effects.now()); journal._notes.note(None)"),
        ),
    ),
    Mutation(
        name="notes nothing",
        promise="no deadline is noted",
        journal=(("        self._notes.note(json.dumps({", "        str(({"),),
    ),
    Mutation(
        name="counts the eight hours from the latest attempt",
        promise="too late",
        journal=(("now if unknown_since is None else min(now, unknown_since)", "now"),),
    ),
    Mutation(
        name="takes a lost answer for one that was never sent",
        promise="no deadline",
        journal=(
            (
                "            case NotSent():\n",
                "            case found if not isinstance(found, TokenReply | Failure):\n",
            ),
        ),
    ),
    Mutation(
        name="counts the guard from when the request left",
        promise="a refresh token is sent again after 0 seconds",
        journal=(("replace(self._entry, last_at=now)\n        with", "replace(self._entry)\n        with"),),
    ),
    Mutation(
        name="waits for a clock that was set back",
        promise="waits for",
        journal=(
            (
                "min(longest, max(0.0, self._entry.last_at + REPEAT_GUARD_SECONDS - now))",
                "max(0.0, self._entry.last_at + REPEAT_GUARD_SECONDS - now)",
            ),
        ),
    ),
)


def renew_mutated(mutation: Mutation) -> Renew:
    """Returns the `renew` of the mutated transaction."""
    mutated_journal = _mutate(journal, mutation.journal, "journal_mutated")
    use_it = (f"from {journal.__name__} import", f"from {mutated_journal.__name__} import")
    renew: Renew = _mutate(renewal, (*mutation.renewal, use_it), "renewal_mutated").renew
    return renew


def _mutate(module: ModuleType, changes: tuple[tuple[str, str], ...], name: str) -> ModuleType:
    assert module.__file__ is not None
    source = Path(module.__file__).read_text("utf-8")
    for text, instead in changes:
        assert source.count(text) == 1, f"not exactly once in {module.__name__}: {text}"
        source = source.replace(text, instead)
    changed = ModuleType(name)
    sys.modules[name] = changed  # its dataclasses resolve their annotations there
    exec(compile(source, module.__file__, "exec"), changed.__dict__)  # noqa: S102  our own source
    return changed
