"""Real sockets: which addresses they hold, and who else may hold them."""

from __future__ import annotations

import errno
import socket
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.support.ports import free_port
from withings_auth.authorization.addresses import Addresses, resolve_addresses
from withings_auth.authorization.sockets import listen, sharing_option
from withings_auth.errors import CallbackUnavailable


def where(host: str = "localhost", port: int | None = None) -> Addresses:
    return resolve_addresses(f"http://{host}:{port or free_port()}", None)


def test_both_loopback_families_are_held_and_nothing_else() -> None:
    """Statement 1 and 3: for `localhost` both literals listen on the one port, according to the kernel."""
    wanted = where()
    with ExitStack() as held:
        for listening in listen(wanted):
            held.enter_context(listening)
        port = f":{wanted.port:04X} "
        table = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        listening_on = {line.split()[1].split(":")[0] for line in table.splitlines() if port in line and " 0A " in line}
    assert listening_on == {"0100007F", "00000000000000000000000001000000"}


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_literal_is_held_alone(host: str) -> None:
    """Statement 3: a literal redirect URI needs its own address only."""
    with closing(*listen(where(host))) as only:
        assert only.getsockname()[0] == host.strip("[]")


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
@pytest.mark.parametrize("reuse", [0, 1])
def test_somebody_elses_listener_on_either_family_is_noticed(
    family: socket.AddressFamily, host: str, reuse: int
) -> None:
    """Statement 4: a decoy on either family, sharing or not, is a clear failure that names the port."""
    wanted = where()
    with socket.socket(family) as decoy:
        decoy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        decoy.bind((host, wanted.port))
        decoy.listen()
        with pytest.raises(CallbackUnavailable, match=str(wanted.port)) as busy:
            listen(wanted)
    assert 'redirect_uri="http://localhost:PORT"' in busy.value.hint


def test_a_wildcard_listener_is_noticed() -> None:
    """Statement 4: a program that listens on every address would get the callback too."""
    wanted = where()
    with socket.socket() as decoy:
        decoy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        decoy.bind(("0.0.0.0", wanted.port))  # noqa: S104  the decoy's purpose
        decoy.listen()
        with pytest.raises(CallbackUnavailable):
            listen(wanted)


def test_two_in_a_row_work_although_a_connection_lingers() -> None:
    """Statement 5: a port whose last connection is in TIME_WAIT can be listened on again at once."""
    wanted = where("127.0.0.1")
    for _ in range(2):
        with closing(*listen(wanted)) as listening:
            listening.setblocking(True)
            with socket.create_connection(("127.0.0.1", wanted.port)) as client:
                accepted, _address = listening.accept()
                accepted.close()  # the side that closes first is the one that lingers
                assert client.recv(1) == b""


def test_they_listen_before_anybody_serves() -> None:
    """Statement 5: a browser that is faster than us waits in the kernel's queue and is not refused."""
    wanted = where("127.0.0.1")
    with closing(*listen(wanted)), socket.create_connection(("127.0.0.1", wanted.port), timeout=5) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")


def test_nothing_stays_held_after_a_failure() -> None:
    """Statement 2: if the second family is taken, the first is let go."""
    wanted = where()
    with socket.socket(socket.AF_INET6) as decoy:
        decoy.bind(("::1", wanted.port))
        decoy.listen()
        with pytest.raises(CallbackUnavailable):
            listen(wanted)
        with socket.socket() as again:
            again.bind(("127.0.0.1", wanted.port))


def test_a_host_without_ipv6_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Statement 3: if the kernel has no IPv6, the other family is enough for `localhost`."""
    real = socket.socket

    def without_ipv6(family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(family, kind)

    monkeypatch.setattr(socket, "socket", without_ipv6)
    with closing(*listen(where_without_probe())) as only:
        assert only.family == socket.AF_INET


def refuse_to_bind(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Makes the kernel refuse every address with this error."""

    class Refusing(socket.socket):
        def bind(self, _address: object) -> None:
            raise OSError(number, "refused by the kernel")

    monkeypatch.setattr(socket, "socket", Refusing)


@pytest.mark.parametrize(
    ("number", "port", "message", "hint"),
    [
        (errno.EACCES, 80, "this user may not listen on ", "ports below 1024 need administrator rights"),
        (errno.EACCES, 48713, "the system does not let programs listen on ", "show excludedportrange"),
        (errno.ENOBUFS, 48713, ": refused by the kernel", "register a URL with another port"),
    ],
)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_refusal_of_the_system_is_explained(
    monkeypatch: pytest.MonkeyPatch, host: str, number: int, port: int, message: str, hint: str
) -> None:
    refuse_to_bind(monkeypatch, number)
    with pytest.raises(CallbackUnavailable, match=message) as refused:
        listen(resolve_addresses(f"http://{host}:{port}", None))
    assert hint in refused.value.hint
    assert ("administrator" in refused.value.hint) == (port < 1024)


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(CallbackUnavailable, match="this machine does not have that address") as refused:
        listen(resolve_addresses("http://localhost:8000", "192.0.2.1:48713"))
    assert refused.value.hint == 'use one that it has, for example listen="127.0.0.1:48713"'


def test_a_host_without_any_loopback_address_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_to_bind(monkeypatch, errno.EADDRNOTAVAIL)
    with pytest.raises(CallbackUnavailable, match="no loopback address to listen on port 48713"):
        listen(where_without_probe())


def where_without_probe() -> Addresses:
    return resolve_addresses("http://localhost:48713", None)


def test_sharing_is_the_platforms_safe_kind() -> None:
    """Statement 6: exclusive on Windows, reuse of a lingering port elsewhere, SO_REUSEPORT nowhere."""
    assert sharing_option("win32") == ~socket.SO_REUSEADDR
    assert sharing_option("linux") == sharing_option("darwin") == socket.SO_REUSEADDR
    sources = Path(sys.modules["withings_auth"].__path__[0]).rglob("*.py")
    assert not [path for path in sources if "SO_REUSEPORT" in path.read_text()]
