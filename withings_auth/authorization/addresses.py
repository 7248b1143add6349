"""The three addresses of a login, kept apart: the registered one, the one to listen on, and the browser's short one.

The redirect URI is text, and is sent unchanged. If it is a plain loopback address, the address to listen on follows
from it; otherwise `listen` must name one.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import SplitResult

from withings_auth.errors import ConfigurationError
from withings_auth.validation import (
    LOOPBACK_HOSTS,
    PORT_OF_SCHEME,
    host_and_port,
    is_loopback_url,
    parsed_url,
    printable,
)

_WAYS_ROUND = (
    'if a proxy of yours forwards that address to this machine, set where to listen: listen="127.0.0.1:PORT";'
    " to paste the address that the browser goes to: paste_only=True; or register http://localhost:8000 and use that"
)


class Addresses(NamedTuple):
    """Where a login listens and what it answers to.

    `bind_to` are IP literals, never a name: /etc/hosts decides what a name means, and another program could listen on
    an address left out. `origin` is how the browser's short address begins.
    """

    bind_to: tuple[str, ...]
    port: int
    accepted_hosts: frozenset[str]
    path: str
    origin: str

    @property
    def open_to_the_network(self) -> bool:
        """Whether other machines can reach the listener."""
        return not all(ipaddress.ip_address(host).is_loopback for host in self.bind_to)


def resolve_addresses(redirect_uri: str, listen: str | None, *, paste_only: bool = False) -> Addresses:
    """Returns where to listen for a redirect URI; none if `paste_only`. Raises `ConfigurationError`."""
    parts = _parse_redirect(redirect_uri)
    registered_port = parts.port or PORT_OF_SCHEME[parts.scheme]
    if paste_only:
        path = parts.path or "/"
        return Addresses(bind_to=(), port=registered_port, accepted_hosts=frozenset(), path=path, origin="")
    host, port = _loopback_listener(redirect_uri, parts) if listen is None else _parse_listen(listen)
    bind_to = ("127.0.0.1", "::1") if host == "localhost" else (host,)
    return Addresses(
        bind_to=bind_to,
        port=port,
        accepted_hosts=_accepted_hosts(parts, registered_port, {*LOOPBACK_HOSTS, _reachable(host)}, port),
        path=parts.path or "/",
        origin=f"http://{host_and_port(_reachable(host), port)}",
    )


def ssh_forwarding(redirect_uri: str, addresses: Addresses) -> str | None:
    """Returns what `ssh -L` must forward, as in `8000:localhost:8000`, to bring a browser on another computer back.

    None if the redirect URI is not a loopback one: that leads to the same place from every computer.
    """
    parts = _parse_redirect(redirect_uri)
    host = parts.hostname or ""
    if host not in LOOPBACK_HOSTS:
        return None
    browser_goes_to = target_port = parts.port or PORT_OF_SCHEME[parts.scheme]
    if parts.scheme == "http":  # https ends at a proxy of the user's, which forwards to the listener
        host = "localhost" if len(addresses.bind_to) > 1 else _reachable(addresses.bind_to[0])
        target_port = addresses.port
    return f"{browser_goes_to}:{host_and_port(host, target_port)}"


def ssh_forwarding_to_service(authorize_url: str) -> str | None:
    """Returns what `ssh -L` must forward so that the browser reaches a service on this machine, such as a sandbox.

    None if the service is on the network.
    """
    parts = parsed_url(authorize_url)
    if parts is None or not is_loopback_url(authorize_url):
        return None
    port = parts.port or PORT_OF_SCHEME[parts.scheme]
    return f"{port}:{host_and_port(parts.hostname or '', port)}"


def _parse_redirect(redirect_uri: str) -> SplitResult:
    """Returns the parts of a redirect URI. Raises `ConfigurationError` with the reason if it cannot be one."""
    parts = parsed_url(redirect_uri)
    if "#" in redirect_uri:
        raise _cannot_work(redirect_uri, "a redirect URI has no fragment (the part after “#”)")
    if parts is None and "@" in redirect_uri.partition("://")[2].partition("/")[0]:
        raise _cannot_work(redirect_uri, "a redirect URI has no user name (the part before “@”)")
    if parts is None:
        raise _cannot_work(redirect_uri, "it must be an http or https URL with a port from 1 to 65535, if any")
    return parts


def _loopback_listener(redirect_uri: str, parts: SplitResult) -> tuple[str, int]:
    """Returns the host and port of a plain loopback redirect URI. Raises `ConfigurationError` for any other."""
    host = parts.hostname or ""
    if host not in LOOPBACK_HOSTS:
        raise _cannot_work(redirect_uri, "it does not lead to localhost, 127.0.0.1 or [::1]", hint=_WAYS_ROUND)
    if parts.scheme != "http":
        raise _cannot_work(
            redirect_uri, "https needs a certificate, which withings-auth does not have", hint=_WAYS_ROUND
        )
    if parts.port is None:
        raise _cannot_work(
            redirect_uri,
            "it names no port to listen on",
            hint='register http://localhost:8000 and use that; or set where to listen, as in listen="localhost:80"',
        )
    return host, parts.port


def _parse_listen(listen: str) -> tuple[str, int]:
    host, _, port_text = listen.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if is_bracketed else host
    try:
        is_ipv6 = host != "localhost" and ipaddress.ip_address(host).version == 6
        port = int(port_text) if re.fullmatch(r"[0-9]{1,5}", port_text) else 0
        if is_ipv6 != is_bracketed or "%" in host or not 0 < port < 65536:
            raise ValueError
    except ValueError:
        raise ConfigurationError(
            f"cannot listen on “{printable(listen, limit=80)}”",
            hint='use an address and a port, as in listen="127.0.0.1:8000" or listen="[::1]:8000"',
        ) from None
    return str(ipaddress.ip_address(host)) if host != "localhost" else host, port


def _accepted_hosts(parts: SplitResult, registered_port: int, literals: Iterable[str], port: int) -> frozenset[str]:
    """Returns the valid values of a Host header: the registered host or a literal of ours, each with its port.

    A literal is safe, since nobody else's name can be made to lead to it.
    """
    named = [(parts.hostname or "", registered_port, PORT_OF_SCHEME[parts.scheme])]
    named += [(host, port, PORT_OF_SCHEME["http"]) for host in literals]
    with_port = {host_and_port(host, number) for host, number, _ in named}
    without = {host_and_port(host, number).removesuffix(f":{number}") for host, number, own in named if number == own}
    return frozenset(with_port | without)


def _reachable(host: str) -> str:
    if host == "localhost" or not ipaddress.ip_address(host).is_unspecified:
        return host
    return "127.0.0.1" if ipaddress.ip_address(host).version == 4 else "::1"


def _cannot_work(redirect_uri: str, reason: str, *, hint: str = "") -> ConfigurationError:
    return ConfigurationError(
        f"the redirect URI “{printable(redirect_uri)}” cannot work: {reason}",
        hint=hint or "register http://localhost:8000 in the developer dashboard and use exactly that",
    )
