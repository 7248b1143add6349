"""Sockets that listen before the browser is started, on every address that the callback could come to.

Both loopback families are held for `localhost`, since a browser may try either, and whoever held the other one would
receive the code. A port is never tried by binding and closing it.
"""

from __future__ import annotations

import errno
import logging
import socket
import sys
from contextlib import ExitStack

from withings_auth.authorization.addresses import Addresses
from withings_auth.authorization.port_owner import find_port_owner
from withings_auth.errors import CallbackUnavailable
from withings_auth.validation import host_and_port, printable

logger = logging.getLogger(__name__)

BACKLOG = 128
_NO_SUCH_FAMILY = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}


def listen(where: Addresses) -> list[socket.socket]:
    """Returns listening sockets on all of the addresses; a machine without IPv6, or without IPv4, has one fewer.

    Raises `CallbackUnavailable` where another program listens on any of them, or the system refuses.
    """
    with ExitStack() as opened:
        sockets = [
            opened.enter_context(listening)
            for host in where.bind_to
            if (listening := _listening(host, where.port, needed=len(where.bind_to) == 1)) is not None
        ]
        if not sockets:
            raise CallbackUnavailable(
                f"this machine has no loopback address to listen on port {where.port}",
                hint="check the network configuration of this machine: ping localhost",
            )
        opened.pop_all()
        logger.debug("listening at %s", " and ".join(host_and_port(*made.getsockname()[:2]) for made in sockets))
        return sockets


def sharing_option(platform: str) -> int:
    """Returns the socket option that says how a port may be shared, on the given `sys.platform`.

    POSIX needs SO_REUSEADDR for a second login soon after the first. On Windows that option would let another
    program take the same port, and SO_EXCLUSIVEADDRUSE forbids it (learn.microsoft.com, "Using SO_REUSEADDR and
    SO_EXCLUSIVEADDRUSE", which defines it as the complement of the other).
    """
    return ~socket.SO_REUSEADDR if platform == "win32" else socket.SO_REUSEADDR


def _listening(host: str, port: int, *, needed: bool) -> socket.socket | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        made = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        if error.errno in _NO_SUCH_FAMILY and not needed:
            return None
        raise _unavailable(host, port, error) from error
    try:
        made.setsockopt(socket.SOL_SOCKET, sharing_option(sys.platform), 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((host, port))
        made.listen(BACKLOG)
        made.setblocking(False)
    except OSError as error:
        made.close()
        if error.errno in _NO_SUCH_FAMILY and not needed:
            return None
        raise _unavailable(host, port, error) from error
    except BaseException:
        made.close()
        raise
    return made


def _unavailable(host: str, port: int, error: OSError) -> CallbackUnavailable:
    where = host_and_port(host, port)
    if error.errno == errno.EADDRINUSE:
        who = find_port_owner(host, port)
        return CallbackUnavailable(
            f"another program listens on {where}" + (f": {who}" if who else ""),
            hint="stop it, or register one more URL with another port at the developer dashboard and use that:"
            " --redirect-uri http://localhost:PORT",
        )
    if error.errno == errno.EACCES:
        return CallbackUnavailable(
            f"this user may not listen on {where}",
            hint="ports below 1024 are for the administrator: register http://localhost:8000 and use that",
        )
    return CallbackUnavailable(
        f"cannot listen on {where}: {printable(error.strerror or type(error).__name__)}",
        hint="use another port: register http://localhost:PORT and give it with --redirect-uri",
    )
