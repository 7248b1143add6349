"""How pytest finds the tests, in which order each worker begins with them, and how it ends."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest
from coverage import Coverage
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = (
    "tests/simulation/",
    "tests/sweep/",
    "tests/test_demo.py",
    "tests/tokens/database/",
    "tests/tokens/test_clocks.py",
    "tests/tokens/test_failing_saves.py",
    "tests/tokens/test_switches.py",
    "tests/tokens/test_together.py",
    "tests/tokens/test_two_machines.py",
)


@settings(max_examples=1, database=None)
@given(st.none())
def _run_once(_: None) -> None:
    """Does nothing."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lets each worker begin with a share of the long tests, so that none is left with one of them in the end.

    pytest-xdist gives each worker a run of neighbours first (`--dist=worksteal`). The tests with a browser are
    neighbours, so that one worker starts it.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = [item for item in items if item.nodeid.startswith(LONG)]
    others = [item for item in items if not item.nodeid.startswith(LONG)]
    others.sort(key=lambda item: "_engine" not in getattr(item, "fixturenames", ()))
    share = -(-len(others) // workers)
    items[:] = [
        item
        for worker in range(workers)
        for item in [*long[worker::workers], *others[worker * share : (worker + 1) * share]]
    ]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Spares the garbage collections of this time, and each one that follows, a look at thousands of tests."""
    # Hypothesis warns if its source of random numbers is frozen before it has used it (Python 3.14). It looks at
    # all objects then, of which there are fewest now.
    _run_once()
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_sessionfinish() -> None:
    """Saves what was measured: pytest-xdist kills a worker that takes more than ten seconds to end."""
    if (measuring := Coverage.current()) is not None:
        measuring.save()
