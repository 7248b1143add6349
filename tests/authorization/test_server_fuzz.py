"""The first bytes that come to a waiting login: TLS, HTTP/2 and HTTP/1, cut anywhere, damaged, or none of them."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Coroutine
from contextlib import closing
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.fuzzing import cut, damaged, tries
from withings_auth.authorization import pages
from withings_auth.authorization.callback import Expectation, Granted, HttpRequest, Reason, judge
from withings_auth.authorization.server import serve

STATE = "5tate-of_this_login" + "x" * 24
CODE = "c0dec0de" * 5
EXPECTED = Expectation(
    hosts=frozenset({"localhost:8000"}), path="/cb", start_path="/start/ticket", state=STATE, issuer="https://x.example"
)
TARGET = f"/cb?code={CODE}&state={STATE}"


def client_hello(name: str, versions: tuple[ssl.TLSVersion, ssl.TLSVersion]) -> bytes:
    """What a real client sends first."""
    context = ssl.create_default_context()
    context.minimum_version, context.maximum_version = versions
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(received, sent, server_hostname=name)
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        return sent.read()
    raise AssertionError


NEW, OLD = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3), (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
HELLOS = [client_hello("localhost", NEW), client_hello(f"{CODE}.example", OLD)]
# A record is its type, its version, its length, and so much content (RFC 8446, section 5.1).
RECORDS = st.builds(
    lambda kind, version, content: bytes([kind, 3, version]) + len(content).to_bytes(2) + content,
    st.sampled_from([0x14, 0x15, 0x16, 0x16, 0x16, 0x17, 0x18]),
    st.integers(0, 4),
    st.binary(max_size=30),
)
TLS = st.one_of(
    st.sampled_from(HELLOS),
    st.builds(lambda hello, length: hello[:length], st.sampled_from(HELLOS), st.integers(1, 60)),
    st.lists(RECORDS, min_size=1, max_size=3).map(b"".join),
    st.binary(max_size=20).map(lambda rest: b"\x80\x2e\x01\x03\x01" + rest),  # as SSL 2.0 begins
)
# A frame is the length of its payload, its type, flags, a stream, and the payload (RFC 9113, section 4.1).
FRAMES = st.builds(
    lambda kind, flags, stream, content: len(content).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + content,
    st.integers(0, 9),
    st.integers(0, 255),
    st.integers(0, 3),
    st.binary(max_size=20),
)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HTTP2 = st.builds(
    lambda length, frames: (PREFACE + b"".join(frames))[: len(PREFACE) - length if length else None],
    st.sampled_from([0, 0, 0, 1, 4, 9]),
    st.lists(FRAMES, max_size=2),
)
HEADERS = st.sampled_from(
    [
        "Host: localhost:8000",
        "Cookie: é",
        "Transfer-Encoding: chunked",
        "Content-Length: 5",
        "Expect: 100-continue",
        "X:",
        " x",
        "Connection: keep-alive",
        "Upgrade: h2c",
        f"Referer: http://localhost:8000{TARGET}",
        f"X: {'x' * 9000}",
        "Host : a",
    ]
)
HTTP = st.builds(
    lambda method, target, version, headers, rest: "\r\n".join([f"{method} {target} {version}", *headers, "", rest]),
    st.sampled_from(["GET"] * 6 + ["POST", "HEAD", "CONNECT", "GET\t", "M-SEARCH"]),
    st.sampled_from(
        [TARGET] * 6 + ["/start/ticket", "/", "*", f"http://localhost:8000{TARGET}", "//", f"/{'x' * 9000}", "/é"]
    ),
    st.sampled_from(["HTTP/1.1"] * 6 + ["HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "http/1.1", "HTTP/1.10", ""]),
    st.lists(HEADERS, max_size=2).map(lambda more: ["Host: localhost:8000", *more]),
    st.sampled_from(["", "", f"GET {TARGET} HTTP/1.1\r\nHost: localhost:8000\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n"]),
)
SENT = st.one_of(
    TLS,
    HTTP2,
    HTTP.map(str.encode),
    HTTP.flatmap(lambda text: damaged(text, alphabet="\r\n :/?&=%\0\x16é")).map(str.encode),
    st.binary(max_size=40),
)


class Visit:
    """One connection to a server: what it was told, and what it answers."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        self.reasons: list[Reason] = []
        self.answer = b""

    async def respond(self, request: HttpRequest) -> pages.Page:
        self.requests.append(request)
        return pages.page(pages.Text.NOT_FOUND)

    async def make(self, pieces: list[bytes]) -> None:
        """Sends the pieces one after the other, then the end, and reads up to the end. Fails if there is none."""
        loop = asyncio.get_running_loop()
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        async with serve([listener], self.respond, self.reasons.append):
            with closing(socket.create_connection(listener.getsockname())) as connection:
                connection.setblocking(False)
                try:
                    for piece in pieces:
                        await loop.sock_sendall(connection, piece)
                        for _ in range(4):
                            await asyncio.sleep(0)
                    connection.shutdown(socket.SHUT_WR)
                    while piece := await asyncio.wait_for(loop.sock_recv(connection, 65536), 60):
                        self.answer += piece
                except (ConnectionResetError, BrokenPipeError, OSError) as error:
                    assert not isinstance(error, TimeoutError)  # noqa: PT017  any other means that it has hung up
            for _ in range(4):
                await asyncio.sleep(0)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs it in a loop in which nothing else goes wrong unseen."""
    wrong: list[object] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(context))
        await work

    asyncio.run(watched())
    assert wrong == []


@tries(40, share=4)
@given(SENT.flatmap(lambda data: st.tuples(st.just(data), cut(data))))
def test_every_beginning_has_its_reason(sent: tuple[bytes, list[bytes]]) -> None:
    """Statements 15 to 17: a connection brings one request or one reason at most, whatever it sends and how."""
    data, pieces = sent
    visit = Visit()
    run(visit.make(pieces))
    assert len(visit.requests) + len(visit.reasons) <= 1
    if data[:1] == b"\x16":
        assert (visit.reasons, visit.answer) == ([Reason.TLS], b"")
    elif data.startswith(PREFACE) or visit.reasons:
        assert visit.reasons == [Reason.MALFORMED]
    assert visit.answer == b"" or b"\r\nCross-Origin-Opener-Policy: same-origin\r\n" in visit.answer
    assert b"\r\nConnection: close\r\n" in visit.answer or not visit.answer.startswith(b"HTTP/1.1 ")
    assert not {part.encode() for part in (STATE, CODE)} & {*re.findall(rb"[\w-]+", visit.answer)}
    for request in visit.requests:
        verdict = judge(EXPECTED, request)
        assert request.target.encode("latin-1", "surrogateescape") in data or not request.target.isascii()
        if isinstance(verdict, Granted):
            assert re.search(rb"GET /cb\?\S*%s" % verdict.code.encode(), data)
    if data.partition(b"\r\n\r\n")[2] == b"":  # aiohttp drops a request if what follows it at once makes no sense
        whole = Visit()
        run(whole.make([data]))
        assert [request.target for request in whole.requests] == [request.target for request in visit.requests]
        assert whole.reasons == visit.reasons


@tries(20, share=4)
@given(cut(f"GET {TARGET} HTTP/1.1\r\nHost: localhost:8000\r\nCookie: {'x' * 3000}\r\n\r\n".encode()))
def test_a_request_in_pieces_is_whole(pieces: list[bytes]) -> None:
    visit = Visit()
    run(visit.make(pieces))
    assert [judge(EXPECTED, request) for request in visit.requests] == [Granted(CODE)]
    assert visit.reasons == []
