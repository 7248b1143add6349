"""Which user of the machine a connection to the listener comes from, found on Linux.

Other users can read the browser's command line, so they know the short address as soon as the browser does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from withings_auth.authorization.socket_table import CLOSE_WAIT, ESTABLISHED, PROC, read_address, tcp_sockets

FIRST_ORDINARY_UID = 1000  # UID_MIN in login.defs(5); those below are the system's own accounts
_ROOT = 0
_HALF_CLOSED = {0x04, 0x05}  # FIN_WAIT1 and FIN_WAIT2: it has sent everything and still reads


class Visitor(Enum):
    """Who has connected. A program of root or of the system may pass on the connections of others."""

    THIS_USER = "this user"
    ANOTHER_USER = "another user"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Connection:
    """Both ends of an accepted connection, as sockets name them: a host and a port first."""

    peer: tuple[Any, ...]
    own: tuple[Any, ...]


def identify(
    connection: Connection | None, *, behind_proxy: bool, own_uids: frozenset[int] | None = None, proc: Path = PROC
) -> Visitor:
    """Returns whose program is at the other end; unknown on other systems. Never raises.

    `behind_proxy` says that the user has something that forwards to the listener; it may run as a system account.
    """
    if connection is None:
        return Visitor.UNKNOWN
    own = own_uids if own_uids is not None else uids_of_this_user(os.environ)
    uids: set[int] = set()
    with suppress(OSError, ValueError, IndexError):
        ends = [(read_address(host), port) for host, port, *_ in (connection.peer, connection.own)]
        alive = {ESTABLISHED, CLOSE_WAIT, *_HALF_CLOSED}
        uids = {
            found.uid
            for found in tcp_sockets(ends[0][1], proc)
            if [found.local, found.remote] == ends and found.inode and found.state in alive
        }
    if not uids:
        return Visitor.UNKNOWN
    if uids <= own:
        return Visitor.THIS_USER
    harmless = range(FIRST_ORDINARY_UID) if behind_proxy else (_ROOT,)
    return Visitor.UNKNOWN if all(uid in own or uid in harmless for uid in uids) else Visitor.ANOTHER_USER


def uids_of_this_user(environ: Mapping[str, str]) -> frozenset[int]:
    """Returns the user ids of the person at the terminal: the process's own, and under sudo the one who called it."""
    if sys.platform == "win32":
        return frozenset()
    caller = environ.get("SUDO_UID", "")
    return frozenset({os.getuid(), os.geteuid(), *([int(caller)] if caller.isdecimal() else [])})
