"""`make mutants` finds what no test notices, and each listed mutant has a reason and stands in the code."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.mutants.forks import Task, run_all
from tests.mutants.mutate import mutants_of
from tests.mutants.rooms import ROOMS
from tests.mutants.survivors import entry, listed
from tests.support.programs import Cli

ROOT = Path(__file__).parents[2]

MODULE = '''
"""A module."""
from dataclasses import dataclass

LIMIT = 3

@dataclass
class Visit:
    guests: int = 0

    @property
    def crowded(self) -> bool:
        return self.guests >= LIMIT

def welcome(visit: Visit) -> str:
    if visit.crowded:
        raise ValueError("no room for you")
    return "in"
'''
TESTS = """
import pytest
from toy.hotel import Visit, welcome

def test_welcome():
    assert welcome(Visit()) == "in"
    assert not Visit(guests=2).crowded
    assert Visit(guests=4).crowded
    with pytest.raises(ValueError):
        welcome(Visit(guests=9))
"""
SURVIVORS = """
from pathlib import Path
from tests.mutants.mutate import mutants_of
from tests.mutants.rooms import Room
from tests.mutants.run import survivors_of

mutants = list(mutants_of("hotel.py", Path("toy/hotel.py").read_text()))
room = Room(modules=("hotel.py",), quick=("checks/test_hotel.py",))
for mutant in survivors_of(room, mutants, Path.cwd(), "toy", jobs=2, thorough=True):
    print(mutant.place, mutant.now)
"""


@pytest.mark.usefixtures("unmeasured")
def test_only_what_no_test_notices_survives(python: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is never tried: it may be off by one. All else is noticed, at the top, in a property or a function."""
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "hotel.py").write_text(MODULE)
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "test_hotel.py").write_text(TESTS)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    ran = python(SURVIVORS)
    assert ran.stdout.splitlines()[1:] == [
        " LIMIT = 4",
        "Visit guests: int = 1",
        "Visit.crowded return self.guests > LIMIT",
        "welcome raise ValueError(None)",
    ], ran.stderr


def test_a_mutant_keeps_its_name_when_lines_move() -> None:
    moved = MODULE.replace("LIMIT = 3", "LIMIT = 3\n\n# More.\n")
    assert [one.key for one in mutants_of("m", moved)] == [one.key for one in mutants_of("m", MODULE)]


def test_each_mutant_has_a_name_of_its_own() -> None:
    twice = "def f(a):\n    if a:\n        g(1)\n    else:\n        g(1)\n"
    keys = [one.key for one in mutants_of("m", twice)]
    assert len(keys) == len(set(keys))
    assert ("m", "f #2", "g(1)", "pass") in keys


def test_texts_for_people_and_the_log_are_left_out() -> None:
    assert list(mutants_of("m", 'logger.debug("x", 1)\nTEXT = "some words"\n')) == []


def test_the_listed_survivors_are_of_the_rooms_and_of_today() -> None:
    """Their lines are in the module, in this order."""
    modules = {module for room in ROOMS.values() for module in room.modules}
    for (module, _, was, _), because in listed().items():
        assert module in modules
        assert because
        source = (ROOT / "withings_auth" / module).read_text(encoding="utf-8")
        assert was in " ".join(line.strip() for line in source.splitlines()), (module, was)


def test_an_entry_is_read_as_it_is_written(tmp_path: Path) -> None:
    mutants = list(mutants_of("hotel.py", MODULE))
    lines = "\n".join(entry(mutant) for mutant in mutants)
    (tmp_path / "one.toml").write_text(
        f"[[equivalent]]\nmodule = 'hotel.py'\nbecause = 'reasons'\nmutants = [\n{lines}\n]\n"
    )
    assert listed(tmp_path) == {mutant.key: "reasons" for mutant in mutants}


def test_a_survivor_without_a_reason_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text("[[equivalent]]\nmodule = 'm'\nbecause = ' '\nmutants = []\n")
    with pytest.raises(ValueError, match="no reason"):
        listed(tmp_path)


def test_mutants_that_are_tried_at_once_share_no_temporary_files(tmp_path: Path) -> None:
    """Pytest removes the directories of other runs, and a mutant would be killed by that."""

    def run(seat: int) -> bool:
        (tmp_path / f"place {seat}").write_text(os.environ["PYTEST_DEBUG_TEMPROOT"])
        return True

    tasks = [Task(index=number, run=run, cpu_seconds=60) for number in range(2)]
    assert sorted(run_all(tasks, 2, tmp_path)) == [(0, True), (1, True)]
    places = {Path((tmp_path / f"place {seat}").read_text()) for seat in range(2)}
    assert len(places) == 2
    assert all(place.is_dir() for place in places)
