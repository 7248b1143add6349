"""A call with an access token: 401 within HTTP 200 renews once and repeats once, and nothing goes elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.renewal.scene import Clock, Scene
from withings_auth.calls import call
from withings_auth.errors import ConfigurationError, LoginRequired, ProviderUnavailable
from withings_auth.protocol import Answer, Failure, read_body
from withings_auth.sandbox import Sandbox
from withings_auth.source import TokenSource
from withings_auth.store.memory_store import MemoryStore

WEIGHTS = {"action": "getmeas", "meastype": "1"}


@pytest.fixture
def scene() -> Iterator[Scene]:
    """Somebody logged in ten minutes ago, by the clock of the wall."""
    clock = Clock()
    clock.at = time.time() - 600
    with Sandbox() as sandbox:
        scene = Scene(MemoryStore(), sandbox, clock)
        scene.log_in(age=600)
        yield scene


def url(scene: Scene) -> str:
    return f"{scene.sandbox.url}/measure"


def test_it_brings_what_stands_in_the_body(scene: Scene) -> None:
    body = read_body(call(TokenSource(store=scene.store), url(scene), WEIGHTS))
    assert isinstance(body, dict)
    assert body["measuregrps"]


def test_a_dead_token_is_renewed_once_and_the_call_repeated_once(scene: Scene) -> None:
    """Statement 33: Withings says so in HTTP 200, though the token looked alive."""
    scene.sandbox.expire_access_token()
    body = read_body(call(TokenSource(store=scene.store), url(scene), WEIGHTS))
    assert isinstance(body, dict)
    assert (scene.sandbox.counters.refreshes, scene.sandbox.counters.data_requests) == (1, 2)


def test_a_second_refusal_is_the_answer(scene: Scene) -> None:
    scene.sandbox.fail_next("status", where="measure", times=2, status=401, error="invalid_token")
    failure = read_body(call(TokenSource(store=scene.store), url(scene), WEIGHTS))
    assert isinstance(failure, Failure)
    assert (failure.status, scene.sandbox.counters.refreshes) == (401, 1)


def test_another_refusal_renews_nothing(scene: Scene) -> None:
    failure = read_body(call(TokenSource(store=scene.store), url(scene), {"action": "nothing"}))
    assert isinstance(failure, Failure)
    assert scene.sandbox.counters.refreshes == 0


def test_nobody_hears_the_token_but_its_api(scene: Scene) -> None:
    """Statement 26: another address gets nothing at all."""

    def send(_url: str, _form: object, *, access_token: str) -> Answer:
        raise AssertionError(f"{len(access_token)} characters were sent")

    with pytest.raises(ConfigurationError):
        call(TokenSource(store=scene.store), "https://elsewhere.invalid/measure", WEIGHTS, send=send)


def test_no_answer_is_temporary(scene: Scene) -> None:
    scene.sandbox.fail_next("lost", where="measure")
    with pytest.raises(ProviderUnavailable):
        call(TokenSource(store=scene.store), url(scene), WEIGHTS)


def test_a_login_that_has_ended_is_told(scene: Scene) -> None:
    scene.sandbox.expire_access_token()
    scene.sandbox.kill_refresh_token()
    with pytest.raises(LoginRequired):
        call(TokenSource(store=scene.store), url(scene), WEIGHTS)
