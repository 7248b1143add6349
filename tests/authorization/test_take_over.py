"""Another user of the machine is quicker than the browser, and still cannot take a login over."""

from __future__ import annotations

import socket
import sys
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.logins import Desk, PendingLogin, parse_response
from tests.support.other_user import needs_root, send_as_another_user
from tests.support.programs import Program
from tests.support.visitor import visit

linux = pytest.mark.skipif(sys.platform != "linux", reason="no other system tells whose a connection is")
WAYS = {
    "IPv4": ("127.0.0.1", socket.AF_INET),
    "IPv6": ("::1", socket.AF_INET6),
    "IPv4 in IPv6": ("::ffff:127.0.0.1", socket.AF_INET6),
}


def state_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["state"][0]


@linux
@needs_root
@pytest.mark.parametrize("way", WAYS)
def test_another_user_learns_nothing_from_the_start_address(desk: Desk, way: str) -> None:
    """Statement 40: a visit of another user is refused and told, does not use the address up, and the browser that
    comes later logs in."""
    program, short = desk.start_with_browser()
    host, family = WAYS[way]
    request = f"GET {urlsplit(short).path} HTTP/1.1\r\nHost: localhost:{desk.port}\r\n\r\n"
    stolen = parse_response(send_as_another_user(host, desk.port, request, family=family))
    assert (stolen.status, stolen.headers.get("Location")) == (403, None)
    program.stderr.expect("Ignored a request by another user of this computer")
    assert visit(short).http_status == 200
    assert program.wait().returncode == 0


@linux
@needs_root
def test_another_users_callback_is_refused(desk: Desk) -> None:
    """Statement 40: not even the true state lets another user answer the login."""
    login = desk.start()
    request = f"GET /?code=theirs&state={login.state} HTTP/1.1\r\nHost: localhost:{login.port}\r\n\r\n"
    refused = parse_response(send_as_another_user("127.0.0.1", login.port, request, family=socket.AF_INET))
    assert refused.status == 403
    assert login.allow().http_status == 200
    finished = login.wait()
    assert finished.returncode == 0
    assert "log in with --paste" in finished.stderr


@linux
def test_a_link_that_is_opened_twice_spoils_nothing(desk: Desk) -> None:
    """Statement 40: if this user opens the address twice, the first tab stays valid and the terminal shows the long
    address for the second."""
    program, short = desk.start_with_browser()
    login = _pending(desk, program)
    first = login.get(path=urlsplit(short).path)
    second = login.get(path=urlsplit(short).path)
    assert (first.status, second.status) == (302, 410)
    assert program.stderr.line(r"^http\S+") == first.headers["Location"]
    assert visit(first.headers["Location"]).http_status == 200
    assert program.wait().returncode == 0


@linux
@needs_root
def test_if_somebody_unknown_was_first_the_state_changes(desk: Desk) -> None:
    """Statement 40: behind a proxy a system account may stand for anybody. After a second visit the first state is
    void, and the address on the terminal bears another one, with which the login succeeds."""
    program, short = desk.start_with_browser("--listen", f"127.0.0.1:{desk.port}")
    login = _pending(desk, program)
    request = f"GET {urlsplit(short).path} HTTP/1.1\r\nHost: localhost:{desk.port}\r\n\r\n"
    first = parse_response(send_as_another_user("127.0.0.1", desk.port, request, family=socket.AF_INET, uid=33))
    assert login.get(path=urlsplit(short).path).status == 410
    told = program.stderr.line(r"^http\S+")
    known = state_of(first.headers["Location"])
    assert state_of(told) != known
    assert login.get(f"code=theirs&state={known}").status == 400
    assert visit(told).http_status == 200
    assert program.wait().returncode == 0


def _pending(desk: Desk, program: Program) -> PendingLogin:
    return PendingLogin(program, f"{desk.sandbox.url}/?state=unknown", desk.port, "/")
