"""Whose a connection is, read from tables as Linux writes them and from real sockets."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from withings_auth.authorization.visitors import Connection, Visitor, identify, uids_of_this_user

OWN = frozenset({1000})
PEER, LISTENER = ("127.0.0.1", 40_000), ("127.0.0.1", 8000)
CONNECTION = Connection(PEER, LISTENER)
V4, MAPPED = "0100007F", "0000000000000000FFFF00000100007F"


def line(uid: int, *, address: str = V4, state: str = "01", inode: int = 7, ports: str = "9C40 1F40") -> str:
    """The peer's own socket, as /proc/net/tcp shows it."""
    local, remote = (f"{address}:{port}" for port in ports.split())
    return f"0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000 {uid} 0 {inode} 1 0 20 4 30 10 -1"


def proc(tmp_path: Path, *lines: str, table: str = "tcp") -> Path:
    (tmp_path / "net").mkdir(exist_ok=True)
    (tmp_path / "net" / table).write_text("\n".join(["header", *lines, ""]))
    return tmp_path


@pytest.mark.parametrize(
    ("uid", "alone", "behind_proxy"),
    [
        (1000, Visitor.THIS_USER, Visitor.THIS_USER),
        (1001, Visitor.ANOTHER_USER, Visitor.ANOTHER_USER),
        (65534, Visitor.ANOTHER_USER, Visitor.ANOTHER_USER),
        (33, Visitor.ANOTHER_USER, Visitor.UNKNOWN),
        (0, Visitor.UNKNOWN, Visitor.UNKNOWN),
    ],
)
def test_the_peers_user_decides(tmp_path: Path, uid: int, alone: Visitor, behind_proxy: Visitor) -> None:
    """Statement 40: root passes, as behind a port proxy; a system account only if the user lets one forward."""
    fake = proc(tmp_path, line(uid))
    assert identify(CONNECTION, behind_proxy=False, own_uids=OWN, proc=fake) is alone
    assert identify(CONNECTION, behind_proxy=True, own_uids=OWN, proc=fake) is behind_proxy


@pytest.mark.parametrize(
    "other",
    [
        line(1001, ports="9C41 1F40"),
        line(1001, ports="9C40 1F41"),
        line(1001, ports="1F40 9C40"),
        line(1001, address="0200007F"),
        line(1001, inode=0),
        line(1001, state="06"),
        "0:",
        line(1001).replace(" 1001 ", " nobody "),
    ],
    ids=["peer port", "own port", "our end", "address", "without a process", "TIME_WAIT", "cut off", "no number"],
)
def test_only_the_peers_own_living_socket_counts(tmp_path: Path, other: str) -> None:
    """Statement 40: a socket that has no process any more is shown as root's, and says nothing."""
    assert identify(CONNECTION, behind_proxy=False, own_uids=OWN, proc=proc(tmp_path, other)) is Visitor.UNKNOWN


def test_ipv4_in_ipv6_is_found_in_the_other_table(tmp_path: Path) -> None:
    """Statement 40: a program may reach 127.0.0.1 by a socket of IPv6."""
    fake = proc(tmp_path, line(1001, address=MAPPED), table="tcp6")
    assert identify(CONNECTION, behind_proxy=False, own_uids=OWN, proc=fake) is Visitor.ANOTHER_USER


def test_without_linux_nobody_is_known(tmp_path: Path) -> None:
    """No table, or no connection, and no answer."""
    assert identify(CONNECTION, behind_proxy=False, proc=tmp_path) is Visitor.UNKNOWN
    assert identify(None, behind_proxy=False) is Visitor.UNKNOWN
    assert identify(Connection(("",), ()), behind_proxy=False) is Visitor.UNKNOWN


@pytest.mark.skipif(sys.platform != "linux", reason="no other system has these tables")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_real_connection_is_this_users(host: str) -> None:
    """Statement 40: on this machine, over either family, even after the visitor has sent everything."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server, socket.socket(family) as visitor:
        visitor.connect(server.getsockname())
        accepted, peer = server.accept()
        with accepted:
            connection = Connection(peer, accepted.getsockname())
            assert identify(connection, behind_proxy=False) is Visitor.THIS_USER
            visitor.shutdown(socket.SHUT_WR)
            assert identify(connection, behind_proxy=False) is Visitor.THIS_USER
            assert identify(connection, behind_proxy=False, own_uids=frozenset({1})) is not Visitor.THIS_USER


def test_under_sudo_the_caller_is_this_user_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser of somebody who calls `sudo withings-auth login` runs as they do."""
    own = {os.getuid(), os.geteuid()}
    assert uids_of_this_user({"SUDO_UID": "1234"}) == own | {1234}
    assert uids_of_this_user({"SUDO_UID": "me"}) == own
    monkeypatch.setattr(sys, "platform", "win32")
    assert uids_of_this_user({"SUDO_UID": "1234"}) == frozenset()
