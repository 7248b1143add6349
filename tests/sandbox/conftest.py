"""What the sandbox's tests start from: the pure provider on a bench, and a callback for real browsers to come to."""

from __future__ import annotations

import contextlib
import html
import http.client
import http.server
import itertools
import json
import re
import threading
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from withings_auth.sandbox import Sandbox
from withings_auth.sandbox.clock import Clock
from withings_auth.sandbox.provider import Provider
from withings_auth.sandbox.routes import AUTHORIZE_PATH, Routes
from withings_auth.sandbox.signing import signature
from withings_auth.sandbox.switches import Switches
from withings_auth.sandbox.values import PEOPLE, App, Reply, Request
from withings_auth.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGIN = "http://127.0.0.1:8765"
REDIRECT_URI = "http://localhost:8000"
START = 1_700_000_000.0


class Bench:
    """The provider without a network: time stands still until a test moves it, chance is counted."""

    def __init__(self, *, switches: dict[str, object], app: dict[str, Any]) -> None:
        self.numbers = itertools.count(1)
        self.world = World(
            app=App(
                **{
                    "client_id": "sandbox-app",
                    "client_secret": "sandbox-app-secret",
                    "redirect_uris": (REDIRECT_URI,),
                    **app,
                }
            ),
            clock=Clock(lambda: START),
            switches=Switches().turned(switches),
            random_hex=lambda size: f"{next(self.numbers):0{size * 2}x}",
        )
        self.provider = Provider(self.world)
        self.routes = Routes(self.provider)

    def advance(self, seconds: float) -> None:
        self.provider.advance(seconds)

    def request(
        self,
        path: str,
        *,
        method: str = "POST",
        query: dict[str, str] | None = None,
        form: dict[str, str] | None = None,
        content: object = None,
        **headers: str,
    ) -> Reply:
        """One request, with a form or with JSON."""
        sent = {"host": urlsplit(ORIGIN).netloc}
        body = b""
        if form is not None:
            sent["content-type"] = "application/x-www-form-urlencoded"
            body = urlencode(form).encode()
        if content is not None:
            sent["content-type"] = "application/json"
            body = json.dumps(content).encode()
        return self.routes.answer(
            Request(
                method=method,
                path=path,
                origin=ORIGIN,
                query=urlencode(query or {}),
                body=body,
                headers={**sent, **headers},
            )
        )

    # A person at the authorize page

    def authorize(self, **changes: str | None) -> Reply:
        """Visit the authorize page; None leaves a parameter out."""
        query: dict[str, str | None] = {
            "response_type": "code",
            "client_id": "sandbox-app",
            "state": "the state",
            "scope": "user.info,user.metrics",
            "redirect_uri": REDIRECT_URI,
            **changes,
        }
        given = {name: text for name, text in query.items() if text is not None}
        return self.request(AUTHORIZE_PATH, method="GET", query=given)

    def ticket(self, **changes: str | None) -> str:
        """The one-time token of a consent form."""
        reply = self.authorize(**changes)
        found = re.search(r'name="ticket" value="([^"]+)"', reply.body.decode())
        assert found is not None, reply.body.decode()
        return found.group(1)

    def answer(self, ticket: str, *, userid: int = PEOPLE[0].userid, answer: str = "allow") -> Reply:
        """Press a button."""
        return self.request(AUTHORIZE_PATH, form={"ticket": ticket, "userid": str(userid), "answer": answer})

    def consent(self, *, userid: int = PEOPLE[0].userid, answer: str = "allow", **changes: str | None) -> Reply:
        """Visit and press a button."""
        return self.answer(self.ticket(**changes), userid=userid, answer=answer)

    def code(self, *, userid: int = PEOPLE[0].userid, **changes: str | None) -> str:
        """The code that an app gets."""
        location = self.answer(self.ticket(**changes), userid=userid).headers["Location"]
        return parse_qs(urlsplit(location).query)["code"][0]

    # An app at the token service

    def token(self, **form: str) -> dict[str, Any]:
        """Any call of the token service: the envelope."""
        return envelope(self.request("/v2/oauth2", form=form))

    def exchange(self, code: str, /, **changes: str) -> dict[str, Any]:
        return self.token(
            **{
                "action": "requesttoken",
                "grant_type": "authorization_code",
                "client_id": "sandbox-app",
                "client_secret": "sandbox-app-secret",
                "code": code,
                "redirect_uri": REDIRECT_URI,
                **changes,
            }
        )

    def refresh(self, refresh_token: str, /, **changes: str) -> dict[str, Any]:
        return self.token(
            **{
                "action": "requesttoken",
                "grant_type": "refresh_token",
                "client_id": "sandbox-app",
                "client_secret": "sandbox-app-secret",
                "refresh_token": refresh_token,
                **changes,
            }
        )

    def login(self, *, userid: int = PEOPLE[0].userid, **changes: str | None) -> dict[str, Any]:
        """The body of a successful code exchange."""
        return body(self.exchange(self.code(userid=userid, **changes)))

    def ask_nonce(self, **changes: str) -> dict[str, Any]:
        """The envelope of `getnonce`."""
        timestamp = str(int(self.world.clock.now()))
        form = {
            "action": "getnonce",
            "client_id": "sandbox-app",
            "timestamp": timestamp,
            "signature": signature("sandbox-app-secret", "getnonce", "sandbox-app", timestamp),
            **changes,
        }
        return envelope(self.request("/v2/signature", form=form))

    def signed(self, action: str, **form: str) -> dict[str, Any]:
        """A signed call of the token service, with a fresh nonce unless one is given."""
        nonce = form.pop("nonce", "") or body(self.ask_nonce())["nonce"]
        proof = signature("sandbox-app-secret", action, "sandbox-app", nonce)
        return self.token(**{"action": action, "client_id": "sandbox-app", "nonce": nonce, "signature": proof, **form})

    # A program with an access token

    def data(self, path: str, access_token: str, **form: str) -> dict[str, Any]:
        """Any call of a data service: the envelope."""
        return envelope(self.request(path, form=form, authorization=f"Bearer {access_token}"))

    def use(self, access_token: str) -> int:
        """Use an access token, and see which status comes."""
        # A number of its own keeps the call from being the same as the one before.
        status: int = self.data("/notify", access_token, action="list", marker=str(next(self.numbers)))["status"]
        return status


