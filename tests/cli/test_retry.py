"""Trying again: what is tried again, when, and for how long; told on a clock that no test waits for."""

from __future__ import annotations

import weakref

import pytest

from withings_auth.cli.retry import patiently
from withings_auth.errors import (
    ConfigurationError,
    LockBusy,
    LoginRequired,
    ProviderError,
    ProviderUnavailable,
    StoreUnavailable,
    WithingsAuthError,
)


class Asked:
    """Something that fails as ordered and then answers, on a clock that moves with each sleep."""

    def __init__(self, *failures: WithingsAuthError, takes: float = 0) -> None:
        self.failures = list(failures)
        self.takes = takes
        self.at = 100.0
        self.tried_at: list[float] = []
        self.told: list[str] = []

    def ask(self) -> str:
        self.tried_at.append(self.at - 100)
        self.at += self.takes
        if self.failures:
            raise self.failures.pop(0)
        return "answer"

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.at += seconds

    def patiently(self, limit: float) -> str:
        return patiently(self.ask, limit_seconds=limit, tell=self.told.append, sleep=self.sleep, steady=lambda: self.at)


def down(retry_after: float | None = None) -> ProviderUnavailable:
    return ProviderUnavailable("down", retry_after=retry_after)


def test_the_first_answer_is_the_answer() -> None:
    asked = Asked()
    assert (asked.patiently(300), asked.tried_at, asked.told) == ("answer", [0], [])


def test_the_pauses_grow_up_to_a_minute() -> None:
    asked = Asked(*[down() for _ in range(6)])
    assert asked.patiently(3600) == "answer"
    assert asked.tried_at == [0, 5, 15, 35, 75, 135, 195]


def test_only_the_first_failure_is_told() -> None:
    asked = Asked(LockBusy("busy"), down(), down())
    asked.patiently(300)
    assert asked.told == ["busy"]


def test_nothing_of_a_failure_is_held_while_it_waits() -> None:
    """Taking down what a traceback holds can swallow a Ctrl-C: that is over before anybody knows of the wait."""
    asked = Asked()
    failures = [down()]
    alive = weakref.ref(failures[0])
    dead_when: list[bool] = []

    def ask() -> str:
        if failures:
            raise failures.pop()
        return "answer"

    patiently(
        ask,
        limit_seconds=300,
        tell=lambda _: dead_when.append(alive() is None),
        sleep=lambda _: dead_when.append(alive() is None),
        steady=lambda: asked.at,
    )
    assert dead_when == [True, True]


def test_a_failure_that_names_a_longer_time_is_given_it() -> None:
    asked = Asked(down(40), down(1), down(0))
    asked.patiently(300)
    assert asked.tried_at == [0, 40, 50, 70]


@pytest.mark.parametrize("limit", [0, 0.0])
def test_no_patience_is_one_try(limit: float) -> None:
    asked = Asked(down())
    with pytest.raises(ProviderUnavailable):
        asked.patiently(limit)
    assert (asked.tried_at, asked.told) == ([0], [])


def test_the_last_try_is_at_the_limit_and_its_failure_is_the_end() -> None:
    last = down()
    asked = Asked(down(), down(), last)
    with pytest.raises(ProviderUnavailable) as caught:
        asked.patiently(12)
    assert asked.tried_at == [0, 5, 12]
    assert caught.value is last


def test_tries_that_take_long_count_too() -> None:
    asked = Asked(*[down() for _ in range(9)], takes=30)
    with pytest.raises(ProviderUnavailable):
        asked.patiently(60)
    assert asked.tried_at == [0, 35]


def test_a_time_past_the_limit_is_not_waited_for() -> None:
    asked = Asked(down(61))
    with pytest.raises(ProviderUnavailable):
        asked.patiently(60)
    assert (asked.tried_at, asked.told) == ([0], [])


@pytest.mark.parametrize("kind", [LoginRequired, ConfigurationError, ProviderError, StoreUnavailable])
def test_what_waiting_does_not_help_is_raised_at_once(kind: type[WithingsAuthError]) -> None:
    asked = Asked(kind("no"))
    with pytest.raises(kind):
        asked.patiently(300)
    assert asked.tried_at == [0]
