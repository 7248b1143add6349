"""A request that Withings refuses because it came too soon (status 601) is repeated once, after the wait."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from tests.adapters.clients import CLIENTS, Awaited, Client, Httpx, Requests
from tests.support.places import Reply, envelope
from tests.support.services import Api, Login
from withings_auth.sandbox import Sandbox
from withings_auth.store.base import SecretStore

DEVICES = {"action": "getdevice"}


class Waits:
    """Waits that only move the sandbox's clock."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.seconds: list[float] = []
        self._sandbox = sandbox

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._sandbox.advance(seconds)

    async def awaited(self, seconds: float) -> None:
        self(seconds)


Make = Callable[..., Client]


@pytest.fixture
def waits(sandbox: Sandbox) -> Waits:
    return Waits(sandbox)


@pytest.fixture(params=CLIENTS, ids=lambda made: made.__name__)
def make(request: pytest.FixtureRequest, store: SecretStore, waits: Waits) -> Iterator[Make]:
    """Makes a client with an adapter that has these options."""
    with ExitStack() as open_until_the_end:

        def make(**options: Any) -> Client:
            wait = waits.awaited if issubclass(request.param, Awaited) else waits
            made: Client = request.param(store, wait=wait, **options)
            open_until_the_end.callback(made.close)
            return made

        yield make


def replies(*statuses: int | Reply) -> Callable[[object], Reply]:
    """Returns what the API answers, one after the other."""
    left = list(statuses)

    def answer(_: object) -> Reply:
        reply = left.pop(0)
        return envelope(reply) if isinstance(reply, int) else reply

    return answer


def status(client: Client, url: str, **details: Any) -> int:
    found = json.loads(client.send("POST", url, **details).body)["status"]
    assert isinstance(found, int)
    return found


def test_the_same_call_twice(make: Make, login: Login, sandbox: Sandbox, waits: Waits) -> None:
    """The second one waits as long as Withings asks, and gets its answer: the sandbox would refuse it earlier."""
    login.at_sandbox(sandbox)
    client = make()
    for _ in range(2):
        assert status(client, f"{sandbox.url}/v2/user", form=DEVICES) == 0
    (seconds,) = waits.seconds
    assert 0 < seconds <= 10
    assert sandbox.counters.data_requests == 3


def test_once_and_no_more(make: Make, login: Login, api: Api, waits: Waits) -> None:
    """The second refusal is the caller's; the next request has its own wait."""
    api.good = login.at(api.url).access_token
    api.accept = replies(601, 601, 601, 0)
    client = make()
    assert [status(client, f"{api.url}/v2/user", form=DEVICES) for _ in range(2)] == [601, 0]
    assert (waits.seconds, len(api.calls), len({seen.body for seen in api.calls})) == ([11, 11], 4, 1)


@pytest.mark.parametrize("first", [401, 601])
def test_a_dead_token_besides(make: Make, login: Login, api: Api, waits: Waits, first: int) -> None:
    """Whichever comes first, the other one is dealt with too."""
    login.at(api.url)
    if first == 401:
        api.accept = replies(601, 0)
    else:
        api.refuse = replies(601, 401)
    client = make()
    assert status(client, f"{api.url}/v2/user", form=DEVICES) == 0
    assert (sum(waits.seconds), len(api.calls), api.refreshes) == (11, 3, 1)


@pytest.mark.parametrize("library", [Httpx, Requests])
def test_every_answer_is_known(
    login: Login, api: Api, store: SecretStore, waits: Waits, library: type[Httpx | Requests]
) -> None:
    """The refusals are in the history, in their order."""
    login.at(api.url)
    api.refuse = replies(601, 401)
    with closing(library(store, wait=waits)) as client:
        response = client.send("GET", f"{api.url}/v2/user").response
    assert [past.json()["status"] for past in response.history] == [601, 401]


def test_a_longer_wait_is_the_callers_to_decide(make: Make, login: Login, api: Api, waits: Waits) -> None:
    """Unless the program allows it, and none if it allows none."""
    api.good = login.at(api.url).access_token
    minute, now = envelope(601, wait_seconds=60), envelope(601, wait_seconds=0)
    api.accept = replies(minute, minute, 0, now)
    url = f"{api.url}/v2/user"
    assert status(make(), url, form=DEVICES) == 601
    assert status(make(longest_wait=60), url, form=DEVICES) == 0
    assert status(make(longest_wait=0), url, form=DEVICES) == 601
    assert (waits.seconds, len(api.calls)) == ([60], 4)


def test_what_can_be_sent_once_is_not_waited_for(make: Make, login: Login, api: Api, waits: Waits) -> None:
    api.good = login.at(api.url).access_token
    api.accept = replies(601)
    client = make()
    assert status(client, f"{api.url}/v2/user", content=client.one_shot(b"one", b"two")) == 601
    assert waits.seconds == []


def test_the_wait_is_real(client: Client, login: Login, api: Api) -> None:
    """The one that every program gets."""
    api.good = login.at(api.url).access_token
    api.accept = replies(envelope(601, wait_seconds=1), 0)
    began = time.monotonic()
    assert status(client, f"{api.url}/v2/user", form=DEVICES) == 0
    assert time.monotonic() - began >= 1
