"""The simulation runs without coverage, which would double its time and find nothing that other tests do not reach."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", autouse=True)
def _unmeasured() -> Iterator[None]:
    loaded = sys.modules.get("coverage")
    measurement = loaded.Coverage.current() if loaded else None
    if measurement is None:
        yield
    else:
        measurement.stop()
        yield
        measurement.start()
