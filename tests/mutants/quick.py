"""The quick way to try mutants: the tests are imported once, and each mutant is a fork of that process.

In the fork, the code of the function that differs, or the values of the constants, are exchanged. A mutant of anything
else, such as the default of a dataclass, stays untried, and so does one in a function that no test reaches.
"""

from __future__ import annotations

import gc
import importlib
import json
import re
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest

from tests.mutants.forks import Task, run_all
from tests.mutants.mutate import Mutant

CONSTANTS = (int, float, str, bytes, tuple, frozenset, set, dict, re.Pattern, type(None))
Exchange = list[tuple[object, str, Any]]


class Session:
    """A plugin of pytest's that runs the collected tests once for each mutant.

    `passed` gets the index of each mutant that was tried, and whether the tests passed.
    """

    def __init__(self, mutants: list[Mutant], package: str, directory: Path, jobs: int) -> None:
        self.passed: dict[int, bool] = {}
        self._mutants = mutants
        self._package = package
        self._directory = directory
        self._jobs = jobs

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            print(report.longreprtext)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Interrupted("the tests cannot be imported")
        gc.unfreeze()
        reach = self._run_unchanged(session)
        self.passed.update(run_all(self._tasks(session, reach), self._jobs, self._directory))
        return True

    def _run_unchanged(self, session: pytest.Session) -> _Reach:
        record = self._directory / "reach.json"

        def run(_: int) -> bool:
            seen = _watch(session)
            record.write_text(json.dumps(seen), encoding="utf-8")
            return not session.testsfailed

        ((_, passed),) = run_all([Task(index=0, run=run, cpu_seconds=600)], 1, self._directory)
        if not passed:
            raise session.Interrupted("the tests fail without any mutant: " + (self._directory / "0.txt").read_text())
        return _Reach(session.items, json.loads(record.read_text(encoding="utf-8")))

    def _tasks(self, session: pytest.Session, reach: _Reach) -> Iterator[Task]:
        paths = [f"{self._package}/{mutant.module}" for mutant in self._mutants]
        names = [path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in paths]
        modules = [importlib.import_module(name) for name in names]  # so that all their functions are there
        functions = [found for found in gc.get_objects() if isinstance(found, FunctionType)]
        for index, (mutant, module) in enumerate(zip(self._mutants, modules, strict=True)):
            items = reach.items(str(module.__file__), mutant.function)
            exchange = _exchange(mutant, module, functions) if items else []
            if exchange:
                run = _in_fork(session, items, exchange)
                yield Task(index=index, run=run, cpu_seconds=10 + 10 * reach.seconds(items))


def _in_fork(session: pytest.Session, items: list[pytest.Item], exchange: Exchange) -> Callable[[int], bool]:
    def run(_: int) -> bool:
        for target, name, value in exchange:
            setattr(target, name, value)
        for number, item in enumerate(items, 1):
            following = items[number] if number < len(items) else None
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                return False
        return True

    return run


def _watch(session: pytest.Session) -> dict[str, tuple[float, list[str]]]:
    """Runs all tests; returns for each its seconds and the functions that it reached."""
    seen: dict[str, tuple[float, list[str]]] = {}
    reached: set[str] = set()

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            code = frame.f_code
            reached.add(_place(code.co_filename, code.co_qualname.partition(".<locals>")[0]))

    threading.setprofile(profile)
    for number, item in enumerate(session.items, 1):
        following = session.items[number] if number < len(session.items) else None
        reached.clear()
        started = time.perf_counter()
        sys.setprofile(profile)
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        sys.setprofile(None)
        seen[item.nodeid] = time.perf_counter() - started, [place for place in reached if "site-packages" not in place]
    return seen


def _place(file: str, function: str) -> str:
    return f"{file}:{function}"


class _Reach:
    """Which tests reach a function, the quickest first."""

    def __init__(self, items: list[pytest.Item], seen: dict[str, tuple[float, list[str]]]) -> None:
        self._seconds = {name: seconds for name, (seconds, _) in seen.items()}
        self._all = sorted(items, key=lambda item: self._seconds[item.nodeid])
        self._reaching: defaultdict[str, list[pytest.Item]] = defaultdict(list)
        for item in self._all:
            for place in seen[item.nodeid][1]:
                self._reaching[place].append(item)

    def items(self, file: str, function: str | None) -> list[pytest.Item]:
        return self._reaching[_place(file, function)] if function else self._all

    def seconds(self, items: list[pytest.Item]) -> float:
        return sum(self._seconds[item.nodeid] for item in items)


def _exchange(mutant: Mutant, module: ModuleType, functions: list[FunctionType]) -> Exchange:
    """Returns what to set so that the loaded module is the mutant; nothing if that cannot be done."""
    if mutant.function is None:
        return _constants(mutant, module)
    code = compile(mutant.code, str(module.__file__), "exec")
    new = list(_codes(code, mutant.function))
    old = [
        found
        for found in functions
        if (found.__code__.co_filename, found.__code__.co_qualname) == (module.__file__, mutant.function)
    ]
    if len(new) != 1 or len(old) != 1 or old[0].__code__ == new[0]:
        return []
    return [(old[0], "__code__", new[0])]


def _codes(code: CodeType, function: str) -> Iterator[CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            if inner.co_qualname == function:
                yield inner
            else:
                yield from _codes(inner, function)


def _constants(mutant: Mutant, module: ModuleType) -> Exchange:
    changed = ModuleType(module.__name__)
    changed.__file__ = module.__file__
    sys.modules[module.__name__] = changed
    try:
        exec(compile(mutant.code, str(module.__file__), "exec"), changed.__dict__)  # noqa: S102  our own source
    except Exception:  # noqa: BLE001  a mutant that cannot be imported: the other way finds that out
        return []
    finally:
        sys.modules[module.__name__] = module
    return [
        (user, name, value)
        for name, value in vars(changed).items()
        if not name.startswith("__") and isinstance(value, CONSTANTS) and value != vars(module).get(name)
        for user in list(sys.modules.values())
        if vars(user).get(name) is vars(module)[name]
    ]
