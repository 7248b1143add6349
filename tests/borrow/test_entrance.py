"""Statement 52: who may come in, and where a tunnel ends."""

from __future__ import annotations

import base64
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.borrow.behind import PASSWORD, Behind, read_head
from tests.support.services import Api
from withings_auth.borrow import entrance, tunnel
from withings_auth.borrow.calls import HOSTS
from withings_auth.errors import OutOfResources


@contextmanager
def far_host() -> Iterator[tuple[socket.socket, str]]:
    """A host that is not Withings', and its name in a CONNECT request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        yield listener, f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("target", [f"{HOSTS[0]}:443", "127.0.0.1:9", "no host"])
@pytest.mark.parametrize("password", ["", "wrong", PASSWORD[:-1]])
def test_nobody_comes_in_without_the_credentials(behind: Behind, target: str, password: str) -> None:
    """Statement 52: another user of this machine can connect, and that is all."""
    connection, head = behind.ask(target, password)
    assert head.startswith(b"HTTP/1.1 407 ")
    assert b"Proxy-Authenticate: Basic" in head
    assert connection.recv(1) == b""


def test_it_listens_on_one_address_only(behind: Behind) -> None:
    """Statement 52; 127.0.0.2 is this machine too, and reaches whatever listens on every address."""
    with pytest.raises(OSError, match=r"refused|assign|unreachable"):
        socket.create_connection(("127.0.0.2", behind.port), timeout=10)


def test_no_credentials_are_no_credentials(behind: Behind) -> None:
    connection = behind.connect()
    connection.sendall(b"CONNECT wbsapi.withings.net:443 HTTP/1.1\r\n\r\n")
    assert read_head(connection).startswith(b"HTTP/1.1 407 ")


@pytest.mark.parametrize(
    "target", ["wbsapi.withings.net", "a b:443", "[::1:443", "host:443:443", "http://host/:443", ":443", "host:123456"]
)
def test_what_is_no_host_and_port_is_refused(behind: Behind, target: str) -> None:
    _, head = behind.ask(target)
    assert head.startswith((b"HTTP/1.1 405 ", b"HTTP/1.1 502 "))


def test_a_host_that_is_not_there_is_a_bad_gateway(behind: Behind) -> None:
    with far_host() as (listener, target):
        listener.close()
        _, head = behind.ask(target)
    assert head.startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize("target", ["nowhere.invalid:443", f"{'x' * 300}.example:443", "127.0.0.1:99999"])
def test_a_name_or_port_that_cannot_be_one_is_a_bad_gateway(behind: Behind, target: str) -> None:
    _, head = behind.ask(target)
    assert head.startswith(b"HTTP/1.1 502 ")


def test_a_machine_that_is_out_of_threads_is_a_bad_gateway(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    async def start_no_thread(*_: object) -> None:
        raise OutOfResources("no thread can be started")

    monkeypatch.setattr(entrance, "connect", start_no_thread)
    _, head = behind.ask("127.0.0.1:9")
    assert head.startswith(b"HTTP/1.1 502 ")


def test_other_hosts_are_tunnelled_unseen(behind: Behind) -> None:
    """Statement 52: byte by byte in both directions, whatever it is; what came early is not lost."""
    with far_host() as (listener, target):
        connection, head = behind.ask(target, early=b"\x16\x03\x01 early")
        assert head == b"HTTP/1.1 200 Connection established\r\n\r\n"
        outside, _ = listener.accept()
        with connection, outside:
            assert outside.recv(8192) == b"\x16\x03\x01 early"
            outside.sendall(b"answer")
            assert connection.recv(6) == b"answer"
            connection.shutdown(socket.SHUT_WR)
            assert outside.recv(1) == b""
            outside.sendall(b"after the end")
            outside.close()
            assert connection.recv(8192) == b"after the end"
            assert connection.recv(1) == b""


@contextmanager
def half_a_tunnel(behind: Behind, target: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The program's end of a tunnel, before there is another: that comes when the context ends."""
    asked, go, connect = threading.Event(), threading.Event(), tunnel._connect

    def connect_later(host: str, port: int) -> socket.socket:
        asked.set()
        assert go.wait(60)
        return connect(host, port)

    monkeypatch.setattr(tunnel, "_connect", connect_later)
    credentials = base64.b64encode(f"withings-auth:{PASSWORD}".encode()).decode()
    connection = behind.connect()
    connection.sendall(f"CONNECT {target} HTTP/1.1\r\nProxy-Authorization: Basic {credentials}\r\n\r\n".encode())
    assert asked.wait(60)
    yield connection
    behind.ask(target, "wrong")  # once it is answered, whatever was sent before would have been read
    go.set()


