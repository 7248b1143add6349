"""Whatever Withings does where nobody knows: the same promises under every answer to the open questions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict

import pytest

from tests.renewal.scene import HOUR, Clock, Scene
from tests.renewal.stores import Unsavable
from withings_auth.errors import LoginRequired, ProviderUnavailable, StoreError, StoreNotDurable
from withings_auth.sandbox import Sandbox, Switches
from withings_auth.store.memory_store import MemoryStore

# The switches that bear on which tokens live: all combinations. Those that bear on an answer's form go both ways too.
LIFE_AND_DEATH = (
    "access_token_survives_refresh",
    "repeated_refresh_restarts_grace",
    "repeated_refresh_returns_same_pair",
    "earlier_answer_dies_on_repeat",
)
COMBINATIONS = [
    *(
        dict(zip(LIFE_AND_DEATH, values, strict=True))
        for values in itertools.product([False, True], repeat=len(LIFE_AND_DEATH))
    ),
    {"wait_seconds_told": False},
    {"failures_carry_body": False},
]


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def shared(clock: Clock) -> Iterator[Sandbox]:
    """One sandbox for all combinations; each test logs in anew, so that nothing is left of the one before."""
    with Sandbox(now=clock) as sandbox:
        yield sandbox


@pytest.fixture(params=COMBINATIONS, ids=lambda turned: ",".join(f"{name}={value}" for name, value in turned.items()))
def scene(shared: Sandbox, clock: Clock, request: pytest.FixtureRequest) -> Scene:
    shared.clear_faults()
    shared.revoke_person()
    shared.switch(**{**asdict(Switches()), **request.param})
    clock.waits.clear()
    scene = Scene(MemoryStore(), shared, clock)
    scene.log_in()
    return scene


def test_a_chain_of_renewals(scene: Scene) -> None:
    for _ in range(3):
        new = scene.renew()
        assert scene.works(new)
        scene.clock.at = new.expires_at


def test_a_lost_answer(scene: Scene) -> None:
    """Repeated once after the guard; what is stored works, and so does its successor."""
    scene.sandbox.fail_next("lost")
    new = scene.renew()
    assert scene.works(new)
    scene.clock.at = new.expires_at
    assert scene.works(scene.renew())
    assert scene.nobody_was_hasty()


def test_every_answer_lost_until_the_last_moment(scene: Scene) -> None:
    """Up to the deadline that was told, another try saves the login; after it, it may be lost, and only then."""
    scene.sandbox.fail_next("lost", times=2)
    with pytest.raises(ProviderUnavailable, match="only before"):
        scene.renew()
    deadline = scene.sent[0].at + 8 * HOUR
    scene.clock.at = deadline - 1
    assert scene.works(scene.renew())


def test_after_the_deadline_it_is_found_or_told(scene: Scene) -> None:
    """Statement 31: the refusal comes from Withings, never from our own count of hours."""
    scene.sandbox.fail_next("lost", times=2)
    with pytest.raises(ProviderUnavailable):
        scene.renew()
    scene.clock.at += 9 * HOUR
    with pytest.raises(LoginRequired, match="invalid refresh_token"):
        scene.renew()


def test_lost_before_it_arrived_is_never_too_late(scene: Scene) -> None:
    """A request that did not arrive has used nothing up: days later the same refresh token is good."""
    scene.sandbox.fail_next("lost_before", times=2)
    with pytest.raises(ProviderUnavailable):
        scene.renew()
    scene.clock.at += 72 * HOUR
    assert scene.works(scene.renew())


def test_a_save_that_failed(scene: Scene) -> None:
    error: StoreError = StoreNotDurable("it lies")
    with pytest.raises(StoreNotDurable):
        scene.renew(store=Unsavable(scene.store, error))
    assert scene.works(scene.renew())
    assert scene.nobody_was_hasty()


def test_601_and_then_lost(scene: Scene) -> None:
    scene.sandbox.fail_next("too_many")
    scene.sandbox.fail_next("truncated")
    assert scene.works(scene.renew())
    assert scene.nobody_was_hasty()
    assert scene.sandbox.counters.faults > 0


def test_a_data_call_rejects_what_a_renewal_has_replaced(scene: Scene) -> None:
    """Statement 33: a program that holds the old token reports it and gets the stored one, without a renewal."""
    old = scene.stored
    new = scene.renew()
    assert scene.works(new)
    refreshes = scene.sandbox.counters.refreshes
    assert scene.renew(rejected=old.access_token) == new
    assert scene.sandbox.counters.refreshes == refreshes
