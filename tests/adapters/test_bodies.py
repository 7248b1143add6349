"""A repeated request is identical, a body that can be sent only once is sent once, and answers read as usual."""

from __future__ import annotations

import io
import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import aiohttp
import httpx
import pytest
import requests

from tests.adapters.clients import CLIENTS, Aiohttp, Client, Httpx, Requests
from tests.support.places import Place, Reply, Seen, always, envelope
from tests.support.services import Api, Login
from withings_auth.errors import ProviderUnavailable
from withings_auth.store.base import SecretStore

OCTETS = "application/octet-stream"
REPLIES = {
    "small": envelope(0, text="ä" * 40),
    "large": envelope(0, text="x" * 300_000),
    "just small": envelope(0, text="y" * 65_400),
    "no json": Reply(media_type="text/csv", body=b"1;2\n" * 50_000),
    "empty": Reply(),
}


def as_sent(seen: Seen) -> tuple[object, ...]:
    """Everything in a request but its credential."""
    return seen.method, seen.target, seen.body, {**seen.headers, "authorization": ""}


class Unseekable(io.BytesIO):
    """A file that cannot be rewound, like a pipe."""

    def seekable(self) -> bool:
        return False

    def seek(self, _offset: int, _whence: int = 0) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


class TestRequests:
    """What is sent."""

    @pytest.mark.parametrize(
        ("method", "details"),
        [
            ("GET", {}),
            ("POST", {"form": {"action": "getdevice", "ümlaut": "ä & b"}}),
            ("POST", {"content": b'{"a": "\xc3\xa4"}', "headers": {"Content-Type": "application/json", "X-One": "1"}}),
            ("PUT", {"content": bytes(range(256)) * 4000, "headers": {"Content-Type": OCTETS}}),
        ],
        ids=["none", "form", "json", "a megabyte"],
    )
    def test_a_repeated_request_is_the_same(
        self, client: Client, login: Login, api: Api, method: str, details: dict[str, Any]
    ) -> None:
        """Byte for byte, with the same method, address and headers; only the token differs."""
        old = login.at(api.url).access_token
        assert client.send(method, f"{api.url}/v2/user?x=%2C&y=1#part", **details).http_status == 200
        first, second = api.calls
        assert as_sent(first) == as_sent(second)
        assert (first.authorization, second.authorization) == (f"Bearer {old}", f"Bearer {api.good}")

    def test_what_can_be_sent_once_is_sent_once(self, client: Client, login: Login, api: Api) -> None:
        """The caller gets the refusal, never half a request; the source is told, so the next request succeeds."""
        login.at(api.url)
        headers = {"Content-Type": OCTETS}
        got = client.send("POST", f"{api.url}/v2/user", content=client.one_shot(b"one", b"two"), headers=headers)
        assert json.loads(got.body)["status"] == 401
        assert [seen.body for seen in api.calls] == [b"onetwo"]
        got = client.send("POST", f"{api.url}/v2/user", content=client.one_shot(b"three"), headers=headers)
        assert json.loads(got.body)["status"] == 0
        assert ([seen.body for seen in api.calls], api.refreshes) == ([b"onetwo", b"three"], 1)

    @pytest.mark.parametrize(("made", "times"), [(io.BytesIO, 2), (Unseekable, 1)])
    def test_requests_winds_a_file_back(
        self, login: Login, api: Api, store: SecretStore, made: type[io.BytesIO], times: int
    ) -> None:
        """A file is rewound to its earlier position; one that cannot be is sent once."""
        login.at(api.url)
        file = made(b"before, after")
        file.read(8)
        with closing(Requests(store)) as client:
            client.send("POST", f"{api.url}/v2/user", content=file, headers={"Content-Type": OCTETS})
        assert ([seen.body for seen in api.calls], api.refreshes) == ([b"after"] * times, 1)

    @pytest.mark.parametrize("library", [Httpx, Aiohttp])
    def test_the_others_send_a_file_once(
        self, login: Login, api: Api, store: SecretStore, library: type[Httpx | Aiohttp]
    ) -> None:
        login.at(api.url)
        with closing(library(store)) as client:
            client.send("POST", f"{api.url}/v2/user", content=io.BytesIO(b"file"), headers={"Content-Type": OCTETS})
        assert ([seen.body for seen in api.calls], api.refreshes) == ([b"file"], 1)

    def test_the_connection_is_used_again(self, client: Client, login: Login, api: Api) -> None:
        """The refused answer is read to its end and released."""
        login.at(api.url)
        client.send("POST", f"{api.url}/v2/user", form={"action": "getdevice"})
        client.send("POST", f"{api.url}/v2/user", form={"action": "getdevice"})
        assert len(api.calls) == 3
        assert len({seen.connection for seen in api.calls}) == 1


