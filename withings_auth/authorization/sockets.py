"""Sockets that listen before the browser starts, on every address that the callback could come to.

`localhost` is bound in both address families, since a browser may try either, and a program on the other one would
receive the code. A port is never probed by binding and closing it.
"""

from __future__ import annotations

import errno
import socket
import sys
from contextlib import ExitStack

from withings_auth.authorization.addresses import Addresses
from withings_auth.errors import CallbackUnavailable
from withings_auth.logs import Logger
from withings_auth.validation import host_and_port, printable

logger = Logger(__name__)

BACKLOG = 128
FIRST_UNPRIVILEGED_PORT = 1024
_NO_SUCH_FAMILY = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}


def listen(addresses: Addresses) -> list[socket.socket]:
    """Returns listening sockets on all of the addresses; on a machine without IPv6 or IPv4 there is one fewer.

    Raises `CallbackUnavailable` if another program listens on any of them, or the system refuses.
    """
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(listening)
            for host in addresses.bind_to
            if (listening := _listen_on(host, addresses.port, needed=len(addresses.bind_to) == 1)) is not None
        ]
        if not sockets:
            raise CallbackUnavailable(
                f"this machine has no loopback address to listen on port {addresses.port}",
                hint="check this machine's network configuration: ping localhost",
            )
        stack.pop_all()
        logger.debug("listening at %s", " and ".join(host_and_port(*made.getsockname()[:2]) for made in sockets))
        return sockets


def sharing_option(platform: str) -> int:
    """Returns the socket option for sharing a port on the given `sys.platform`.

    POSIX needs SO_REUSEADDR for a second login soon after the first. On Windows that option would let another
    program take the same port, while SO_EXCLUSIVEADDRUSE forbids it (learn.microsoft.com, "Using SO_REUSEADDR and
    SO_EXCLUSIVEADDRUSE", which defines it as the complement of the other).
    """
    return ~socket.SO_REUSEADDR if platform == "win32" else socket.SO_REUSEADDR


def _listen_on(host: str, port: int, *, needed: bool) -> socket.socket | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        try:
            made = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            made.setsockopt(socket.SOL_SOCKET, sharing_option(sys.platform), 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind((host, port))
            made.listen(BACKLOG)
            made.setblocking(False)
        except OSError as error:
            if error.errno in _NO_SUCH_FAMILY and not needed:
                return None
            raise _unavailable(host, port, error) from error
        stack.pop_all()
        return made


def _unavailable(host: str, port: int, error: OSError) -> CallbackUnavailable:
    place = host_and_port(host, port)
    if error.errno == errno.EADDRINUSE:
        from withings_auth.authorization.port_owner import find_port_owner  # here, because it is seldom needed

        owner = find_port_owner(host, port)
        return CallbackUnavailable(
            f"another program listens on {place}" + (f": {owner}" if owner else ""),
            hint="stop it, or log in with paste_only=True, which needs no port; or register another URL with another"
            ' port in the developer dashboard and use that (withings-auth configure saves it): redirect_uri="http://localhost:PORT"',
        )
    if error.errno == errno.EACCES and port < FIRST_UNPRIVILEGED_PORT:
        return CallbackUnavailable(
            f"this user may not listen on {place}",
            hint="ports below 1024 need administrator rights: register http://localhost:8000 and use that",
        )
    if error.errno == errno.EACCES:  # on Windows, Hyper-V and other services reserve ranges of ports
        return CallbackUnavailable(
            f"the system does not let programs listen on {place}",
            hint='register a URL with another port and use that: redirect_uri="http://localhost:PORT"; on Windows'
            " “netsh interface ipv4 show excludedportrange protocol=tcp” lists the reserved ports",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return CallbackUnavailable(
            f"cannot listen on {place}: this machine does not have that address",
            hint=f'use one that it has, for example listen="127.0.0.1:{port}"',
        )
    return CallbackUnavailable(
        f"cannot listen on {place}: {printable(error.strerror or type(error).__name__)}",
        hint='register a URL with another port and use that: redirect_uri="http://localhost:PORT"',
    )
