"""Redirect URIs that are not plain localhost: whole logins, with a proxy or port mapping in between."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import MakeDesk
from tests.support import logins
from tests.support.canaries import Canaries
from tests.support.logins import Desk, Sandbox
from tests.support.ports import free_port
from tests.support.programs import Cli


@pytest.fixture
def another_desk(cli: Cli, canaries: Canaries, home: Path) -> Iterator[Desk]:
    """A desk whose app has a public https address registered."""
    redirect_uri = "https://me.example/withings/cb"
    with Sandbox(redirect_uris=[redirect_uri]) as sandbox:
        made = logins.set_up_desk(cli, canaries, home, sandbox, redirect_uri, free_port())
        yield made
        made.plant_secrets()


@contextmanager
def port_mapping(outside: int, inside: int) -> Iterator[None]:
    """Maps a port, as for a container: connections to one are passed to the other byte by byte."""

    def carry(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def accept(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _address = listening.accept()
                far = socket.create_connection(("127.0.0.1", inside))
                ways = [threading.Thread(target=carry, args=pair) for pair in ((near, far), (far, near))]
                for way in ways:
                    way.start()
                for way in ways:
                    way.join()
                near.close()
                far.close()

    with socket.create_server(("127.0.0.1", outside)) as listening:
        accepting = threading.Thread(target=accept, args=[listening])
        accepting.start()
        try:
            yield
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join()


def listeners(port: int) -> set[str]:
    """The addresses that listen on a port, according to the kernel."""
    table = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    return {line.split()[1].split(":")[0] for line in table.splitlines() if f":{port:04X} " in line and " 0A " in line}


@pytest.mark.parametrize(("host", "held"), [("127.0.0.1", {"0100007F"}), ("[::1]", {f"{'0' * 24}01000000"})])
def test_a_literal_redirect_uri(make_desk: MakeDesk, host: str, held: set[str]) -> None:
    """Statement 1: with a literal of either family the login listens there, there alone, and succeeds."""
    login = make_desk(host=host, path="/withings/cb").start()
    assert listeners(login.port) == held
    assert login.allow().http_status == 200
    assert login.wait().returncode == 0


@pytest.mark.parametrize("forwarded_host", ["me.example", "me.example:443", "127.0.0.1:{port}"])
def test_https_with_something_that_forwards(another_desk: Desk, forwarded_host: str) -> None:
    """An https address works with --listen: a proxy with the certificate forwards it with its Host or ours."""
    desk = another_desk
    login = desk.start("--listen", f"127.0.0.1:{desk.port}")
    assert listeners(desk.port) == {"0100007F"}
    assert "redirect_uri=https%3A%2F%2Fme.example%2Fwithings%2Fcb" in login.authorize_url
    query = login.consent()
    foreign = login.get(query, headers=("Host: evil.example",))
    assert foreign.status == 400
    answer = login.get(query, headers=(f"Host: {forwarded_host.format(port=desk.port)}", "X-Forwarded-Proto: https"))
    assert (answer.status, login.wait().returncode) == (200, 0)


def test_https_gives_the_browser_our_own_address(another_desk: Desk) -> None:
    """Statement 20: the browser is given an address of the listener, since a proxy may only pass the callback on."""
    desk = another_desk
    program, url = desk.start_with_browser("--listen", f"127.0.0.1:{desk.port}")
    assert url.startswith(f"http://127.0.0.1:{desk.port}/start/")
    parts = urlsplit(url)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=60)) as connection:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        assert (answer.headers["Location"] or "").startswith(desk.sandbox.endpoints.authorize_url)
    assert program.running


@pytest.mark.parametrize("redirect_uri", [None, "http://me.example:8000", "https://localhost:8443"])
def test_without_listen_it_is_refused_at_once(another_desk: Desk, redirect_uri: str | None) -> None:
    """What cannot work is reported before anything is saved or opened, with what to do instead; exit 2."""
    if redirect_uri is not None:
        another_desk.env["WITHINGS_REDIRECT_URI"] = redirect_uri
    finished = another_desk.run("login")
    assert finished.returncode == 2
    assert "cannot work" in finished.stderr
    assert "--listen" in finished.stderr
    assert "--paste" in finished.stderr
    assert not list(another_desk.directory.rglob("*.json"))


def test_a_mapped_port_of_a_container(make_desk: MakeDesk) -> None:
    """Statement 1: --listen 0.0.0.0:PORT listens on every address, says so in a warning, and the callback comes
    through the mapped port."""
    desk = make_desk()
    inside = free_port()
    login = desk.start("--listen", f"0.0.0.0:{inside}")
    assert listeners(inside) == {"00000000"}
    with port_mapping(desk.port, inside):
        assert login.allow().http_status == 200
        finished = login.wait()
    assert finished.returncode == 0
    warning = (
        f"withings-auth: warning: other machines can connect to the address this login listens on (0.0.0.0:{inside})"
    )
    assert finished.stderr.splitlines()[0] == warning


def test_a_loopback_place_to_listen_needs_no_warning(make_desk: MakeDesk) -> None:
    """Statement 1: the warning means something; another loopback address gets none."""
    desk = make_desk()
    login = desk.start("--listen", f"127.0.0.2:{desk.port}")
    assert listeners(desk.port) == {"0200007F"}
    assert "warning" not in login.program.stderr.text
