"""The plug-in as another project meets it: pytest finds it by its entry point, and runs the example of a test."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.readme import example

ROOT = Path(__file__).parent.parent.parent

CONFTEST = """
import sys

ours = {name for name in sys.modules if name.split(".")[0] in {"withings_auth", "aiohttp", "httpx", "requests"}}
assert ours == {"withings_auth", "withings_auth.testing", "withings_auth.testing.plugin"}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Another project, in an environment in which withings-auth is installed with the entry points of today."""
    entry_points = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]["pytest11"]
    info = tmp_path / "installed" / "withings_auth_of_today-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: withings-auth-of-today\nVersion: 0\n")
    lines = [f"{name} = {module}" for name, module in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines, ""]))
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def run_pytest(project: Path, *arguments: str) -> str:
    """Runs pytest in the project, with warnings as errors; returns what it prints if it succeeds."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project.parent / "installed"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_example_runs_as_it_is(project: Path) -> None:
    """It needs nothing more than what it shows; until it runs, pytest has loaded next to nothing of ours."""
    (project / "conftest.py").write_text(CONFTEST)
    (project / "test_weights.py").write_text(example("tests_of_weights.py"))
    assert "1 passed" in run_pytest(project, "-q")


def test_pytest_lists_the_fixtures_with_what_they_are(project: Path) -> None:
    """`pytest --fixtures` is where their users look them up."""
    shown = run_pytest(project, "--fixtures", "-q")
    for name in ("sandbox", "store", "token_source", "async_token_source"):
        assert f"\nwithings_{name} -- " in shown
    assert "no docstring available" not in shown.partition("\nwithings_")[2].partition("fixtures defined")[0]
