"""Mutations of what makes a renewal safe if its lock can be lost, each of which the simulation must notice."""

from __future__ import annotations

from tests.simulation.mutations import Mutation

SERVER_MUTATIONS = (
    Mutation(
        name="hands out the new token although the lock was lost before the save",
        promise="a token is returned that is not stored",
        renewal=(("        raise lost from error\n", "        return\n"),),
    ),
    Mutation(
        name="goes on with the token before although its successor may be lost",
        promise="a token is returned although nobody knows whether the next one is stored",
        renewal=(("        if isinstance(error, LockLost) and error.renewed:", "        if False:"),),
    ),
    Mutation(
        name="takes a lost lock for a broken store",
        promise="a lost lock is told as a failure that stays",
        renewal=(("    except LockLost as error:  #", "    except ZeroDivisionError as error:  #"),),
    ),
    Mutation(
        name="does not tell the deadline when the lock was lost",
        promise="no deadline is told",
        renewal=(("if you ask for a token again{until}; if", "if you ask for a token again; if"),),
    ),
    Mutation(
        name="fails when the lock was lost although the token still lives",
        promise="it fails although the stored token still lives: LockLost",
        renewal=(("(ProviderUnavailable, LockBusy, LockLost)", "(ProviderUnavailable, LockBusy)"),),
    ),
    Mutation(
        name="fails during an outage of both although the token that it has read still lives",
        promise="it fails although the stored token still lives",
        renewal=(
            ("        with suppress(LockLost):  #", "        stored = None\n        with suppress(LockLost):  #"),
        ),
    ),
    Mutation(
        name="forgets that a request may be on its way without the lock",
        promise="a refresh token arrives again after",
        renewal=(("LATEST_ARRIVAL_SECONDS if lock_can_be_lost(store) else 0.0", "1.0"),),
    ),
    Mutation(
        name="waits no longer than the guard of an attempt that ended",
        promise="a refresh token arrives again after",
        journal=(("longest = REPEAT_GUARD_SECONDS + self.late_seconds", "longest = REPEAT_GUARD_SECONDS"),),
    ),
    Mutation(
        name="sends a request long after it was noted",
        promise="a refresh token",
        renewal=(("if journal.late_seconds and took > LONGEST_NOTE_SECONDS:", "if False:"),),
    ),
    Mutation(
        name="sends although it cannot note that",
        promise="a refresh token",
        renewal=(("    journal.begin(sent_at)\n", "    with suppress(LockLost):\n        journal.begin(sent_at)\n"),),
    ),
    Mutation(
        name="uses the machine's own clock",
        promise="a token is renewed that was good enough",
        renewal=(("    effects = effects.by_clock_of(store)\n", ""),),
    ),
)
