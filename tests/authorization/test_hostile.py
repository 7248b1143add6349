"""A real login process, attacked over raw sockets: nothing harms it, and it still succeeds afterwards."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from tests.support.logins import Desk, PendingLogin, Reply

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Type": "text/html; charset=utf-8",
}


def assert_armoured(reply: Reply) -> None:
    """Statement 17 and 8: the full set of headers, and no permission for another origin."""
    assert {name: reply.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
    policy = reply.headers["Content-Security-Policy"]
    for directive in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'"):
        assert directive in policy
    assert not [name for name in reply.headers if name.lower().startswith("access-control")]


def assert_still_works(login: PendingLogin) -> str:
    """The login goes on as if nothing had happened, and succeeds. Returns what it printed."""
    assert login.program.running
    page = login.allow()
    assert page.http_status == 200
    ended = login.wait()
    assert ended.returncode == 0, ended.stderr
    assert "Signed in as" in ended.stderr
    return ended.stderr


def test_requests_that_are_not_the_callback_change_nothing(desk: Desk) -> None:
    """Statements 7 to 12, 16 and 17: each gets its status and our headers, is reflected nowhere, and the
    true callback still ends the login."""
    login = desk.start()
    state, marker = login.state, "m4rk3r<b>"
    host = f"Host: localhost:{login.port}"
    attacks: list[tuple[int, Reply]] = [
        (400, login.get(f"code={marker}&state=x")),
        (400, login.get("error=access_denied")),
        (400, login.get("error=access_denied&state=wrong")),
        (400, login.get(f"state={state}")),
        (400, login.get(f"code=a&code=b&state={state}")),
        (400, login.get(f"code=&state={state}")),
        (400, login.get(f"code=abc&error=x&state={state}")),
        (400, login.get(f"code=abc&state={state}&iss=https://evil.example")),
        (404, login.get(f"code=abc&state={state}", path="/%2e")),
        (404, login.get(f"code=abc&state={state}", path="//")),
        (404, login.get(path="/favicon.ico")),
        (405, login.get(f"code=abc&state={state}", method="POST")),
        (405, login.get(f"code=abc&state={state}", method="OPTIONS")),
        (405, login.get(f"code=abc&state={state}", method="HEAD")),
        (400, login.get(f"code=abc&state={state}", headers=("Host: evil.example",))),
        (400, login.get(f"code=abc&state={state}", headers=())),
        (400, login.get(f"code=abc&state={state}", headers=(host, host))),
        (400, login.get(f"code=abc&state={state}", path=f"http://evil.example:{login.port}/")),
        (503, login.get(f"code=abc&state={state}", headers=(host, "Sec-Purpose: prefetch"))),
        (400, login.get(f"code={'a' * 9000}&state={state}")),
    ]
    for expected, reply in attacks:
        assert (reply.status, marker in reply.body) == (expected, False), reply
        assert_armoured(reply)
    assert all(reply.headers.get("Allow") == "GET" for expected, reply in attacks if expected == 405)
    said = assert_still_works(login)
    assert "with the state of another login" in said
    assert "without state" in said


@pytest.mark.parametrize(
    "junk",
    [b"\x00\x01\x02\x03\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\xff" * 100_000, b"\r\n\r\n\r\n"],
    ids=["zero bytes", "no target", "another version", "noise", "blank lines"],
)
def test_junk_is_answered_and_forgotten(desk: Desk, junk: bytes) -> None:
    """Statement 15: what is not HTTP ends its own connection and nothing else."""
    login = desk.start()
    with socket.create_connection(("127.0.0.1", login.port), timeout=5) as connection:
        connection.sendall(junk)
        connection.shutdown(socket.SHUT_WR)
    assert_still_works(login)


def test_half_requests_and_idle_connections_delay_nothing(desk: Desk) -> None:
    """Statement 15: fifty connections with half a request, or none, do not delay the end."""
    login = desk.start()
    with ExitStack() as held:
        for number in range(50):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", login.port)))
            if number % 2:
                connection.sendall(f"GET /?code=x&state={login.state} HTTP/1.1\r\nHost: ".encode())
        login.allow()
        assert login.wait(seconds=60).returncode == 0


def test_a_tls_hello_is_explained(desk: Desk) -> None:
    """Statement 15: a browser that forces https on localhost is counted, and the user is told."""
    login = desk.start()
    assert login.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") == b""
    assert "force https" in assert_still_works(login)


def test_a_closed_tab_does_not_matter(desk: Desk) -> None:
    """Statement 15: once the callback has come, the browser is not needed any more."""
    login = desk.start()
    desk.sandbox.fail_next("slow", seconds=3.0)
    query = login.consent()
    with socket.create_connection(("127.0.0.1", login.port), timeout=5) as connection:
        connection.sendall(f"GET /?{query} HTTP/1.1\r\nHost: localhost:{login.port}\r\n\r\n".encode())
    assert login.wait().returncode == 0


def test_duplicates_of_the_callback_get_the_same_page_and_one_exchange(desk: Desk) -> None:
    """Statement 13: the code is exchanged once, whoever repeats the callback; another code is refused."""
    login = desk.start()
    desk.sandbox.fail_next("slow", seconds=3.0)
    query = login.consent()
    request = f"GET /?{query} HTTP/1.1\r\nHost: localhost:{login.port}\r\n\r\n".encode()
    with ExitStack() as held:
        tabs = [held.enter_context(socket.create_connection((host, login.port))) for host in ("127.0.0.1", "::1") * 2]
        for tab in tabs:
            tab.sendall(request)
        other = login.get(f"code=another&state={login.state}")
        pages = [_all_of(tab) for tab in tabs]
    assert other.status == 410
    assert login.wait().returncode == 0
    assert len(set(pages)) == 1
    assert b"You are signed in" in pages[0]
    assert desk.sandbox.counters.token_requests == 1


def _all_of(connection: socket.socket) -> bytes:
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received.partition(b"\r\n\r\n")[2]


def test_the_port_is_closed_afterwards(desk: Desk) -> None:
    """Statement 2: after success nothing listens any more, and the same port serves the next login at once."""
    for _ in range(2):
        login = desk.start()
        login.allow()
        assert login.wait().returncode == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", login.port))
