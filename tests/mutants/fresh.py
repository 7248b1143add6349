"""The thorough way to try mutants: each in a new process and a copy of the checkout.

The process is forked from one that has imported the libraries, but nothing of the package. So what runs when a module
is imported is mutated too, and so is each program that the tests start.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.mutants.forks import Task, run_all
from tests.mutants.mutate import Mutant

OPTIONS = (
    *("-x", "-q", "-p", "no:cacheprovider", "-p", "pytest_timeout", "-p", "_hypothesis_pytestplugin"),
    *("-o", "tmp_path_retention_policy=none"),  # thousands of homes would take minutes to delete at the end
)
PRELOADED = ("asyncio", "aiohttp", "hypothesis", "logging.handlers", "yarl")


def try_fresh(
    mutants: Iterable[Mutant], tests: tuple[str, ...], checkout: Path, package: str, directory: Path, jobs: int
) -> Iterator[tuple[Mutant, bool]]:
    """Yields each mutant and whether the tests passed. Raises `RuntimeError` if they fail without a mutant."""
    for seat in range(jobs):
        ignored = shutil.ignore_patterns(".*", "__pycache__", "build", "dist")
        shutil.copytree(checkout, directory / str(seat), ignore=ignored, dirs_exist_ok=True)
    for name in PRELOADED:
        with suppress(ImportError):
            importlib.import_module(name)
    tried = list(mutants)

    def task(index: int, module: str, code: str, seconds: float) -> Task:
        def run(seat: int) -> bool:
            copy = directory / str(seat)
            shutil.copytree(checkout / package, copy / package, ignore=ignored, dirs_exist_ok=True)
            path = copy / package / module
            path.write_text(code, encoding="utf-8")
            os.utime(path, (index + 1, index + 1))  # compiled modules are told apart by the second and the length
            return _run(copy, tests)

        return Task(index=index, run=run, cpu_seconds=seconds)

    first = tried[0].module
    unchanged = task(len(tried), first, (checkout / package / first).read_text(encoding="utf-8"), 600)
    ((_, passed),) = run_all([unchanged], 1, directory)
    if not passed:
        raise RuntimeError("the tests fail without any mutant: " + (directory / "0.txt").read_text())
    tasks = (task(index, mutant.module, mutant.code, 120) for index, mutant in enumerate(tried))
    for index, passed in run_all(tasks, jobs, directory):
        yield tried[index], passed


def _run(copy: Path, tests: tuple[str, ...]) -> bool:
    os.chdir(copy)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    sys.path[0] = os.environ["PYTHONPATH"] = str(copy)
    return pytest.main([*OPTIONS, *tests]) == 0
