"""The way to other hosts, through the proxy of the machine if it has one, and how connections end."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.borrow.behind import proxy_for_login, read_head
from tests.support.services import Login
from withings_auth.borrow.calls import HOSTS
from withings_auth.borrow.certificates import issue_certificates, make_server_context
from withings_auth.borrow.tunnel import Traffic, connect
from withings_auth.tokens.source import AsyncTokenSource


class UpstreamProxy:
    """A proxy that gives one answer, then sends one more byte."""

    def __init__(self) -> None:
        self.answer = b"HTTP/1.1 200 OK\r\n\r\n"
        self.heads: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def _serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            self.heads.append(read_head(connection))
            connection.sendall(self.answer + b"!")

    def close(self) -> None:
        with socket.create_connection(self.listener.getsockname()):  # in case nobody came
            self.listener.close()
        self._thread.join()


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[UpstreamProxy]:
    upstream = UpstreamProxy()
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:pass%20word@{upstream.address}")
    yield upstream
    upstream.close()


def test_other_hosts_are_reached_through_the_machines_proxy(upstream: UpstreamProxy) -> None:
    """With its credentials; what follows its answer belongs to the program."""
    with asyncio.run(connect("far.example", 443)) as connection:
        assert connection.recv(8) == b"!"
    (head,) = upstream.heads
    assert head.startswith(b"CONNECT far.example:443 HTTP/1.1\r\n")
    assert base64.b64encode(b"user:pass word") in head


def test_withings_is_reached_through_it_as_well(upstream: UpstreamProxy, login: Login, tmp_path: Path) -> None:
    upstream.answer = b"HTTP/1.1 502 No\r\n\r\n"
    login.at("https://wbsapi.withings.invalid")
    with (
        proxy_for_login(AsyncTokenSource(store=login.store), "https://wbsapi.withings.invalid", tmp_path) as behind,
        behind.session() as program,
        pytest.raises(requests.ConnectionError),
    ):
        program.get("https://wbsapi.withings.net/measure")
    assert upstream.heads[0].startswith(b"CONNECT wbsapi.withings.invalid:443 HTTP/1.1\r\n")


def test_a_proxy_without_credentials_gets_none(upstream: UpstreamProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{upstream.address}")
    asyncio.run(connect("::2", 443)).close()
    assert upstream.heads == [b"CONNECT [::2]:443 HTTP/1.1\r\nHost: [::2]:443\r\n\r\n"]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200\r\n\r\n", b"HTTP/1.0  200 \r\nVia: x\r\n\r\n"])
def test_a_proxy_need_not_say_more(upstream: UpstreamProxy, answer: bytes) -> None:
    upstream.answer = answer
    with asyncio.run(connect("far.example", 443)) as connection:
        assert connection.recv(8) == b"!"


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 407 No\r\n\r\n", b"nonsense\r\n\r\n", b"", b"HTTP/1.1 200 " + b"x" * 20_000]
)
def test_a_proxy_that_refuses_is_no_way(upstream: UpstreamProxy, answer: bytes) -> None:
    upstream.answer = answer
    with pytest.raises(OSError, match="the proxy"):
        asyncio.run(connect("far.example", 443))


@pytest.mark.parametrize("proxy", ["https://127.0.0.1:9", "socks5://127.0.0.1:9", "http://["])
def test_a_proxy_that_cannot_be_used_is_no_way(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(OSError, match="proxy"):
        asyncio.run(connect("far.example", 443))


def test_connections_end_whatever_they_have_been_told_before() -> None:
    """If a program is killed, its connection is closed twice: Python 3.11.2, of Debian 12, can only fail after that."""

    async def end() -> None:
        loop, traffic = asyncio.get_running_loop(), Traffic()
        certificates = issue_certificates(HOSTS)
        server = make_server_context(certificates)
        client = ssl.create_default_context(cadata=certificates.authority.decode())
        here, there = socket.socketpair()
        (ours, _), (programs, _) = await asyncio.gather(
            loop.connect_accepted_socket(asyncio.Protocol, there, ssl=server),
            loop.create_connection(asyncio.Protocol, sock=here, ssl=client, server_hostname=HOSTS[0]),
        )
        traffic.note(ours)
        traffic.note(programs)
        ours.close()
        ours.close()
        await traffic.end()
        assert here.fileno() == -1
        while there.fileno() != -1:
            await asyncio.sleep(0)

    asyncio.run(end())
