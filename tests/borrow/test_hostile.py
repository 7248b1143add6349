"""A run whose program, or whose neighbour, means ill: it stays small, gives nothing away, and ends with the program."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.borrow.window import CALL, HOST, Window, open_window
from tests.support.canaries import Canaries
from tests.support.other_user import needs_root, send_as_another_user
from tests.support.processes import resident_bytes
from tests.support.programs import Cli
from tests.support.services import Api
from tests.support.waiting import wait_until
from withings_auth.borrow.placeholders import ACCESS_TOKEN

pytestmark = pytest.mark.usefixtures("unmeasured")

MEGABYTE = 1_000_000
LARGE = int(os.environ.get("LARGE", "100")) * MEGABYTE  # by hand: LARGE=4000
MAY_GROW = 30 * MEGABYTE
MANY = 2000
FORM = "Content-Type: application/x-www-form-urlencoded"
SECOND = f"POST /second HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def window(cli: Cli, home: Path, canaries: Canaries, api: Api) -> Window:
    """A run at a service that accepts its token."""
    window = open_window(cli, home, canaries, api.url)
    api.good = window.access_token
    return window


@needs_root
def test_another_user_gets_nothing(window: Window) -> None:
    """Statement 52: the port is open to every user of the machine; the password is the program's."""
    for request in (f"CONNECT {HOST}:443 HTTP/1.1", "CONNECT 127.0.0.1:22 HTTP/1.1", "GET / HTTP/1.1"):
        answer = send_as_another_user(*window.address, f"{request}\r\n\r\n", family=socket.AF_INET)
        assert answer.startswith(b"HTTP/1.1 407 ")
    window.end()


def shape(*lines: str, body: str = "", first: str = "POST /measure HTTP/1.1", end: str = "\r\n") -> bytes:
    head = (first, f"Host: {HOST}", f"Authorization: Bearer {ACCESS_TOKEN}", *lines, "", "")
    return (end.join(head) + body).encode("latin-1")


UNCLEAR = {
    "two lengths": shape("Content-Length: 3", "Content-Length: 30", body="a=b"),
    "a length and chunks": shape("Content-Length: 3", "Transfer-Encoding: chunked", body=f"0\r\n\r\n{SECOND}"),
    "a negative length": shape("Content-Length: -3", body="a=b"),
    "a length with a sign": shape("Content-Length: +3", body="a=b"),
    "an unknown encoding": shape("Transfer-Encoding: xchunked", body=f"0\r\n\r\n{SECOND}"),
    "a space before the colon": shape("Content-Length : 3", body="a=b"),
    "bare line feeds": shape("Content-Length: 0", end="\n"),
    "a bare carriage return": shape("X: y\rContent-Length: 0"),
    "a request in a chunk's extension": shape("Transfer-Encoding: chunked", body=f"0;\r\n{SECOND}\r\n"),
    "a header of a megabyte": shape("X: " + "x" * MEGABYTE),
    "a target of a megabyte": shape(first=f"GET /{'x' * MEGABYTE} HTTP/1.1"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no HTTP": b"\0\1\2\3\r\n\r\n",
    "half a head": shape("X: y")[:-3],
    "a body that is too short": shape(FORM, "Content-Length: 99", body="a=b"),
    "a chunk that is too short": shape(FORM, "Transfer-Encoding: chunked", body="FF\r\na=b"),
}


def test_what_is_not_clearly_one_request_is_none(window: Window, api: Api) -> None:
    """Whatever two readers could take for different requests is not passed on at all."""
    for name, data in UNCLEAR.items():
        answer = window.ask(data, seconds=0.3)
        assert b" 400 " in answer[:20] or not answer, name
        assert api.seen == [], name
    assert window.works()
    window.end()


def test_a_target_on_another_host_is_one_of_withings(window: Window, api: Api) -> None:
    """Statement 52: the token goes to the login's own service, whatever the request says."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        url = f"http://127.0.0.1:{elsewhere.getsockname()[1]}"
        first = f"GET {url}/measure HTTP/1.1"
        answer = window.ask(shape("X-Forwarded-Host: evil.example", "Connection: close", first=first))
        elsewhere.settimeout(0)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
    assert (b" 200 " in answer, window.access_token.encode() in answer) == (True, False)
    assert [seen.target for seen in api.seen] == ["/measure"]
    window.end()


def test_what_hangs_does_not_keep_the_run(window: Window) -> None:
    """Statement 52: the proxy lives as long as the program, whoever is still connected."""
    with ExitStack() as hanging, socket.create_server(("127.0.0.1", 0)) as silent:
        hanging.enter_context(window.connect())
        hanging.enter_context(window.connect()).sendall(b"CONNECT ")
        hanging.enter_context(window.open_tunnel()).sendall(b"\x16\x03\x01")
        hanging.enter_context(window.open_tunnel("127.0.0.1", silent.getsockname()[1]))
        hanging.enter_context(window.begin_tls()).sendall(shape("X: y")[:-3])
        hanging.enter_context(window.begin_tls()).sendall(shape(FORM, "Content-Length: 9"))
        window.end()


def test_more_connections_than_descriptors(cli: Cli, home: Path, canaries: Canaries, api: Api) -> None:
    """Calls go through while they are there, and nothing is printed."""
    window = open_window(cli, home, canaries, api.url, "prlimit", "--nofile=256:256")
    api.good = window.access_token
    with ExitStack() as crowd:
        for _ in range(MANY):
            connection = crowd.enter_context(socket.socket())
            connection.setblocking(False)
            connection.connect_ex(window.address)
        wait_until(window.works)
        wait_until(window.works)
    window.end()


def test_a_large_answer_goes_through_without_being_kept(cli: Cli, home: Path, canaries: Canaries) -> None:
    """The memory of the run hardly grows, although the program reads more slowly than the service sends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        service = threading.Thread(target=_send_large_answer, args=(listener,))
        service.start()
        window = open_window(cli, home, canaries, f"http://127.0.0.1:{listener.getsockname()[1]}")
        before, most, received = resident_bytes(window.running.pid), 0, 0
        with window.begin_tls() as program:
            program.sendall(CALL.encode())
            buffer = bytearray(MEGABYTE)
            while size := program.recv_into(buffer):
                received += size
                most = max(most, resident_bytes(window.running.pid))
        service.join()
    assert received > LARGE
    assert most - before < MAY_GROW
    window.end()


def _send_large_answer(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        while not connection.recv(65536).endswith(b"\r\n\r\n"):
            pass
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n".encode())
        for _ in range(LARGE // MEGABYTE):
            connection.sendall(bytes(MEGABYTE))
