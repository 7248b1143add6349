"""How moments and spans of time are written for people."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from withings_auth.wording import clock_time, days_ago, local_time, span

MOMENT = 1_700_028_800


@pytest.fixture
def in_paris(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_moment_is_written_in_the_machines_time_zone() -> None:
    assert (local_time(MOMENT), clock_time(MOMENT)) == ("2023-11-15 06:13", "06:13")


@pytest.mark.usefixtures("in_paris")
def test_the_time_zone_is_the_one_that_is_set_now() -> None:
    assert (local_time(MOMENT), clock_time(MOMENT)) == ("2023-11-15 07:13", "07:13")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.9, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (300, "5 min"),
        (3599.9, "59 min 59 s"),
        (3600, "1 h"),
        (10_799, "2 h 59 min"),
        (86_400, "24 h"),
        (2 * 86_400 - 1, "47 h 59 min"),
        (2 * 86_400, "2 days"),
        (365 * 86_400 - 1, "364 days"),
    ],
)
def test_a_span_has_two_units_at_most_and_is_never_rounded_up(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("days", "text"), [(0, "today"), (0.9, "today"), (1.5, "yesterday"), (3.5, "3 days ago"), (-1, "recently")]
)
def test_days_ago(days: float, text: str) -> None:
    assert days_ago(days * 86_400) == text
