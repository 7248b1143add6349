"""The first bytes of a program's connection, however they are cut: who has the credentials gets a tunnel."""

from __future__ import annotations

import asyncio
import base64
import http.client
import io
import re
import socket
import threading
from contextlib import closing, suppress
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fuzzing import cut, damaged, tries
from withings_auth.borrow import entrance, tunnel
from withings_auth.borrow.entrance import LARGEST_HEAD_BYTES, Entrance
from withings_auth.borrow.tunnel import Traffic

PASSWORD = "pa55word" * 5
BASIC = base64.b64encode(f"withings-auth:{PASSWORD}".encode()).decode()
OURS = "wbsapi.withings.net:443"
LINES = st.sampled_from(
    [
        f"Proxy-Authorization: Basic {BASIC}",
        f"PROXY-authorization:basic   {BASIC} ",
        f"Proxy-Authorization: Basic {BASIC[:-4]}",
        f"Proxy-Authorization: Bearer {BASIC}",
        f"Authorization: Basic {BASIC}",
        "Host: x",
        "X: é",
        "no colon",
        ": ",
        "\x00",
        f"X: {'x' * (LARGEST_HEAD_BYTES - 200)}",
        f"X: {'x' * LARGEST_HEAD_BYTES}",
    ]
)
TARGETS = st.sampled_from(
    [OURS, OURS, OURS.upper(), "wbsapi.withings.net:0443", "elsewhere:443", "[::1]:1", "a b:1", "x", ":1"]
)
HEADS = st.builds(
    lambda method, target, version, lines, end: "\r\n".join([f"{method} {target} {version}", *lines, "", ""]) + end,
    st.sampled_from(["CONNECT"] * 5 + ["GET", "connect", "PRI"]),
    TARGETS,
    st.sampled_from(["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", ""]),
    st.lists(LINES, max_size=3).map(lambda lines: [f"Proxy-Authorization: Basic {BASIC}", *lines])
    | st.lists(LINES, max_size=3),
    st.sampled_from(["", "", "early", "\r\n\r\nearly"]),
)
SENT = st.one_of(
    HEADS.map(str.encode),
    HEADS.flatmap(lambda text: damaged(text, alphabet="\r\n :\0\x16é")).map(str.encode),
    st.binary(max_size=60),
    st.binary(max_size=40).map(lambda rest: b"\x16\x03\x01" + rest),
).flatmap(lambda data: st.tuples(st.just(data), cut(data)))


async def come_in(pieces: list[bytes]) -> tuple[bytes, bytes]:
    """Sends the pieces, one after the other, then the end; returns the answer and what has come out of the tunnel."""
    loop = asyncio.get_running_loop()
    out: list[socket.socket] = []
    waiting: dict[Entrance, None] = {}
    traffic = Traffic()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        here = socket.create_connection(listener.getsockname())
        there, _ = listener.accept()
    far = b""
    servers = {OURS: out.append}
    transport, _ = await loop.create_connection(lambda: Entrance(PASSWORD, servers, traffic, waiting), sock=there)
    with closing(here):
        here.setblocking(False)
        try:
            for piece in pieces:
                await loop.sock_sendall(here, piece)
                for _ in range(3):
                    await asyncio.sleep(0)
            here.shutdown(socket.SHUT_WR)
        except OSError:  # it has hung up already
            pass
        got = b""
        try:
            while chunk := await asyncio.wait_for(loop.sock_recv(here, 65536), 60):
                got += chunk
                if b" 200 " in got and out:
                    break
        except ConnectionResetError:  # it has hung up before it has read everything
            pass
        for end in out:
            with closing(end):
                end.setblocking(False)
                while piece := await asyncio.wait_for(loop.sock_recv(end, 65536), 60):
                    far += piece
    transport.abort()
    await traffic.end()
    assert not waiting
    return got, far


