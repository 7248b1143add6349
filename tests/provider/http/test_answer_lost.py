"""A POST that was sent, to servers that do everything a server should not, without a complete answer."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest

from tests.provider.http.server import LATE, LIMIT, Serve, Server, closed_at_once, http, reset
from withings_auth.provider.http import post
from withings_auth.provider.replies import AnswerLost, NotSent


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
        assert time.monotonic() - started < LIMIT + 30
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
