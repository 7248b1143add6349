"""How a cost is measured: beside its references, on the same machine at the same time.

What counts is the shortest of several rounds, since whatever else the machine does only makes them longer.
"""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

Seconds = float
Timing = Callable[[], Seconds]
SLOWEST_PROGRAM_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured, and how often."""

    rounds: int
    rounds_of_logins: int
    calls: int
    crowds: tuple[int, int, int]
    profiles: int
    awaits: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Something to measure, and its references, by their names in `BUDGETS`."""

    what: str
    run: Timing
    references: Mapping[str, Timing]
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something that this machine cannot measure."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Something that did not do what it should."""

    what: str
    why: str


class WrongResult(Exception):
    """What was measured did something else than it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The least of what was measured, and how many times as much as each reference it is."""

    what: str
    amount: float
    ratios: Mapping[str, float]


def measure(cost: Cost) -> Measured | Failed:
    """Measures the cost and its references in turn, once a round."""
    try:
        return _measure(cost)
    except (WrongResult, subprocess.SubprocessError) as error:
        return Failed(what=cost.what, why=str(error))


def _measure(cost: Cost) -> Measured:
    ours: list[float] = []
    others: dict[str, list[float]] = {name: [] for name in cost.references}
    for _ in range(cost.rounds):
        ours.append(cost.run())
        for name, reference in cost.references.items():
            others[name].append(reference())
    amount = min(ours)
    return Measured(what=cost.what, amount=amount, ratios={name: amount / min(took) for name, took in others.items()})


def time_calls(function: Callable[[], object], calls: int) -> Timing:
    """Measures one of many calls in a row."""

    def timing() -> Seconds:
        began = time.perf_counter()
        for _ in range(calls):
            function()
        return (time.perf_counter() - began) / calls

    return timing


def time_program(
    command: Sequence[str],
    variables: Mapping[str, str] = MappingProxyType({}),
    *,
    waiting: bool = False,
    before: Callable[[], object] = lambda: None,
) -> Timing:
    """Measures the CPU time of a program, or its elapsed time with `waiting`; `before` is not measured."""

    def timing() -> Seconds:
        before()
        began, used = time.perf_counter(), used_by_children()
        subprocess.run(
            command,
            env={**os.environ, **variables},
            stdout=subprocess.DEVNULL,
            timeout=SLOWEST_PROGRAM_SECONDS,
            check=True,
        )
        return time.perf_counter() - began if waiting else used_by_children() - used

    return timing


def used_by_children() -> Seconds:
    """Returns the CPU time of all child processes that have ended, which a busy machine changes little."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