class TestAnswers:
    """What is received."""

    @pytest.mark.parametrize("refused", [False, True])
    def test_an_answer_is_read_as_ever(self, client: Client, login: Login, api: Api, refused: bool) -> None:
        """Whole or in pieces, inspected or not, at the first try or the second."""
        for (name, reply), stream in itertools.product(REPLIES.items(), (False, True)):
            grant = login.at(api.url)
            api.good = None if refused else grant.access_token
            api.accept = always(reply)
            assert client.send("GET", f"{api.url}/v2/user", stream=stream).body == reply.body, (name, stream)
        assert api.refreshes == (2 * len(REPLIES) if refused else 0)

    @pytest.mark.parametrize("stream", [False, True])
    def test_a_refusal_is_read_as_ever(self, client: Client, login: Login, api: Api, stream: bool) -> None:
        login.at(api.url)
        api.accept = api.refuse
        assert json.loads(client.send("GET", f"{api.url}/v2/user", stream=stream).body)["status"] == 401

    @pytest.mark.parametrize(
        ("media_type", "size"), [(OCTETS, 1000), ("text/html", 1000), ("application/json", 70_000)]
    )
    def test_data_is_not_read_before_the_caller_does(
        self, client: Client, login: Login, api: Api, media_type: str, size: int
    ) -> None:
        """The server sends the second half only once the caller has the answer."""
        api.good = login.at(api.url).access_token
        in_hand = threading.Event()
        reply = Reply(media_type=media_type, body=b"1" * size, hold=in_hand)
        api.accept = lambda _: reply
        assert client.send("GET", f"{api.url}/v2/user", stream=True, opened=in_hand.set).body == reply.body

    def test_nothing_that_comes_from_elsewhere_is(
        self, client: Client, login: Login, api: Api, elsewhere: Place
    ) -> None:
        login.at(api.url)
        in_hand = threading.Event()
        reply = Reply(body=b"1" * 1000, hold=in_hand)
        elsewhere.answer = lambda _: reply
        assert client.send("GET", elsewhere.url, stream=True, opened=in_hand.set).body == reply.body


class TestConnections:
    """A session with a single connection, which blocks the next request unless it is released."""

    @pytest.fixture(params=CLIENTS, ids=lambda made: made.__name__)
    def narrow(self, request: pytest.FixtureRequest, store: SecretStore) -> Iterator[Client]:
        with closing(request.param(store, connections=1)) as client:
            yield client

    @pytest.mark.parametrize("size", [100, 1_000_000])
    def test_an_unread_refusal_lets_go_of_it(self, narrow: Client, login: Login, api: Api, size: int) -> None:
        login.at(api.url)
        api.refuse = lambda _: Reply(http_status=401, media_type="text/html", body=b"x" * size)
        assert narrow.send("GET", f"{api.url}/v2/user", stream=True).http_status == 200

    def test_so_does_a_renewal_that_fails(self, narrow: Client, login: Login, api: Api) -> None:
        login.at(api.url, age=5)
        assert narrow.send("GET", f"{api.url}/v2/user").http_status == 200  # with a token that replaced a rejected one
        api.good = None
        api.refuse = lambda _: Reply(http_status=401, media_type="text/html", body=b"x" * 1_000_000)
        with pytest.raises(ProviderUnavailable):
            narrow.send("GET", f"{api.url}/v2/user", stream=True)
        api.good = login.access_token
        assert narrow.send("GET", f"{api.url}/v2/user").http_status == 200


class TestSessions:
    """The session's other features go on working."""

    def test_requests_knows_both_answers_and_calls_the_hooks_with_the_last(
        self, login: Login, api: Api, store: SecretStore
    ) -> None:
        old = login.at(api.url).access_token
        _with_cookies(api)
        heard: list[int] = []
        with closing(Requests(store)) as client:
            client.session.hooks["response"] = [lambda response, **_: heard.append(response.json()["status"])]
            response = client.send("GET", f"{api.url}/v2/user").response
        assert (heard, [past.json()["status"] for past in response.history]) == ([0], [401])
        assert response.request.headers["Authorization"] == f"Bearer {api.good}"
        assert response.history[0].request.headers["Authorization"] == f"Bearer {old}"
        assert client.session.cookies.get_dict() == {"refused": "1", "accepted": "1"}

    def test_httpx_knows_both_answers(self, login: Login, api: Api, store: SecretStore) -> None:
        login.at(api.url)
        _with_cookies(api)
        heard: list[int] = []
        with closing(Httpx(store)) as client:
            client.client.event_hooks = {"response": [lambda response: heard.append(response.status_code)]}
            response = client.send("GET", f"{api.url}/v2/user").response
        assert (heard, [past.json()["status"] for past in response.history]) == ([200, 200], [401])
        assert dict(client.client.cookies) == {"refused": "1", "accepted": "1"}

    def test_no_error_shows_the_token(self, client: Client, login: Login, api: Api) -> None:
        """Statement 23: aiohttp's errors show the request's headers in their repr."""
        api.good = login.at(api.url).access_token
        api.accept = lambda _: Reply(http_status=500, body=b"{}")
        got = client.send("GET", f"{api.url}/v2/user")
        known = (aiohttp.ClientResponseError, httpx.HTTPStatusError, requests.HTTPError)
        with pytest.raises(known) as raised:
            got.response.raise_for_status()
        shown = [raised.value, got.response, vars(client)]
        assert api.good not in repr(shown)


def _with_cookies(api: Api) -> None:
    body = envelope(401).body
    api.refuse = lambda _: Reply(body=body, headers={"Set-Cookie": "refused=1"})
    api.accept = lambda _: Reply(body=envelope(0).body, headers={"Set-Cookie": "accepted=1"})
