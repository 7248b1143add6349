"""Measures what things cost, each beside what others cost on the same machine at the same time: `make bench`.

A cost is a ratio, so that a slow or busy machine does not change it much. Each has a budget; if one is exceeded, the
exit code is 1. What cannot be measured here is skipped, unless this is a run with CI=true. It all happens in a
temporary home, with a sandbox instead of Withings.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import datetime as dt
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import withings_auth
from tests.bench.budgets import BUDGETS, FULL, QUICK
from tests.bench.desk import DATABASE, FILES, SECRET_SERVICE, Desk
from tests.bench.first_login import first_logins
from tests.bench.in_memory import renewals, tokens_from_memory
from tests.bench.programs import crowds, lists, single_programs
from tests.bench.table import README, exceeded, heading, lines, markdown, put_into
from tests.bench.timing import Cost, Extent, Failed, Measured, Skipped, measure


def main(arguments: list[str]) -> int:
    """Measures, prints the table as it goes, and returns 1 if a budget was exceeded."""
    parser = argparse.ArgumentParser(prog="bench", description="Measures costs against budgets.")
    parser.add_argument("--quick", action="store_true", help="measure little, once: shows only that it can be measured")
    parser.add_argument("--leeway", type=float, default=1.0, metavar="FACTOR", help="multiply every budget by this")
    parser.add_argument("--only", default="", metavar="WORDS", help="measure only what has these words in its name")
    parser.add_argument("--markdown", action="store_true", help="end with the table for the README")
    parser.add_argument("--readme", action="store_true", help="put the table into the README")
    options = parser.parse_args(arguments)
    # As pip does; otherwise a module that was changed is compiled by each program that is measured.
    compileall.compile_dir(Path(withings_auth.__file__).parent, quiet=1)
    found: list[Measured | Skipped | Failed] = []
    with tempfile.TemporaryDirectory(prefix="withings-auth-bench-") as home, contextlib.ExitStack() as running:
        desk = Desk(Path(home), running)
        print(heading())
        for cost in costs(desk, QUICK if options.quick else FULL):
            if options.only in cost.what:
                found.append(measure(cost) if isinstance(cost, Cost) else cost)
                print(*lines(found[-1], options.leeway), sep="\n", flush=True)
    measured = [one for one in found if isinstance(one, Measured)]
    if options.markdown:
        print(f"\n{markdown(measured, today())}")
    if options.readme:
        if len(measured) < len(BUDGETS):
            raise SystemExit("not everything was measured: the README is unchanged")
        put_into(README, markdown(measured, today()))
    return verdict(found, options.leeway, os.environ)


def verdict(found: Iterable[Measured | Skipped | Failed], leeway: float, environ: Mapping[str, str]) -> int:
    """Returns 1 if a budget was exceeded or something failed, and with CI=true if something was skipped."""
    must_be_measured = (Skipped, Failed) if environ.get("CI") == "true" else Failed
    return int(any(isinstance(one, must_be_measured) or exceeded(one, leeway) for one in found))


def today() -> dt.date:
    return dt.datetime.now(tz=dt.UTC).date()


def costs(desk: Desk, extent: Extent) -> Iterator[Cost | Skipped]:
    """Yields everything in the order of the table; each is made ready only when it is due."""
    for costs_of in (single_programs, first_logins, crowds, lists):
        for kind in (SECRET_SERVICE, FILES):
            if kind == FILES or not desk.why_no_keyring:
                yield from costs_of(desk, extent, kind)
    if desk.why_no_database:
        yield from (Skipped(what=what, why=desk.why_no_database) for what in BUDGETS if DATABASE in what)
    else:
        yield from lists(desk, extent, DATABASE)
    if desk.why_no_keyring:
        yield from (Skipped(what=what, why=desk.why_no_keyring) for what in BUDGETS if SECRET_SERVICE in what)
    yield from renewals(desk, extent)
    yield from tokens_from_memory(desk, extent)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
