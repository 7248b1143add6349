"""Whether Withings lets a token in: by the cheapest call, and never fooled by a request that came too soon."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tests.tokens.scene import Scene
from withings_auth.errors import LoginRequired, ProviderError, ProviderUnavailable
from withings_auth.model import ALL_SCOPES
from withings_auth.provider.check import cheapest_call, check
from withings_auth.tokens.source import TokenSource


def checked(scene: Scene, *, now: float | None = None) -> bool:
    """A check; while it waits, the sandbox's time passes."""
    source = TokenSource(store=scene.store)
    wait, moment = scene.sandbox.advance, time.time() if now is None else now
    return check(source, "default", scene.sandbox.url, wait=wait, now=lambda: moment)


@pytest.mark.parametrize(
    ("scopes", "path"),
    [
        (ALL_SCOPES, "/measure"),
        (("user.metrics",), "/measure"),
        (("user.info", "user.activity"), "/v2/user"),
        (("user.activity", "user.sleepevents"), None),
        ((), None),
    ],
)
def test_the_cheapest_call_is_one_that_the_scopes_allow(scopes: tuple[str, ...], path: str | None) -> None:
    cheapest = cheapest_call(scopes, 1_700_000_000.9)
    assert (cheapest and cheapest[0]) == path


def test_the_weights_since_now_are_asked_for() -> None:
    """The answer is empty, and the next second's request another one."""
    form = {"action": "getmeas", "meastype": "1", "lastupdate": "1700000000"}
    assert cheapest_call(ALL_SCOPES, 1_700_000_000.9) == ("/measure", form)


def test_a_token_that_works(scene: Scene) -> None:
    assert checked(scene)
    assert (scene.sandbox.counters.data_requests, scene.sandbox.counters.refreshes) == (1, 0)


def test_a_dead_token_is_renewed_and_asked_for_again(scene: Scene) -> None:
    scene.sandbox.expire_access_token()
    assert checked(scene)
    assert scene.sandbox.counters.refreshes == 1


def test_a_login_that_has_ended(scene: Scene) -> None:
    scene.sandbox.revoke_person()
    with pytest.raises(LoginRequired):
        checked(scene)


def test_a_new_token_that_is_refused_too_means_a_login(scene: Scene) -> None:
    """Withings accepts neither the stored token nor the new one: only the user can help."""
    scene.sandbox.fail_next("status", where="measure", times=2, status=401, error="invalid_token")
    with pytest.raises(LoginRequired, match="a new one was refused too"):
        checked(scene)
    assert scene.sandbox.counters.refreshes == 1


def test_no_answer_is_temporary(scene: Scene) -> None:
    scene.sandbox.fail_next("lost", where="measure")
    with pytest.raises(ProviderUnavailable):
        checked(scene)


def test_another_refusal_keeps_its_status(scene: Scene) -> None:
    """It says nothing about the login."""
    scene.sandbox.fail_next("status", where="measure", status=2555, error="An unknown error occurred")
    with pytest.raises(ProviderError) as raised:
        checked(scene)
    assert (raised.value.status, raised.value.exit_code) == (2555, 1)


@pytest.mark.parametrize("told", [True, False])
def test_two_checks_in_a_row(scene: Scene, told: bool) -> None:
    """The second one is the same request within ten seconds: it is waited out, and is no dead login."""
    scene.sandbox.switch(wait_seconds_told=told)
    assert checked(scene, now=1_700_000_000)
    assert checked(scene, now=1_700_000_000)
    assert scene.sandbox.counters.refusals == 1


def test_a_long_wait_is_left_to_the_caller(scene: Scene) -> None:
    """Withings' own seconds are passed on."""
    scene.sandbox.fail_next("too_many", where="measure", wait_seconds=60)
    with pytest.raises(ProviderUnavailable) as raised:
        checked(scene)
    assert raised.value.retry_after == 60


def test_it_waits_once(scene: Scene) -> None:
    scene.sandbox.fail_next("too_many", where="measure", times=2)
    with pytest.raises(ProviderUnavailable):
        checked(scene)
    assert scene.sandbox.counters.faults == 2


def test_scopes_that_allow_no_check(scene: Scene) -> None:
    """A token can be had, and that is all that is known."""
    scene.save(replace(scene.stored, scopes=("user.activity", "user.sleepevents")))
    assert not checked(scene)
    assert scene.sandbox.counters.data_requests == 0
