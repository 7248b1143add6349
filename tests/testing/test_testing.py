"""The published suite, used as others use it: a sound store passes, and a store that breaks a promise fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import withings_auth
from tests.testing import broken_locks, broken_shelves
from withings_auth import testing
from withings_auth.testing import SecretStorePromises

PACKAGE = Path(withings_auth.__file__).parent
HERE = Path(__file__).parent

FOUND_BY = broken_shelves.FOUND_BY | broken_locks.FOUND_BY

IMPORTS = """
import pytest
from shelf import *
from broken_shelves import *
from broken_locks import *
from withings_auth.testing import SecretStorePromises, fixtures
"""

# What the docstring of `withings_auth.testing` tells an author to write.
TEST_SHELF = """
class TestShelf(SecretStorePromises):
    kind = Shelf

    @pytest.fixture
    def store(self, tmp_path):
        return self.kind(tmp_path / "shelf.json")

    @pytest.fixture
    def opening(self, tmp_path):
        path = str(tmp_path / "shelf.json")
        name = self.kind.__name__
        return f"from pathlib import Path; from {self.kind.__module__} import {name}; store = {name}(Path({path!r}))"

    @pytest.fixture
    def unavailable(self, tmp_path):
        (tmp_path / "unavailable.json").mkdir()
        return self.kind(tmp_path / "unavailable.json")

    @pytest.fixture
    def forgetful(self, tmp_path):
        return self.kind(tmp_path / "forgetful.json", replace=lambda written, path: None)
"""

TEST_BROKEN = """
class Test{name}(TestShelf):
    kind = {name}
"""

# Some mistakes show only in how long a store makes others wait.
IMPATIENT = "fixtures.PATIENCE_SECONDS = 5\n"

STORE_ONLY = """
    @pytest.fixture
    def store(self, tmp_path):
        return Shelf(tmp_path / "shelf.json")
"""


def promises() -> set[str]:
    """Returns the names of all promises."""
    return {name for name in dir(SecretStorePromises) if name.startswith("test_")}


class Outsider:
    """A directory with a store and its tests, as somebody else has them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("shelf.py", "broken_shelves.py", "broken_locks.py"):
            text = (HERE / name).read_text("utf-8").replace("tests.testing.shelf", "shelf")
            (directory / name).write_text(text, "utf-8")

    def run(self, tests: str, *selected: str) -> dict[str, tuple[str, str]]:
        """Runs pytest; returns for each test, by class and name, how it ended and what it printed."""
        (self.directory / "test_it.py").write_text(IMPORTS + tests, "utf-8")
        report = self.directory / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        ran = subprocess.run(
            [*command, *(f"test_it.py::{test}" for test in selected)],
            cwd=self.directory,
            env=os.environ | {"PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=500,
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
    """A store that keeps every promise passes, with nothing skipped, given only pytest and the package."""
    found = outsider.run(TEST_SHELF)
    assert {name.partition("::")[2] for name in found} == promises()
    assert {name: ended for name, ended in found.items() if ended[0] != "passed"} == {}


def test_every_promise_refuses_a_store_that_breaks_it(outsider: Outsider) -> None:
    """For each promise there is a store that breaks it by an easy mistake, and fails its test."""
    assert FOUND_BY.keys() == promises()
    broken = {store.__name__: promise for promise, stores in FOUND_BY.items() for store in stores}
    tests = "".join(TEST_BROKEN.format(name=name) for name in broken)
    found = outsider.run(
        IMPATIENT + TEST_SHELF + tests, *(f"Test{name}::{promise}" for name, promise in broken.items())
    )
    assert len(found) == sum(map(len, FOUND_BY.values()))
    assert {name: ended for name, ended in found.items() if ended[0] != "failure"} == {}


def test_a_missing_fixture_fails_and_says_what_to_do(outsider: Outsider) -> None:
    """Nothing is skipped in silence: what is missing must be given, or declared with its reason."""
    bare = "class TestBare(SecretStorePromises):\n    pass\n"
    given = f"class TestGiven(SecretStorePromises):{STORE_ONLY}"
    tests = ("test_what_is_not_kept_is_not_saved", "test_one_process_at_a_time_holds_a_name")
    found = outsider.run(
        bare + given, "TestBare::test_a_clear_removes_and_says_so", *(f"TestGiven::{t}" for t in tests)
    )
    errors = {name: text for name, (ended, text) in found.items() if ended == "error"}
    assert len(errors) == 3
    assert "TestBare needs a fixture `store`" in errors["TestBare::test_a_clear_removes_and_says_so"]
    assert "or a reason: without = {'forgetful': '…'}" in errors[f"TestGiven::{tests[0]}"]
    assert "or a reason: without = {'opening': '…'}" in errors[f"TestGiven::{tests[1]}"]


def test_what_is_declared_is_skipped_and_shows_the_reason(outsider: Outsider) -> None:
    """A store that cannot have another process, an error or a fork says so, and the report repeats it."""
    reasons = dict.fromkeys(("opening", "unavailable", "forgetful"), "it is a toy")
    toy = f"class TestToy(SecretStorePromises):\n    without = {reasons}\n{STORE_ONLY}"
    no_fork = "class TestNoFork(TestShelf):\n    without = {'fork': 'its library cannot'}\n"
    forks = "TestNoFork::test_a_child_does_not_keep_the_lock"
    found = outsider.run(TEST_SHELF + toy + no_fork, "TestToy", forks)
    assert "its library cannot" in found.pop(forks)[1]
    assert {ended for ended, _ in found.values()} == {"passed", "skipped"}
    skipped = [text for ended, text in found.values() if ended == "skipped"]
    assert len(skipped) == 11
    assert all("it is a toy" in text for text in skipped)


def test_a_failure_shows_both_sides(outsider: Outsider) -> None:
    """pytest explains the suite's comparisons, as it does those in a test of one's own."""
    test = "TestNotTruncated::test_a_save_replaces_the_whole_text"
    found = outsider.run(TEST_SHELF + TEST_BROKEN.format(name="NotTruncated"), test)
    assert "assert 'shortlong " in found[test][1]


def test_every_promise_has_a_sentence() -> None:
    """The docstring of a test is the promise: a sentence, without the numbers of our own documents."""
    for name in promises():
        promise = getattr(SecretStorePromises, name).__doc__
        assert promise.endswith("."), name
        assert "Statement" not in promise, name


def test_without_pytest_the_error_names_it(tmp_path: Path) -> None:
    """The suite needs pytest and says so; nothing else in the package needs it, as its example shows."""
    (tmp_path / "pytest.py").write_text("raise ImportError('there is none')")
    example = str(testing.__doc__).partition("```python\n")[2].partition("```")[0]
    code = f"{example}    assert source.token().userid\nfrom withings_auth.testing import SecretStorePromises"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.endswith(
        "ImportError: withings_auth.testing.SecretStorePromises needs pytest: pip install pytest\n"
    )


def test_the_package_itself_never_loads_it() -> None:
    """Only a program that imports the suite loads it, and pytest with it."""
    users = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "testing"]
    assert [path.name for path in users if "store.testing" in path.read_text("utf-8")] == []
    assert [path.name for path in users if "import pytest" in path.read_text("utf-8")] == []
