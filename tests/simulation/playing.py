"""Plays from a seed to what was found, and what was found as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.simulation.play import Play, Renew
from tests.simulation.schedule import Schedule, drawn
from withings_auth.tokens.renewal import renew

AGAIN = ".venv/bin/python -m tests.simulation.run --replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A promise that a play did not keep (None: all were kept), and what happened until then."""

    schedule: Schedule
    promise: str | None
    trace: tuple[str, ...]

    def written(self) -> str:
        """Returns all that a person needs to understand it, and the command that shows it again."""
        end = "all promises were kept" if self.promise is None else f"BROKEN: {self.promise}"
        return "\n".join([self.schedule.written(), *self.trace, end, f"again: {AGAIN} {self.schedule.seed}"])


def play_all(seeds: range, tally: Counter[str], *, renew: Renew = renew) -> Iterator[Found]:
    """Plays the schedules of the seeds and yields what was found; `tally` counts what happened."""
    for seed in seeds:
        tally["schedules"] += 1
        schedule = drawn(seed)
        promise = Play(schedule, tally, renew).broken()
        if promise is not None:
            found = replay(schedule, renew=renew)
            assert found.promise == promise, f"schedule {seed} did not go the same way twice"
            yield found


def replay(schedule: Schedule, *, renew: Renew = renew) -> Found:
    """Plays the schedule and writes down what happens."""
    trace: list[str] = []
    promise = Play(schedule, Counter(), renew, trace).broken()
    return Found(schedule=schedule, promise=promise, trace=tuple(trace))
