"""How a cost is measured: against its reference, on the same machine at the same moment."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

Seconds = float
Timing = Callable[[], Seconds]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Something to measure, its reference, and how many times as long it may take."""

    what: str
    run: Timing
    against: str
    base: Timing
    budget: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The medians of what was measured."""

    cost: Cost
    seconds: Seconds
    ratio: float


def measure(costs: list[Cost], rounds: int) -> list[Measured]:
    """Measures everything once a round, each next to its reference."""
    times_of: list[list[tuple[Seconds, Seconds]]] = [[] for _ in costs]
    for _ in range(rounds):
        for cost, times in zip(costs, times_of, strict=True):
            base = cost.base()
            times.append((cost.run(), base))
    return [
        Measured(
            cost=cost,
            seconds=statistics.median(run for run, _ in times),
            ratio=statistics.median(run / base for run, base in times),
        )
        for cost, times in zip(costs, times_of, strict=True)
    ]


def time_calls(function: Callable[[], object], calls: int) -> Timing:
    """Measures one of many calls in a row."""

    def timing() -> Seconds:
        began = time.perf_counter()
        for _ in range(calls):
            function()
        return (time.perf_counter() - began) / calls

    return timing


def best(timing: Timing, *, of: int = 3) -> Timing:
    """Takes the shortest of a few measurements, since other programs only make them longer."""
    return lambda: min(timing() for _ in range(of))


def time_python(*arguments: str, waiting: bool = False, **changes: str) -> Timing:
    """Measures the CPU time of a Python with these arguments, or its elapsed time with `waiting`."""

    def timing() -> Seconds:
        began, used = time.perf_counter(), used_by_children()
        subprocess.run(
            [sys.executable, *arguments], env=os.environ | changes, stdout=subprocess.DEVNULL, timeout=60, check=True
        )
        return time.perf_counter() - began if waiting else used_by_children() - used

    return timing


def used_by_children() -> Seconds:
    """Returns the CPU time of all child processes that have ended, which a busy machine does not change."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