def test_what_a_program_sends_too_early_is_not_lost(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    with far_host() as (listener, target):
        with half_a_tunnel(behind, target, monkeypatch) as connection:
            connection.sendall(b"early\r\n\r\n")
        outside, _ = listener.accept()
        with outside:
            outside.settimeout(60)
            assert outside.recv(8192) == b"early\r\n\r\n"


def test_a_program_that_leaves_before_its_tunnel_is_there_takes_it_along(
    behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    with far_host() as (listener, target):
        with half_a_tunnel(behind, target, monkeypatch) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        outside, _ = listener.accept()
        with outside:
            outside.settimeout(60)
            assert outside.recv(1) == b""


def test_a_side_that_does_not_read_stops_the_other(behind: Behind) -> None:
    """What is under way is bounded, however much somebody sends."""
    with far_host() as (listener, target):
        connection, _ = behind.ask(target)
        outside, _ = listener.accept()
        with connection, outside:
            outside.setblocking(False)
            sent = 0
            while select.select([], [outside], [], 1)[1]:
                sent += outside.send(bytes(1 << 20))
                assert sent < 200_000_000
            outside.close()
            received = 0
            while piece := connection.recv(1 << 20):
                received += len(piece)
            assert received == sent


def test_a_program_that_leaves_takes_its_tunnel_along(behind: Behind) -> None:
    with far_host() as (listener, target):
        connection, _ = behind.ask(target)
        outside, _ = listener.accept()
        with outside:
            outside.settimeout(60)
            connection.close()
            assert outside.recv(1) == b""


def test_only_withings_hosts_are_answered_with_the_certificate(behind: Behind, api: Api) -> None:
    """Statement 52: another port, or another spelling, is another host."""
    context = ssl.create_default_context(cafile=str(behind.bundle))
    connection, _ = behind.ask("WBSAPI.withings.net:443")
    with context.wrap_socket(connection, server_hostname=HOSTS[0]) as program:
        certificate = program.getpeercert() or {}
        names = ("wbsapi.withings.net", "account.withings.com", "scalews.withings.com")
        american = ("wbsapi.us.withingsmed.net", "account.us.withingsmed.com")
        assert certificate["subjectAltName"] == tuple(("DNS", name) for name in (*names, *american))
    assert api.seen == []


@pytest.mark.parametrize(
    "data",
    [b"", b"CONNECT", b"GET http://127.0.0.1/ HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00" + b"x" * 600],
    ids=["nothing", "half a word", "half a request", "TLS"],
)
def test_a_connection_that_never_asks_is_ended(behind: Behind, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(entrance, "HEAD_SECONDS", 0.2)
    connection = behind.connect()
    connection.sendall(data)
    assert connection.recv(1) == b""


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
def test_a_head_that_is_too_long_is_refused(behind: Behind, end: bytes) -> None:
    """Whether its end has come or not: that is up to the network."""
    connection = behind.connect()
    connection.sendall(b"CONNECT wbsapi.withings.net:443 HTTP/1.1\r\nX: " + b"x" * 20_000 + end)
    assert read_head(connection).startswith(b"HTTP/1.1 431 ")


def test_hundreds_that_never_ask_keep_nobody_out(behind: Behind) -> None:
    """Nor do they use up the descriptors: the oldest go."""
    idle = [behind.connect() for _ in range(300)]
    _, head = behind.ask(f"{HOSTS[0]}:443")
    assert b" 200 " in head
    for connection in idle[: -entrance.MOST_WAITING]:
        assert connection.recv(1) == b""
    idle[-1].setblocking(False)
    with pytest.raises(BlockingIOError):
        idle[-1].recv(1)
    for connection in idle:
        connection.close()


def test_what_is_no_tls_ends_the_tunnel(behind: Behind) -> None:
    connection, _ = behind.ask(f"{HOSTS[0]}:443")
    connection.sendall(b"POST /v2/oauth2 HTTP/1.1\r\n\r\n")
    with connection:
        while connection.recv(8192):
            pass
