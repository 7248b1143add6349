"""A POST that was answered, however odd the answer is."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import sys
import time

import pytest

from tests.provider.http.server import Serve, Server, http
from tests.support.canaries import Canaries
from tests.support.programs import Cli
from withings_auth.provider.http import LARGEST_BODY_BYTES, post
from withings_auth.provider.replies import Answer


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
        """An eighth of a gigabyte of zeros behind half a megabyte is cut at 1 MiB, in little memory."""
        bomb = gzip.compress(b"\0" * (128 * 1024 * 1024), 1)
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
