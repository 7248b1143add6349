"""Which program listens on a port, found on Linux, so that the user knows what to stop.

Best effort: the system shows users only their own processes. A program is named by its short name, never by its
command line, which may hold secrets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

from withings_auth.authorization.socket_table import LISTENING, PROC, read_address, tcp_sockets
from withings_auth.validation import printable

PATIENCE_SECONDS = 2.0  # with very many processes, or on a very busy machine, the search is given up


def find_port_owner(
    host: str, port: int, *, proc: Path = PROC, clock: Callable[[], float] = time.monotonic
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


def _listening_inodes(host: str, port: int, proc: Path) -> Iterator[int]:
    """Yields the sockets that conflict with host and port: on the same address, or on every address."""
    wanted = read_address(host)
    for found in tcp_sockets(port, proc):
        bound, number = found.local
        conflicts = bound == wanted or bound.is_unspecified or wanted.is_unspecified
        if found.state == LISTENING and number == port and conflicts:
            yield found.inode


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