@tries(40, share=4)
@given(sent=SENT)
def test_whoever_comes_in_has_asked_for_it(sent: tuple[bytes, list[bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Statement 52: cut in any way, a request has the same answer, which says nothing of the password."""

    async def connect(*_: object) -> socket.socket:
        raise OSError

    monkeypatch.setattr(entrance, "connect", connect)
    data, pieces = sent
    answer, far = asyncio.run(come_in(pieces))
    whole, _ = asyncio.run(come_in([data]))
    status, head = answer[9:12], data.partition(b"\r\n\r\n")[0]
    assert status == whole[9:12] or b"" in (answer, whole)
    assert status in {b"200", b"405", b"407", b"431", b"502", b""}
    assert BASIC.encode() not in answer
    assert PASSWORD.encode() not in answer
    found = re.findall(rb"(?i)\r\nproxy-authorization[ \t]*:[ \t]*basic[ \t]+([^\r\n \t]+)[ \t]*(?=\r\n|$)", head)
    if status in {b"200", b"405", b"502"}:
        assert BASIC.encode() in found
    if status == b"200":
        assert re.match(rb"(?i)CONNECT wbsapi\.withings\.net:0*443 HTTP/1\.[01](\r\n|$)", head)
        assert far == data.partition(b"\r\n\r\n")[2]
    else:
        assert far == b""
    plain = re.fullmatch(rf"CONNECT {OURS} HTTP/1\.1\r\nProxy-Authorization: Basic {BASIC}".encode(), head)
    assert not (plain and b"\r\n\r\n" in data and status not in {b"200", b""})


class Received:
    """A connection that has received this and no more, for `http.client`."""

    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)

    def makefile(self, _: str) -> io.BytesIO:
        return self.file


def told_by_http_client(data: bytes) -> tuple[bool, bytes]:
    """Whether the answer says 200, and what follows its head."""
    received = Received(data)
    response = http.client.HTTPResponse(received, method="CONNECT")  # type: ignore[arg-type]  # it needs no more
    try:
        response.begin()
    except (http.client.HTTPException, ValueError):
        return False, b""
    return response.status == 200, data.partition(b"\r\n\r\n")[2]


ANSWERS = st.one_of(
    st.builds(
        "{} {}{}\r\n{}\r\n".format,
        st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/1.1 "]),
        st.sampled_from(["200", "200", "407", "2000", "20", "302"]),
        st.sampled_from([" OK", "", " ", " Connection established 200"]),
        st.sampled_from(["", "Via: x\r\n", "A: 200\r\nB: \r\n"]),
    ).flatmap(lambda text: damaged(text, alphabet="\r\n 20:") | st.just(text)),
    st.text("\r\n 20:", max_size=12),
).map(lambda text: f"{text}the rest\r\n\r\n".encode())


@tries(30, share=10)
@given(ANSWERS.flatmap(cut))
def test_a_proxy_has_to_say_200_and_what_follows_is_the_programs(pieces: list[bytes]) -> None:
    """As `http.client` reads the status line; everything behind the head is still to come."""
    data = b"".join(pieces)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            accepted, _ = listener.accept()
            with accepted, suppress(OSError):  # the other side may have gone already
                asked = b""
                while not asked.endswith(b"\r\n\r\n"):
                    asked += accepted.recv(4096)
                for piece in pieces:
                    accepted.sendall(piece)
                accepted.shutdown(socket.SHUT_WR)
                accepted.recv(1)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            connection = tunnel._connect_through(urlsplit(f"http://127.0.0.1:{listener.getsockname()[1]}"), "a:1")
        except OSError:
            connection = None
        rest = b""
        if connection is not None:
            with connection:
                while piece := connection.recv(4096):
                    rest += piece
        thread.join()
    says_so, following = told_by_http_client(data)
    assert connection is None or (says_so, rest) == (True, following)
    assert connection is not None or not (says_so and re.match(rb"HTTP/1\.[01] 200( .*)?\r\n(\w+: .*\r\n)*\r\n", data))
