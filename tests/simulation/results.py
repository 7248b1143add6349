"""From seeds to broken promises, and a broken promise as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.simulation.engine import Renew, Simulation
from tests.simulation.schedule import Schedule, drawn
from withings_auth.tokens.renewal import renew

AGAIN = ".venv/bin/python -m tests.simulation.run --replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The promise that a simulation broke (None if it kept all), and what happened until then."""

    schedule: Schedule
    promise: str | None
    trace: tuple[str, ...]

    def written(self) -> str:
        """Returns everything that is needed to understand it, and the command that repeats it."""
        server = "" if self.schedule.server is None else " --server"
        end = "all promises were kept" if self.promise is None else f"BROKEN: {self.promise}"
        return "\n".join([self.schedule.written(), *self.trace, end, f"again: {AGAIN} {self.schedule.seed}{server}"])


def simulate(
    seeds: range, counts: Counter[str], *, renew: Renew = renew, draw: Callable[[int], Schedule] = drawn
) -> Iterator[Result]:
    """Simulates the schedules of the seeds and yields the broken promises; `counts` counts what happened."""
    for seed in seeds:
        counts["schedules"] += 1
        schedule = draw(seed)
        promise = Simulation(schedule, counts, renew).broken()
        if promise is not None:
            found = replay(schedule, renew=renew)
            assert found.promise == promise, f"schedule {seed} had another outcome the second time"
            yield found


def replay(schedule: Schedule, *, renew: Renew = renew) -> Result:
    """Simulates the schedule and records what happens."""
    trace: list[str] = []
    promise = Simulation(schedule, Counter(), renew, trace).broken()
    return Result(schedule=schedule, promise=promise, trace=tuple(trace))
