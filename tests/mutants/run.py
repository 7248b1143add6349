"""`make mutants`: tries every mutant of the chosen rooms; fails if one survives that is not listed with a reason."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings

from tests.mutants.fresh import OPTIONS, try_fresh
from tests.mutants.mutate import Mutant, mutants_of
from tests.mutants.quick import Session
from tests.mutants.rooms import ROOMS, Room
from tests.mutants.survivors import entry, listed

ROOT = Path(__file__).parents[2]
PACKAGE = "withings_auth"
MOST_LISTED = 0.03


def main() -> None:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"one of: {' '.join(ROOMS)}")
    parser.add_argument("--module", help="try only the modules with this in their path")
    parser.add_argument("--quick", action="store_true", help="do not try again in a copy what outlives the quick tests")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    good = [
        _report(name, ROOMS[name], options.module or "", options.jobs, thorough=not options.quick)
        for name in options.rooms or ROOMS
    ]
    sys.exit(0 if all(good) else 1)


def _report(name: str, room: Room, part: str, jobs: int, *, thorough: bool) -> bool:
    """Prints what became of the mutants of a room; returns whether all is well."""
    sources = {module: (ROOT / PACKAGE / module).read_text(encoding="utf-8") for module in room.modules}
    mutants = [mutant for module in room.modules if part in module for mutant in mutants_of(module, sources[module])]
    print(f"{name}: {len(mutants)} mutants", flush=True)
    survived = survivors_of(room, mutants, ROOT, PACKAGE, jobs=jobs, thorough=thorough)
    known = {key: why for key, why in listed().items() if key[0] in room.modules and part in key[0]}
    news = [mutant for mutant in survived if mutant.key not in known]
    share = len(known) / len(mutants)
    print(f"{name}: {len(mutants) - len(survived)} killed, {len(survived)} survived, {len(known)} listed ({share:.1%})")
    for mutant in news:
        print(f"survived: {PACKAGE}/{mutant.module}:{mutant.line}\n{entry(mutant)}")
    for key in known.keys() - {mutant.key for mutant in survived}:
        print(f"listed, but killed or gone: {key}")
    if share > MOST_LISTED:
        print(f"more than {MOST_LISTED:.0%} are listed")
    return not news and share <= MOST_LISTED


def survivors_of(
    room: Room, mutants: list[Mutant], checkout: Path, package: str, *, jobs: int, thorough: bool
) -> list[Mutant]:
    """Returns the mutants that no test notices, in the order of their lines; without `thorough`, some too many."""
    settings.register_profile(
        "mutants", deadline=None, derandomize=True, database=None, suppress_health_check=HealthCheck
    )
    settings.load_profile("mutants")  # what fails because the machine is busy would count as killed
    os.chdir(checkout)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # one of the plugins is the package's own
    with TemporaryDirectory(prefix="mutants-") as name:
        directory = Path(name)
        passed = _try_quickly(room, mutants, package, directory, jobs)
        left = [mutant for index, mutant in enumerate(mutants) if passed.get(index, True)]
        untried = len(mutants) - len(passed)
        print(f"  {len(left) - untried} outlive the quick tests, {untried} can only be tried afresh", flush=True)
        if thorough and left:
            tests = (*room.quick, *room.wider)
            left = [mutant for mutant, alive in try_fresh(left, tests, checkout, package, directory, jobs) if alive]
    return sorted(left, key=lambda mutant: (mutant.module, mutant.line))


def _try_quickly(room: Room, mutants: list[Mutant], package: str, directory: Path, jobs: int) -> dict[int, bool]:
    """Tries them in a session of pytest, in a process of its own: nothing of the package may be imported here."""
    record = directory / "passed.json"
    if (process := os.fork()) == 0:
        file = os.open(directory / "session.txt", os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(file, 1)
        os.dup2(file, 2)
        session = Session(mutants, package, directory, jobs)
        status = pytest.main([*OPTIONS, "--no-header", "--no-summary", *room.quick], plugins=[session])
        record.write_text(json.dumps(list(session.passed.items())), encoding="utf-8")
        sys.stdout.flush()
        os._exit(status)
    _, status = os.waitpid(process, 0)
    if status != 0:
        print((directory / "session.txt").read_text(encoding="utf-8"))
        sys.exit(2)
    return dict(json.loads(record.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
