"""The TCP sockets of this machine, as Linux lists them in /proc/net/tcp and tcp6; no others are known elsewhere."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
ESTABLISHED, CLOSE_WAIT, LISTENING = 0x01, 0x08, 0x0A  # in include/net/tcp_states.h

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Endpoint = tuple[Address, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """One line of the table. A socket that no process holds any more has the inode 0, and a meaningless `uid`."""

    local: Endpoint
    remote: Endpoint
    state: int
    uid: int
    inode: int


def read_address(text: str) -> Address:
    """Returns an IP address; one of IPv4 within IPv6 is read as what it stands for. Raises `ValueError`."""
    return _plain(ipaddress.ip_address(text.partition("%")[0]))


def tcp_sockets(port: int, proc: Path = PROC) -> Iterator[Socket]:
    """Yields the sockets with this port at either end. Raises `OSError` and `ValueError` if a table is unreadable."""
    wanted = f":{port:04X}"
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).open(encoding="ascii")
        except FileNotFoundError:  # not Linux, or without this address family
            continue
        with lines:
            for line in lines:  # one by one, since another user can make the table long
                fields = line.split()  # the kernel's Documentation/networking/proc_net_tcp.rst
                if len(fields) >= 10 and (fields[1].endswith(wanted) or fields[2].endswith(wanted)):
                    yield Socket(
                        local=_endpoint(fields[1]),
                        remote=_endpoint(fields[2]),
                        state=int(fields[3], 16),
                        uid=int(fields[7]),
                        inode=int(fields[9]),
                    )


def _endpoint(text: str) -> Endpoint:
    """Reads an address as the kernel prints it: 32-bit words in the machine's byte order."""
    digits, _, port = text.partition(":")
    words = (int(digits[start : start + 8], 16) for start in range(0, len(digits), 8))
    address = ipaddress.ip_address(b"".join(word.to_bytes(4, sys.byteorder) for word in words))
    return _plain(address), int(port, 16)


def _plain(address: Address) -> Address:
    return getattr(address, "ipv4_mapped", None) or address
