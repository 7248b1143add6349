"""More than a login can take: connections without a request, headers without end."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest

from tests.support.logins import Desk, PendingLogin
from withings_auth.authorization import connections
from withings_auth.authorization.connections import Connections, most_connections, most_descriptors


def limited(desk: Desk, descriptors: int) -> PendingLogin:
    """Starts a login that may open so many descriptors."""
    limit = f'ulimit -n {descriptors}; exec "$0" "$@"'
    program = desk.cli.using("sh", "-c", limit, sys.executable, "-m", "withings_auth").start(
        "login", "--no-browser", env=desk.env
    )
    url = program.stderr.line(r"^http\S+")
    desk.canaries.plant("the client secret", desk.sandbox.client_secret)
    return PendingLogin(program, url, desk.port, "/")


@pytest.mark.parametrize(("idle", "descriptors"), [(300, 256), (200, 64)])
def test_idle_connections_do_not_use_up_the_descriptors(desk: Desk, idle: int, descriptors: int) -> None:
    """Statement 43: with more idle connections than descriptors the login succeeds, the exchange with Withings
    included, and prints nothing but its own lines."""
    login = limited(desk, descriptors)
    with ExitStack() as held:
        for number in range(idle):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", login.port), timeout=60))
            if number % 2:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: ")
        assert login.allow().http_status == 200
        finished = login.wait()
    assert finished.returncode == 0, finished.stderr
    assert "Traceback" not in finished.stderr
    # Eleven, and a twelfth if the wait is long enough for it to say what may be wrong.
    assert len(finished.stderr.splitlines()) <= 12, finished.stderr


@pytest.mark.parametrize(("descriptors", "most"), [(1024, 64), (256, 64), (100, 25), (1, 1), (None, 64)])
def test_at_most_one_descriptor_in_four_is_a_connections(descriptors: int | None, most: int) -> None:
    """Statement 43: the others are the login's reserve."""
    assert most_connections(descriptors) == most


def test_the_limit_of_descriptors_is_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a limit there is nothing to divide."""
    resource = pytest.importorskip("resource")
    for limit, known in ((100, 100), (resource.RLIM_INFINITY, None)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        assert most_descriptors() == known


def serving(test: Callable[[tuple[str, int]], object], most: int) -> None:
    """Runs a test in a thread while connections are accepted; each gets a byte for what it sends."""

    class Answering(asyncio.Protocol):
        def __init__(self, opened: Connections) -> None:
            self.opened = opened

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport
            self.opened.add(transport)

        def data_received(self, data: bytes) -> None:
            if data == b"whole":
                self.opened.has_request(self.transport)
            self.transport.write(b"!")

        def connection_lost(self, _: Exception | None) -> None:
            self.opened.remove(self.transport)

    async def main() -> None:
        opened = Connections(most)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            accepting = asyncio.ensure_future(opened.accept(listening, lambda: Answering(opened)))
            await asyncio.to_thread(test, listening.getsockname())
            accepting.cancel()
            await asyncio.wait({accepting})

    asyncio.run(main())


def test_the_oldest_without_a_request_goes_first() -> None:
    """Statement 43: one whose request has arrived stays, whatever comes after it."""

    def crowd(address: tuple[str, int]) -> None:
        with ExitStack() as held:
            first, second, third, fourth = (
                held.enter_context(socket.create_connection(address, timeout=60)) for _ in range(4)
            )
            del third
            first.sendall(b"whole")
            assert first.recv(1) == b"!"
            fifth = held.enter_context(socket.create_connection(address, timeout=60))
            assert is_closed(second)
            for one in (fifth, fourth):
                one.sendall(b"whole")
                assert one.recv(1) == b"!"

    serving(crowd, most=4)


def test_a_request_has_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Statement 43: a connection that brings nothing in time is closed; one that has brought it is not."""
    assert connections.REQUEST_SECONDS == 10
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)

    def dawdle(address: tuple[str, int]) -> None:
        with ExitStack() as held:
            idle, quick = (held.enter_context(socket.create_connection(address, timeout=60)) for _ in range(2))
            quick.sendall(b"whole")
            assert quick.recv(1) == b"!"
            assert is_closed(idle)
            quick.sendall(b"whole")
            assert quick.recv(1) == b"!"

    serving(dawdle, most=4)


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_if_every_connection_has_a_request_the_next_one_waits() -> None:
    """Statement 43: nobody whose request has arrived is sent away."""

    def crowd(address: tuple[str, int]) -> None:
        with ExitStack() as held:
            first = held.enter_context(socket.create_connection(address, timeout=60))
            first.sendall(b"whole")
            assert first.recv(1) == b"!"
            waiting = held.enter_context(socket.create_connection(address, timeout=60))
            waiting.sendall(b"whole")
            waiting.settimeout(0.2)
            with pytest.raises(TimeoutError):
                waiting.recv(1)
            first.close()
            waiting.settimeout(60)
            assert waiting.recv(1) == b"!"

    serving(crowd, most=1)


def test_without_a_descriptor_a_connection_waits() -> None:
    """Statement 43: it is accepted as soon as there is one, and stays if that was the last."""
    resource = pytest.importorskip("resource")

    def run_out(address: tuple[str, int]) -> None:
        with ExitStack() as held:
            idle, late = held.enter_context(socket.create_connection(address, timeout=60)), socket.socket()
            held.enter_context(late)
            idle.sendall(b"half")
            assert idle.recv(1) == b"!"
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits[0], 256), limits[1]))
            fillers = []
            try:
                with suppress(OSError):
                    while True:
                        fillers.append(os.dup(late.fileno()))
                late.connect(address)
                late.sendall(b"whole")
                assert is_closed(idle)
                late.settimeout(60)
                assert late.recv(1) == b"!"
            finally:
                for descriptor in fillers:
                    os.close(descriptor)
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    serving(run_out, most=4)


@pytest.mark.parametrize(("cookies", "size"), [(12, 900), (200, 4_096)])
def test_cookies_of_other_ports_are_no_obstacle(desk: Desk, cookies: int, size: int) -> None:
    """Statement 41: headers up to 1 MiB are read; a browser sends what pages on all ports of localhost have set."""
    login = desk.start()
    cookie = "; ".join(f"c{number}={'x' * size}" for number in range(cookies))
    answer = login.get(login.consent(), headers=(f"Host: localhost:{login.port}", f"Cookie: {cookie}"))
    assert answer.status == 200
    assert login.wait().returncode == 0


def test_larger_headers_are_explained(desk: Desk) -> None:
    """Statement 41: beyond that the terminal names the cookies, and the address for a private window."""
    login = desk.start()
    headers = f"GET /?{login.consent()} HTTP/1.1\r\nHost: localhost:{login.port}\r\nCookie: a={'x' * (1 << 21)}\r\n\r\n"
    with suppress(ConnectionError):  # it is closed before everything was sent
        login.send(headers.encode())
    login.program.stderr.expect("with more than 1 MiB of headers")
    login.program.stderr.expect("Too many cookies are set for localhost. Delete them, or use a private window")
    assert login.program.stderr.line(r"^http\S+") == login.authorize_url
    assert login.allow().http_status == 200
    assert login.wait().returncode == 0
