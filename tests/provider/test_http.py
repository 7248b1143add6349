"""One POST over real sockets, against servers that do everything a server should not, and its outcome told exactly."""

from __future__ import annotations

import contextlib
import datetime as dt
import gc
import gzip
import json
import logging
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.canaries import Canaries
from tests.support.programs import Cli
from withings_auth.provider.http import LARGEST_BODY_BYTES, post
from withings_auth.provider.replies import Answer, AnswerLost, NotSent

LIMIT = 0.3
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class Server:
    """A socket that listens, what it does with each connection, and the bytes that came first on each."""

    def __init__(self, behave: Callable[[socket.socket], object], family: socket.AddressFamily) -> None:
        self.requests: list[bytes] = []
        self._behave = behave
        self._open: list[socket.socket] = []
        self._closing = False
        host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        self._listener = socket.create_server((host, 0), family=family)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v2/oauth2"

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            self._open.append(connection)
            if self._closing:
                return
            with contextlib.suppress(OSError):  # the client has gone away, as some tests want it to
                self._behave(connection)

    def request(self, connection: socket.socket) -> bytes:
        """Reads one request with its body."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536) or b"\r\n\r\n"
        head, _, body = received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
        while len(body) < length:
            body += connection.recv(65536) or b"\0" * length
        self.requests.append(head + b"\r\n\r\n" + body)
        return self.requests[-1]

    def close(self) -> None:
        self._closing = True
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        socket.create_connection(self._listener.getsockname()[:2], timeout=5).close()
        self._thread.join(5)
        for held in (self._listener, *self._open):
            held.close()


Serve = Callable[..., Server]


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


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def reset(connection: socket.socket) -> None:
    """Closes with a RST, as a firewall or a crashed server does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class TestAnswered:
    def test_the_form_is_posted_and_the_answer_comes_back(self, serve: Serve) -> None:
        """One request: POST, the form url-encoded in the body, nothing in the path, no cookie, no Authorization."""
        server = serve(http(b'{"status": 0}', "200 OK", "Retry-After: 7", "Set-Cookie: a=b"))
        outcome = post(server.url, {"a": "b c", "d": "ä&="})
        assert outcome == Answer(http_status=200, body=b'{"status": 0}', retry_after=7.0)
        (request,) = server.requests
        head, _, body = request.partition(b"\r\n\r\n")
        assert head.startswith(b"POST /v2/oauth2 HTTP/1.1\r\n")
        assert b"content-type: application/x-www-form-urlencoded" in head.lower()
        assert body == b"a=b+c&d=%C3%A4%26%3D"
        assert b"cookie" not in head.lower()
        assert b"authorization" not in head.lower()

    @pytest.mark.parametrize(
        ("line", "date"),
        [
            ("Date: Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777.0),
            ("Date: Sun, 06 Nov 1994 08:49:37 -0000", 784_111_777.0),
            ("Date: yesterday", None),
            ("Date: Sun, 06 Nov 99999 08:49:37 GMT", None),
            ("X: y", None),
        ],
    )
    def test_the_servers_date_is_told_where_it_is_one(
        self, serve: Serve, line: str, date: float | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In Unix seconds, whatever the time zone here; two answers are equal whenever they came."""
        monkeypatch.setenv("TZ", "Pacific/Auckland")
        time.tzset()
        outcome = post(serve(http(b"{}", "200 OK", line)).url, {})
        assert isinstance(outcome, Answer)
        assert outcome.date == date
        assert outcome == Answer(http_status=200, body=b"{}")

    def test_an_access_token_travels_in_its_header_alone_and_not_to_where_a_redirect_points(
        self, serve: Serve, canaries: Canaries
    ) -> None:
        """Statement 26: `Authorization: Bearer`, nowhere else in the request, and to the one address that was named."""
        access_token = canaries.plant("access token")
        elsewhere = serve(http(b"{}"))
        server = serve(http(b"", "307 Temporary", f"Location: {elsewhere.url}"))
        post(server.url, {"action": "getdevice"}, access_token=access_token)
        (request,) = server.requests
        assert f"\r\nAuthorization: Bearer {access_token}\r\n".encode() in request
        assert request.count(access_token.encode()) == 1
        assert elsewhere.requests == []

    def test_a_cookie_is_not_kept_for_the_next_request(self, serve: Serve) -> None:
        server = serve(http(b"{}", "200 OK", "Set-Cookie: session=1; Path=/"))
        post(server.url, {})
        post(server.url, {})
        assert len(server.requests) == 2
        assert b"session" not in server.requests[1]

    @pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
    def test_a_redirect_is_not_followed(self, serve: Serve, form: dict[str, str], status: str) -> None:
        """The form goes where it was sent and nowhere else, whatever the answer says."""
        elsewhere = serve(http(b'{"status": 0}'))
        server = serve(http(b"", status, f"Location: {elsewhere.url}"))
        outcome = post(server.url, form)
        assert isinstance(outcome, Answer)
        assert outcome.http_status == int(status[:3])
        assert (len(server.requests), elsewhere.requests) == (1, [])

    @pytest.mark.parametrize(
        ("response", "http_status", "body"),
        [
            (http(b"<html>", "200 OK", "Content-Type: text/html"), 200, b"<html>"),
            (http(b"<html>", "502 Bad Gateway"), 502, b"<html>"),
            (http(b"oh", "503 Service Unavailable"), 503, b"oh"),
            (http(b"", "429 Too Many Requests"), 429, b""),
            (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, b"until the end"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 200, b"{}"),
        ],
    )
    def test_every_whole_answer_is_an_answer(
        self, serve: Serve, form: dict[str, str], response: bytes, http_status: int, body: bytes
    ) -> None:
        assert post(serve(response).url, form) == Answer(http_status=http_status, body=body)

    @pytest.mark.parametrize(("size", "oversized"), [(LARGEST_BODY_BYTES, False), (LARGEST_BODY_BYTES + 1, True)])
    def test_a_body_is_read_up_to_1_mib(self, serve: Serve, size: int, oversized: bool) -> None:
        outcome = post(serve(http(b"x" * size)).url, {})
        assert outcome == Answer(http_status=200, body=b"x" * LARGEST_BODY_BYTES, oversized=oversized)

    def test_a_body_without_end_is_left_after_1_mib(self, serve: Serve) -> None:
        """What is too long is not read to its end, however long it goes on."""

        def flood(server: Server, connection: socket.socket) -> None:
            server.request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.sendall(b"x" * 65536)

        outcome = post(serve(flood).url, {})
        assert isinstance(outcome, Answer)
        assert outcome.oversized
        assert len(outcome.body) == LARGEST_BODY_BYTES

    def test_a_compressed_flood_does_not_fill_the_memory(self, serve: Serve, cli: Cli) -> None:
        """Half a gigabyte of zeros behind half a megabyte is cut at 1 MiB, in little memory."""
        bomb = gzip.compress(b"\0" * (512 * 1024 * 1024), 1)
        server = serve(http(bomb, "200 OK", "Content-Encoding: gzip"))
        del bomb
        ran = cli.using(sys.executable, "-c")(
            "import resource, sys; from withings_auth.provider.http import post\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "outcome = post(sys.argv[1], {})\n"
            "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "print(outcome.oversized, len(outcome.body), after - before)",
            server.url,
        )
        oversized, size, grown = ran.stdout.split()
        assert (oversized, int(size)) == ("True", LARGEST_BODY_BYTES)
        unit = 1 if sys.platform == "darwin" else 1024
        assert int(grown) * unit < 64 * 1024 * 1024

    def test_a_compressed_answer_is_read(self, serve: Serve) -> None:
        server = serve(http(gzip.compress(b'{"status": 0}'), "200 OK", "Content-Encoding: gzip"))
        assert post(server.url, {}) == Answer(http_status=200, body=b'{"status": 0}')


def closed_at_once(_server: Server, connection: socket.socket) -> None:
    connection.close()


def reset_at_once(_server: Server, connection: socket.socket) -> None:
    reset(connection)


def closed_after_the_request(server: Server, connection: socket.socket) -> None:
    server.request(connection)
    connection.close()


def reset_after_the_request(server: Server, connection: socket.socket) -> None:
    server.request(connection)
    reset(connection)


def silent(server: Server, connection: socket.socket) -> None:
    server.request(connection)


def half_a_header(server: Server, connection: socket.socket) -> None:
    server.request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-")


def half_a_body(server: Server, connection: socket.socket) -> None:
    server.request(connection)
    connection.sendall(http(b'{"status": 0, "body": {}}')[:-5])
    connection.close()


def half_a_chunk(server: Server, connection: socket.socket) -> None:
    server.request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{}")
    connection.close()


def half_a_gzip(server: Server, connection: socket.socket) -> None:
    server.request(connection)
    connection.sendall(http(b"\x1f\x8b\x08\x00not gzip at all", "200 OK", "Content-Encoding: gzip"))


def not_http(server: Server, connection: socket.socket) -> None:
    server.request(connection)
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


def endless_header(server: Server, connection: socket.socket) -> None:
    server.request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n")


def drop_by_drop(server: Server, connection: socket.socket) -> None:
    server.request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(100):
        connection.sendall(b"x")
        time.sleep(LIMIT / 10)


CLOSED = "the connection was closed before the answer was complete"
LATE = f"no answer within {LIMIT:g} seconds"


class TestAnswerLost:
    @pytest.mark.parametrize(
        ("behave", "why"),
        [
            (closed_at_once, CLOSED),
            (closed_after_the_request, CLOSED),
            (reset_after_the_request, None),
            (silent, LATE),
            (half_a_header, LATE),
            (half_a_body, CLOSED),
            (half_a_chunk, CLOSED),
            (half_a_gzip, None),
            (not_http, None),
            (endless_header, None),
            (drop_by_drop, LATE),
        ],
    )
    def test_once_connected_everything_that_goes_wrong_leaves_the_outcome_unknown(
        self, serve: Serve, form: dict[str, str], behave: Callable[..., object], why: str | None
    ) -> None:
        """Not even a server that closes at once is believed not to have read; and nothing is sent again."""
        server = serve(behave)
        started = time.monotonic()
        outcome = post(server.url, form, time_limit_seconds=LIMIT)
        assert time.monotonic() - started < LIMIT + 2
        assert isinstance(outcome, AnswerLost)
        assert why in {None, outcome.why}
        assert outcome.why.isprintable()
        assert len(server.requests) <= 1

    def test_a_connection_that_is_reset_at_once_is_an_answer_lost_or_no_connection(
        self, serve: Serve, form: dict[str, str]
    ) -> None:
        """Which of the two depends on when the reset is seen; either way it is no answer, and nothing raises."""
        outcome = post(serve(reset_at_once).url, form, time_limit_seconds=LIMIT)
        assert isinstance(outcome, AnswerLost | NotSent)


class TestNotSent:
    def test_a_name_that_does_not_exist(self, form: dict[str, str]) -> None:
        assert post("https://wbsapi.withings.invalid/v2/oauth2", form) == NotSent(
            why="the server's name cannot be resolved"
        )

    @pytest.mark.parametrize("host", ["a" * 64 + ".invalid", "a..invalid"])
    def test_a_text_that_cannot_be_a_name(self, form: dict[str, str], host: str) -> None:
        assert isinstance(post(f"https://{host}/v2/oauth2", form), NotSent)

    def test_a_port_where_nobody_listens(self, form: dict[str, str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        assert post(f"http://127.0.0.1:{port}/", form) == NotSent(why="Connection refused")

    def test_a_look_up_that_hangs(self, monkeypatch: pytest.MonkeyPatch, form: dict[str, str]) -> None:
        """A DNS server that is silent costs the time limit, and what it answers later disturbs nobody."""
        hanging, back = threading.Event(), threading.Event()

        def look_up(*_: object, **__: object) -> object:
            hanging.wait(10)
            back.set()
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        outcome = post("https://wbsapi.withings.invalid/", form, time_limit_seconds=LIMIT)
        assert outcome == NotSent(why=LATE)
        hanging.set()
        assert back.wait(5)

    def test_a_look_up_that_hangs_does_not_keep_a_process_from_ending(self, cli: Cli) -> None:
        """Statement 32: not even the end of the program waits for a silent DNS server."""
        ran = cli.using(sys.executable, "-c")(
            "import socket, time\n"
            "socket.getaddrinfo = lambda *a, **k: time.sleep(60)\n"
            "from withings_auth.provider.http import post\n"
            "print(post('https://wbsapi.withings.invalid/', {}, time_limit_seconds=0.2))",
        )
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "NotSent(why='no answer within 0.2 seconds')\n", "")
        assert ran.seconds < 10

    def test_no_thread_for_a_look_up(self, monkeypatch: pytest.MonkeyPatch, form: dict[str, str]) -> None:
        """Where the interpreter starts no thread any more, as it does at its end, nothing was sent."""

        def refuse(_: threading.Thread) -> None:
            raise RuntimeError("can't create new thread at interpreter shutdown")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        assert isinstance(post("https://wbsapi.withings.invalid/", form), NotSent)

    def test_not_even_a_socket(self, cli: Cli) -> None:
        """A process that has no file descriptor left learns that nothing was sent."""
        ran = cli.using(sys.executable, "-c")(
            "import os, resource; from withings_auth.provider.http import post\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))\n"
            "while True:\n"
            "    try: os.dup(0)\n"
            "    except OSError: break\n"
            "print(type(post('http://127.0.0.1:1/', {})).__name__)",
        )
        assert ran.stdout == "NotSent\n", ran.stderr

    def test_a_server_that_speaks_no_tls(self, serve: Serve, form: dict[str, str]) -> None:
        def plain(_: Server, connection: socket.socket) -> None:
            connection.recv(100)
            connection.sendall(http(b"{}"))
            connection.close()

        server = serve(plain)
        assert post(f"https://127.0.0.1:{server.port}/", form) == NotSent(why="no encrypted connection could be made")

    def test_a_tls_server_that_hangs_up(self, serve: Serve, form: dict[str, str]) -> None:
        server = serve(closed_at_once)
        assert isinstance(post(f"https://127.0.0.1:{server.port}/", form), NotSent)

    def test_a_tls_handshake_that_never_ends(self, serve: Serve, form: dict[str, str]) -> None:
        """Connected is not enough: until the server has proved who it is, not a byte of the form is sent."""
        server = serve(lambda _server, _connection: None)
        outcome = post(f"https://127.0.0.1:{server.port}/", form, time_limit_seconds=LIMIT)
        assert outcome == NotSent(why=LATE)

    def test_a_certificate_that_nobody_vouches_for(self, serve: Serve, form: dict[str, str], tmp_path: Path) -> None:
        context = own_certificate(tmp_path)

        def encrypted(server: Server, connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as secured:
                server.request(secured)

        server = serve(encrypted)
        assert post(f"https://localhost:{server.port}/", form) == NotSent(why="the server's certificate is not valid")
        assert server.requests == []


def own_certificate(directory: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = directory / "server.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


class TestTheWayThere:
    def test_no_proxy_stands_before_a_loopback_address(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch, form: dict[str, str]
    ) -> None:
        """What is meant for this machine stays on it, over http and over https, whatever the variables say."""
        proxy = serve(http(b"proxied"))
        for name in PROXIES[:3]:
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        server = serve(http(b"direct"))
        outcome = post(server.url, form)
        assert isinstance(outcome, Answer)
        assert outcome.body == b"direct"
        for host in ("127.0.0.1", "localhost", "[::1]"):
            assert isinstance(post(f"https://{host}:{server.port}/", form, time_limit_seconds=LIMIT), NotSent)
        assert proxy.requests == []

    @pytest.mark.parametrize("scheme", ["http://", ""])
    def test_a_proxy_is_used_for_https(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch, form: dict[str, str], scheme: str
    ) -> None:
        """The proxy is asked for a tunnel and sees no more than the name; if it refuses, nothing was sent."""
        proxy = serve(http(b"no", "403 Forbidden"))
        monkeypatch.setenv("https_proxy", f"{scheme}127.0.0.1:{proxy.port}")
        outcome = post("https://wbsapi.withings.invalid/v2/oauth2", form)
        assert outcome == NotSent(why="the proxy refused the connection (HTTP 403)")
        (request,) = proxy.requests
        assert request.startswith(b"CONNECT wbsapi.withings.invalid:443 HTTP/1.1\r\n")
        assert b"oauth2" not in request

    def test_a_tunnel_is_not_yet_a_connection(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch, form: dict[str, str]
    ) -> None:
        def tunnel(server: Server, connection: socket.socket) -> None:
            server.request(connection)
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            connection.close()

        proxy = serve(tunnel)
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        assert isinstance(post("https://wbsapi.withings.invalid/", form), NotSent)

    def test_a_password_for_the_proxy_is_for_the_proxy(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch, canaries: Canaries
    ) -> None:
        proxy = serve(http(b"no", "407 Proxy Authentication Required"))
        password = canaries.plant("proxy password")
        monkeypatch.setenv("https_proxy", f"http://me:{password}@127.0.0.1:{proxy.port}")
        outcome = post("https://wbsapi.withings.invalid/", {})
        canaries.hear("the outcome", repr(outcome))
        assert outcome == NotSent(why="the proxy refused the connection (HTTP 407)")
        assert b"Proxy-Authorization: Basic" in proxy.requests[0]

    @pytest.mark.parametrize(
        ("proxy", "why"),
        [
            ("http://127.0.0.1:1", "the proxy cannot be reached"),
            ("not a url", None),
            ("http://[", None),
            ("http://127.0.0.1:99999", None),
        ],
    )
    def test_a_proxy_that_is_none(
        self, monkeypatch: pytest.MonkeyPatch, form: dict[str, str], proxy: str, why: str | None
    ) -> None:
        monkeypatch.setenv("https_proxy", proxy)
        outcome = post("https://wbsapi.withings.invalid/", form)
        assert isinstance(outcome, NotSent)
        assert why in {None, outcome.why}

    def test_no_proxy_names_hosts_that_are_reached_directly(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch, form: dict[str, str]
    ) -> None:
        proxy = serve(http(b"no", "403 Forbidden"))
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", ".withings.invalid")
        assert isinstance(post("https://wbsapi.withings.invalid/", form), NotSent)
        assert proxy.requests == []

    def test_no_password_is_taken_from_netrc(
        self, serve: Serve, home: Path, monkeypatch: pytest.MonkeyPatch, canaries: Canaries
    ) -> None:
        netrc = home / ".netrc"
        netrc.write_text(f"machine 127.0.0.1 login me password {canaries.plant('netrc password')}\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        server = serve(http(b"{}"))
        post(server.url, {})
        assert b"authorization" not in server.requests[0].lower()

    def test_ipv6_is_reached(self, serve: Serve) -> None:
        try:
            server = serve(http(b"six"), family=socket.AF_INET6)
        except OSError:
            pytest.skip("this machine has no IPv6")
        assert post(f"http://[::1]:{server.port}/", {}) == Answer(http_status=200, body=b"six")


def test_nothing_of_an_exchange_is_logged(
    serve: Serve, canaries: Canaries, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Statement 23: at DEBUG, with asyncio's own debugging on, no logger says a secret of request or answer."""
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    caplog.set_level(logging.DEBUG)
    form = {"client_secret": canaries.plant("client secret"), "code": canaries.plant("code")}
    tokens = json.dumps({"status": 0, "body": {"access_token": canaries.plant("access token")}}).encode()
    server = serve(http(tokens))
    outcome = post(server.url, form)
    assert isinstance(outcome, Answer)
    assert outcome.body == tokens
    canaries.hear("a repr", repr(outcome))
    assert any(record.name == "asyncio" for record in caplog.records)  # something was logged at all
