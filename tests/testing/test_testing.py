"""The published suite, used as somebody else uses it: it passes what is sound, and refuses what breaks a promise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import withings_auth
from tests.testing import broken_shelves
from tests.testing.shelf import Shelf
from withings_auth.testing import SecretStorePromises

PACKAGE = Path(withings_auth.__file__).parent
HERE = Path(__file__).parent

IMPORTS = """
import pytest
from shelf import *
from broken_shelves import *
from withings_auth.testing import SecretStorePromises
"""

# What the module's own docstring tells an author to write.
GIVEN = """
class Test{store}(SecretStorePromises):
    @pytest.fixture
    def store(self, tmp_path):
        return {store}(tmp_path / "shelf.json")

    @pytest.fixture
    def opening(self, tmp_path):
        path = str(tmp_path / "shelf.json")
        return f"from pathlib import Path; from {module} import {store}; store = {store}(Path({{path!r}}))"

    @pytest.fixture
    def unavailable(self, tmp_path):
        (tmp_path / "unavailable.json").mkdir()
        return {store}(tmp_path / "unavailable.json")

    @pytest.fixture
    def forgetful(self, tmp_path):
        return {store}(tmp_path / "forgetful.json", replace=lambda written, path: None)
"""

STORE = """@pytest.fixture
    def store(self, tmp_path):
        return Shelf(tmp_path / "shelf.json")
"""

BROKEN = [
    broken
    for broken in vars(broken_shelves).values()
    if isinstance(broken, type) and issubclass(broken, Shelf) and broken is not Shelf
]


def promises() -> set[str]:
    """Every promise of the suite, by the name of its test."""
    return {name for name in dir(SecretStorePromises) if name.startswith("test_")}


class Outsider:
    """A directory in which somebody keeps a store and its tests, and nothing of ours lies."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("shelf.py", "broken_shelves.py"):
            text = (HERE / name).read_text("utf-8").replace("tests.testing.shelf", "shelf")
            (directory / name).write_text(text, "utf-8")

    def run(self, tests: str, *selected: str, at_once: int = 0) -> dict[str, tuple[str, str]]:
        """Runs pytest; for each test, by class and name, how it ended and what it said."""
        (self.directory / "test_it.py").write_text(IMPORTS + tests, "utf-8")
        report = self.directory / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        ran = subprocess.run(
            [*command, *([f"-n{at_once}"] if at_once else []), *(f"test_it.py::{test}" for test in selected)],
            cwd=self.directory,
            env=os.environ | {"PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert report.exists(), ran.stdout + ran.stderr
        found = {}
        for case in ET.parse(report).iter("testcase"):  # noqa: S314  pytest has just written it
            name = f"{case.attrib['classname'].rpartition('.')[2]}::{case.attrib['name'].partition('[')[0]}"
            ended = next((child for child in case if child.tag in {"failure", "error", "skipped"}), None)
            if ended is not None:
                found[name] = ended.tag, f"{ended.attrib.get('message')}\n{ended.text}"
            found.setdefault(name, ("passed", ""))
        return found


@pytest.fixture
def outsider(tmp_path: Path) -> Outsider:
    return Outsider(tmp_path)


def test_a_sound_store_of_somebody_else_passes(outsider: Outsider) -> None:
    """Whoever keeps the promises passes all of them, none skipped, with pytest and the package alone."""
    found = outsider.run(GIVEN.format(store="Shelf", module="shelf"))
    assert {name.partition("::")[2] for name in found} == promises()
    assert {name: ended for name, ended in found.items() if ended[0] != "passed"} == {}


def test_every_promise_refuses_a_store_that_breaks_it(outsider: Outsider) -> None:
    """For each promise there is a store that breaks just it, by a mistake that is easily made, and fails its test."""
    assert {broken.__doc__ for broken in BROKEN} == promises()
    tests = "".join(GIVEN.format(store=broken.__name__, module="broken_shelves") for broken in BROKEN)
    # Several at once, since some of them are found out by how long they wait.
    found = outsider.run(tests, *(f"Test{broken.__name__}::{broken.__doc__}" for broken in BROKEN), at_once=4)
    assert len(found) == len(BROKEN)
    assert {name: ended for name, ended in found.items() if ended[0] != "failure"} == {}


def test_what_is_not_given_fails_and_says_what_to_do(outsider: Outsider) -> None:
    """Nothing is skipped in silence: what is missing must be given, or declared with its reason."""
    bare = "class TestBare(SecretStorePromises):\n    pass\n"
    given = bare.replace("TestBare", "TestGiven").replace("pass", STORE)
    tests = ("test_what_is_not_kept_is_not_saved", "test_one_process_at_a_time_holds_a_name")
    found = outsider.run(
        bare + given, "TestBare::test_an_empty_store_holds_nothing", *(f"TestGiven::{t}" for t in tests)
    )
    said = {name: text for name, (ended, text) in found.items() if ended == "error"}
    assert len(said) == 3
    assert "TestBare needs a fixture `store`" in said["TestBare::test_an_empty_store_holds_nothing"]
    assert "or a reason: without = {'forgetful': '…'}" in said[f"TestGiven::{tests[0]}"]
    assert "or a reason: without = {'opening': '…'}" in said[f"TestGiven::{tests[1]}"]


def test_what_is_declared_is_skipped_and_shows_the_reason(outsider: Outsider) -> None:
    """A store that cannot have another process, an error or a fork says so, and the report repeats it."""
    reasons = dict.fromkeys(("opening", "unavailable", "forgetful"), "it is a toy")
    toy = f"class TestToy(SecretStorePromises):\n    without = {reasons}\n"
    found = outsider.run(f"{toy}    {STORE}\n")
    assert {ended for ended, _ in found.values()} == {"passed", "skipped"}
    skipped = [text for ended, text in found.values() if ended == "skipped"]
    assert len(skipped) == 12
    assert all("it is a toy" in text for text in skipped)
    forking = GIVEN.format(store="Shelf", module="shelf") + "    without = {'fork': 'its library cannot'}\n"
    found = outsider.run(forking, "TestShelf::test_a_child_does_not_keep_the_lock")
    assert "its library cannot" in next(iter(found.values()))[1]


def test_a_failure_shows_both_sides(outsider: Outsider) -> None:
    """pytest explains the suite's comparisons, as it does those in a test of one's own."""
    test = "test_a_save_replaces_the_whole_text"
    found = outsider.run(GIVEN.format(store="Overwriting", module="broken_shelves"), f"TestOverwriting::{test}")
    assert "assert 'shortlong " in found[f"TestOverwriting::{test}"][1]


def test_every_promise_is_told() -> None:
    """The docstring of a test is the promise: a sentence, without numbers of our own papers."""
    for name in promises():
        told = getattr(SecretStorePromises, name).__doc__
        assert told.endswith("."), name
        assert "Statement" not in told, name


def test_without_pytest_it_says_so(tmp_path: Path) -> None:
    """The one thing that the suite needs is named; nothing else in the package needs it."""
    (tmp_path / "pytest.py").write_text("raise ImportError('there is none')")
    code = "import withings_auth.store, withings_auth.testing"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.endswith("ImportError: withings_auth.testing needs pytest: pip install pytest\n")


def test_the_package_itself_never_loads_it() -> None:
    """Only who names the suite gets it, and pytest with it."""
    users = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "testing"]
    assert [path.name for path in users if "store.testing" in path.read_text("utf-8")] == []
    assert [path.name for path in users if "import pytest" in path.read_text("utf-8")] == []