def envelope(reply: Reply) -> dict[str, Any]:
    """What a service answered; HTTP says 200 in any case."""
    assert reply.http_status == 200
    assert reply.media_type == "application/json"
    read: dict[str, Any] = json.loads(reply.body)
    return read


def body(answer: dict[str, Any]) -> dict[str, Any]:
    """The body of a success."""
    assert answer["status"] == 0, answer
    read: dict[str, Any] = answer["body"]
    return read


class MakeBench(Protocol):
    """The type of `make_bench`."""

    def __call__(self, *, app: dict[str, Any] | None = None, **switches: object) -> Bench: ...


@pytest.fixture
def make_bench() -> MakeBench:
    """`make_bench(denial="with_state", app={"contract": True})`: a provider with switches turned and another app."""

    def make(*, app: dict[str, Any] | None = None, **switches: object) -> Bench:
        return Bench(switches=switches, app=app or {})

    return make


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """The provider as it is when nobody turns a switch."""
    return make_bench()


class Callback:
    """A tiny app's callback on localhost: it keeps what came and answers with a page."""

    def __init__(self) -> None:
        self.queries: list[dict[str, list[str]]] = []
        callback = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if urlsplit(self.path).path != "/":
                    self.send_error(404)
                    return
                callback.queries.append(parse_qs(urlsplit(self.path).query))
                page = "<!doctype html><html lang=en><title>App</title><link rel=icon href='data:,'>"
                page += f"<body><h1>Back at the app</h1><p>{html.escape('received & saved')}</p>"
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(page.encode())

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.port = self._server.server_port

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def callback() -> Iterator[Callback]:
    """Where a browser is sent back to."""
    waiting = Callback()
    yield waiting
    waiting.close()


class Caller:
    """A program that calls a served sandbox over a real socket, and follows nothing."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def request(
        self,
        path: str,
        *,
        method: str = "POST",
        form: dict[str, str] | None = None,
        content: object = None,
        timeout: float = 10,
        **headers: str,
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """One request on a connection of its own: the answer and its whole body."""
        body = None
        if form is not None:
            headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
            body = urlencode(form)
        if content is not None:
            headers = {"Content-Type": "application/json", **headers}
            body = json.dumps(content)
        address = urlsplit(self.sandbox.url).netloc
        with contextlib.closing(http.client.HTTPConnection(address, timeout=timeout)) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response, response.read()

    def refresh(self, refresh_token: str, *, timeout: float = 10) -> tuple[http.client.HTTPResponse, bytes]:
        """A refresh, as raw as it comes."""
        form = {
            "action": "requesttoken",
            "grant_type": "refresh_token",
            "client_id": self.sandbox.client_id,
            "client_secret": self.sandbox.client_secret,
            "refresh_token": refresh_token,
        }
        return self.request("/v2/oauth2", form=form, timeout=timeout)

    def authorize_url(self, redirect_uri: str, **changes: str) -> str:
        """Where an app sends a browser."""
        query = {
            "response_type": "code",
            "client_id": self.sandbox.client_id,
            "state": "the-state",
            "scope": "user.info,user.metrics",
            "redirect_uri": redirect_uri,
            **changes,
        }
        return f"{self.sandbox.endpoints.authorize_url}?{urlencode(query)}"


@pytest.fixture
def served() -> Iterator[Caller]:
    """A sandbox behind its web front, and somebody who calls it."""
    with Sandbox() as sandbox:
        yield Caller(sandbox)
