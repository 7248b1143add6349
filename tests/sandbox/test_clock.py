"""The sandbox's clock follows the real one, can be advanced, and never goes back."""

from __future__ import annotations

import math
import time

import pytest

from withings_auth.sandbox import Sandbox
from withings_auth.sandbox.state import Clock


def test_it_follows_the_time_that_it_is_given() -> None:
    times = iter([100.0, 103.5])
    clock = Clock(lambda: next(times))

    assert (clock.now(), clock.now()) == (100.0, 103.5)


def test_advancing_adds_up() -> None:
    clock = Clock(lambda: 100.0)
    clock.advance(3 * 3600)
    clock.advance(0.5)

    assert clock.now() == 100.0 + 3 * 3600 + 0.5
    assert clock.offset_seconds == 3 * 3600 + 0.5


def test_by_default_it_follows_the_real_time() -> None:
    before = time.time()

    assert before <= Clock().now() <= time.time()


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf, -math.inf])
def test_it_cannot_go_back_or_astray(seconds: float) -> None:
    clock = Clock(lambda: 100.0)

    with pytest.raises(ValueError, match="advanced"):
        clock.advance(seconds)
    assert clock.now() == 100.0


def test_a_sandbox_takes_other_units_too() -> None:
    sandbox = Sandbox(now=lambda: 100.0)
    sandbox.advance(7)
    sandbox.advance(1, minutes=2, hours=3, days=4)

    assert sandbox.now() == 108.0 + 2 * 60 + 3 * 3600 + 4 * 86400
