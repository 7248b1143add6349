"""What is tried again, when and for how long, on a clock that no test waits for."""

from __future__ import annotations

import weakref

import pytest

from withings_auth.cli.retry import retry
from withings_auth.errors import (
    ConfigurationError,
    LockBusy,
    LockLost,
    LoginRequired,
    ProviderError,
    ProviderUnavailable,
    StoreUnavailable,
    WithingsAuthError,
)


class Flaky:
    """Fails as ordered and then answers, on a clock that sleeping advances."""

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

    def retry(self, limit: float) -> str:
        return retry(self.ask, limit_seconds=limit, tell=self.told.append, sleep=self.sleep, steady=lambda: self.at)


def down(retry_after: float | None = None) -> ProviderUnavailable:
    return ProviderUnavailable("down", retry_after=retry_after)


def test_the_first_answer_is_returned() -> None:
    flaky = Flaky()
    assert (flaky.retry(300), flaky.tried_at, flaky.told) == ("answer", [0], [])


def test_the_pauses_grow_up_to_a_minute() -> None:
    flaky = Flaky(*[down() for _ in range(6)])
    assert flaky.retry(3600) == "answer"
    assert flaky.tried_at == [0, 5, 15, 35, 75, 135, 195]


def test_only_the_first_failure_is_told() -> None:
    flaky = Flaky(LockBusy("busy"), LockLost("gone"), down())
    flaky.retry(300)
    assert flaky.told == ["busy"]


def test_a_failure_is_not_kept_alive_during_the_wait() -> None:
    """Tearing down a traceback can swallow a Ctrl-C, so that is over before the wait is announced."""
    flaky = Flaky()
    failures = [down()]
    alive = weakref.ref(failures[0])
    dead_when: list[bool] = []

    def ask() -> str:
        if failures:
            raise failures.pop()
        return "answer"

    retry(
        ask,
        limit_seconds=300,
        tell=lambda _: dead_when.append(alive() is None),
        sleep=lambda _: dead_when.append(alive() is None),
        steady=lambda: flaky.at,
    )
    assert dead_when == [True, True]


def test_a_repeat_guard_without_a_time_is_waited_out() -> None:
    """Withings refuses the same call for ten seconds, and asking earlier is useless; it does not always say so."""
    flaky = Flaky(ProviderUnavailable("too soon", status=601), ProviderUnavailable("bad gateway", status=502))
    flaky.retry(300)
    assert flaky.tried_at == [0, 11, 21]


def test_a_longer_pause_that_the_failure_names_is_kept() -> None:
    flaky = Flaky(down(40), down(1), down(0))
    flaky.retry(300)
    assert flaky.tried_at == [0, 40, 50, 70]


@pytest.mark.parametrize("limit", [0, 0.0])
def test_without_a_limit_there_is_one_try(limit: float) -> None:
    flaky = Flaky(down())
    with pytest.raises(ProviderUnavailable):
        flaky.retry(limit)
    assert (flaky.tried_at, flaky.told) == ([0], [])


def test_the_last_try_is_at_the_limit_and_its_failure_is_raised() -> None:
    last = down()
    flaky = Flaky(down(), down(), last)
    with pytest.raises(ProviderUnavailable) as caught:
        flaky.retry(12)
    assert flaky.tried_at == [0, 5, 12]
    assert caught.value is last


def test_tries_that_take_long_count_too() -> None:
    flaky = Flaky(*[down() for _ in range(9)], takes=30)
    with pytest.raises(ProviderUnavailable):
        flaky.retry(60)
    assert flaky.tried_at == [0, 35]


def test_a_pause_past_the_limit_is_not_waited_for() -> None:
    flaky = Flaky(down(61))
    with pytest.raises(ProviderUnavailable):
        flaky.retry(60)
    assert (flaky.tried_at, flaky.told) == ([0], [])


@pytest.mark.parametrize("kind", [LoginRequired, ConfigurationError, ProviderError, StoreUnavailable])
def test_a_permanent_failure_is_raised_at_once(kind: type[WithingsAuthError]) -> None:
    flaky = Flaky(kind("no"))
    with pytest.raises(kind):
        flaky.retry(300)
    assert flaky.tried_at == [0]
