"""Servers for one test, and a form with a secret in it; no proxy but the test's own."""

from __future__ import annotations

import gc
import logging
import socket
from collections.abc import Callable, Iterator

import pytest

from tests.provider.http.server import PROXIES, Serve, Server
from tests.support.canaries import Canaries


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(response)` answers each request with these bytes and closes; a function decides by itself."""
    servers: list[Server] = []

    def start(
        response: bytes | Callable[[Server, socket.socket], object],
        *,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> Server:
        def answer(connection: socket.socket) -> None:
            server.request(connection)
            assert isinstance(response, bytes)
            connection.sendall(response)
            connection.close()

        def decide(connection: socket.socket) -> None:
            assert not isinstance(response, bytes)
            response(server, connection)

        server = Server(answer if isinstance(response, bytes) else decide, family)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()


@pytest.fixture(autouse=True)
def _no_proxy_and_no_complaint(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No proxy but the test's own; and asyncio has nothing to complain about, such as what was never retrieved."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    yield
    gc.collect()
    complaints = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert complaints == []


@pytest.fixture
def form(canaries: Canaries) -> dict[str, str]:
    """A form full of secrets, each of which is watched for in every log at DEBUG."""
    return {"client_secret": canaries.plant("client secret"), "refresh_token": canaries.plant("refresh token")}
