"""Which program listens on a port, found on Linux, so that the user knows what to stop.

Best effort: the system shows users only their own processes. A program is named by its short name, never by its
command line, which may hold secrets.
"""

from __future__ import annotations

import ipaddress
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

from withings_auth.validation import printable

PATIENCE_SECONDS = 0.5  # with very many processes, the search is given up
_LISTENING = "0A"  # TCP_LISTEN, in include/net/tcp_states.h
_LONGEST_TABLE = 1 << 22  # characters of /proc/net/tcp: about 25,000 sockets


def find_port_owner(
    host: str, port: int, *, proc: Path = Path("/proc"), clock: Callable[[], float] = time.monotonic
) -> str | None:
    """Returns the program that listens on an IP literal and port, as in “python3 (process 123)”, None if unknown.

    Never raises, and takes no longer than `PATIENCE_SECONDS`.
    """
    deadline = clock() + PATIENCE_SECONDS
    with suppress(OSError, ValueError):
        links = {f"socket:[{inode}]" for inode in _listening_inodes(host, port, proc)}
        # The oldest process first: if several share a socket, it opened it.
        numbers = sorted(int(path.name) for path in proc.iterdir() if path.name.isdecimal()) if links else []
        for number in takewhile(lambda _: clock() <= deadline, numbers):
            if any(file in links for file in _open_files(proc / str(number))):
                name = printable(_text(proc / str(number) / "comm", 64).strip(), limit=32)
                return f"{name or 'a program'} (process {number})"
    return None


def _listening_inodes(host: str, port: int, proc: Path) -> Iterator[str]:
    """Yields the sockets that conflict with host and port: on the same address, or on every address."""
    wanted = ipaddress.ip_address(host)
    for table in ("tcp", "tcp6"):
        for line in _text(proc / "net" / table, _LONGEST_TABLE).splitlines()[1:]:
            fields = line.split()  # the kernel's Documentation/networking/proc_net_tcp.rst
            if len(fields) < 10 or fields[3] != _LISTENING or not fields[9].isdecimal():
                continue
            address, _, number = fields[1].partition(":")
            bound = _address(address)
            if int(number, 16) == port and (bound == wanted or bound.is_unspecified or wanted.is_unspecified):
                yield fields[9]


def _address(digits: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Reads an address as the kernel prints it: 32-bit words in the machine's byte order."""
    words = (int(digits[start : start + 8], 16) for start in range(0, len(digits), 8))
    address = ipaddress.ip_address(b"".join(word.to_bytes(4, sys.byteorder) for word in words))
    return getattr(address, "ipv4_mapped", None) or address


def _open_files(process: Path) -> Iterator[str]:
    with suppress(OSError):  # another user's process, or one that has just ended
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):  # closed by now
                yield str(descriptor.readlink())


def _text(path: Path, limit: int) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(limit)
    except OSError:  # not Linux, without this address family, or the process has just ended
        return ""
