"""Measures what things cost, each against a reference on the same machine at the same moment: `make bench`.

A cost is a ratio, the median of several rounds, so that a slow or busy machine does not change it much. Each has a
budget; if one is exceeded, the exit code is 1. It all runs in a temporary home, with a sandbox instead of Withings.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.costs import fast_paths, renewals, starts
from tests.bench.timing import Measured, Seconds, measure
from tests.support import isolation

ROUNDS = 9
CALLS = 2000


def main(arguments: list[str]) -> int:
    """Measures, prints the table, and returns 1 if a budget was exceeded."""
    parser = argparse.ArgumentParser(prog="bench", description="Measures costs against budgets.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often to measure everything")
    parser.add_argument("--calls", type=int, default=CALLS, help="how many calls of the fast paths make up a round")
    parser.add_argument("--leeway", type=float, default=1.0, help="multiply every budget by this")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="withings-auth-bench-") as home, contextlib.ExitStack() as running:
        isolated = isolation.environment(Path(home), os.environ)
        os.environ.clear()
        os.environ.update(isolated)
        costs = [*fast_paths(Path(home), options.calls), *starts(Path(home), running), *renewals(Path(home), running)]
        found = measure(costs, options.rounds)
    print(*table(found, options.leeway), sep="\n")
    return int(any(one.ratio > one.cost.budget * options.leeway for one in found))


def table(found: list[Measured], leeway: float) -> Iterator[str]:
    """Yields the lines of the table: what, how long, how many times as long as what, and the budget."""
    yield f"{'what':<46} {'takes':>10}  {'times':>6}  {'budget':>6}  of"
    for one in found:
        budget = one.cost.budget * leeway
        reference = one.cost.against + ("  EXCEEDED" if one.ratio > budget else "")
        yield f"{one.cost.what:<46} {in_unit(one.seconds):>10}  {one.ratio:6.2f}  {budget:6.2f}  {reference}"


def in_unit(seconds: Seconds) -> str:
    """Returns a duration in a suitable unit."""
    return f"{seconds * 1e6:.2f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.1f} ms"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
