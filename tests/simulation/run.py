"""Simulates schedules from the command line: a range of them on all cores, or one with its whole trace.

.venv/bin/python -m tests.simulation.run --seeds 0:1000000
.venv/bin/python -m tests.simulation.run --replay 4711
.venv/bin/python -m tests.simulation.run --server --seeds 0:100000
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from multiprocessing import Pool

from tests.simulation.results import replay, simulate
from tests.simulation.schedule import Schedule, drawn, drawn_with_server

Draw = Callable[[int], Schedule]

BLOCK = 2_000
MAX_SHOWN = 3


def _block(seeds: range, draw: Draw) -> tuple[Counter[str], list[str]]:
    counts: Counter[str] = Counter()
    return counts, [found.written() for found in simulate(seeds, counts, draw=draw)]


def _simulate_on_all_cores(seeds: range, draw: Draw) -> int:
    started = time.monotonic()
    counts: Counter[str] = Counter()
    broken: list[str] = []
    blocks = [seeds[first : first + BLOCK] for first in range(0, len(seeds), BLOCK)]
    with Pool(os.cpu_count()) as pool:
        for block_tally, block_broken in pool.imap_unordered(partial(_block, draw=draw), blocks):
            counts += block_tally
            broken += block_broken
            if sys.stderr.isatty():
                print(f"\r{counts['schedules']:,} schedules", end="", file=sys.stderr)
    for found in broken[:MAX_SHOWN]:
        print(f"\n{found}\n")
    for what, number in sorted(counts.items()):
        print(f"{number:>12,}  {what}")
    print(f"{len(broken):>12,}  schedules that broke a promise ({time.monotonic() - started:.0f} seconds)")
    return 1 if broken else 0


def _range(text: str) -> range:
    first, _, end = text.partition(":")
    return range(int(first), int(end))


def main() -> int:
    """Returns 1 if a promise was broken."""
    parser = argparse.ArgumentParser(
        description="Simulates renewals in which everything goes wrong, by schedules that are drawn from seeds."
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seeds", type=_range, metavar="FROM:TO", help="simulate these, and count what happened")
    which.add_argument("--replay", type=int, metavar="SEED", help="simulate this one, and show each step")
    parser.add_argument("--server", action="store_true", help="with a store on a server, whose lock can be lost")
    options = parser.parse_args()
    draw = drawn_with_server if options.server else drawn
    if options.seeds is not None:
        return _simulate_on_all_cores(options.seeds, draw)
    found = replay(draw(options.replay))
    print(found.written())
    return 0 if found.promise is None else 1


if __name__ == "__main__":
    sys.exit(main())
