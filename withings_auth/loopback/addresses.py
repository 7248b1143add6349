"""The three addresses of a login, kept apart: what was registered, where we listen, what the browser is given.

The redirect URI is text and is sent as it is. Where to listen follows from it if it is a plain loopback address,
and must be said otherwise.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult

from withings_auth.errors import ConfigurationError
from withings_auth.outside import LOOPBACK_HOSTS, parsed_url, printable

_PORT_OF_SCHEME = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where a login listens and what it answers to.

    `bind_to` are IP literals, never a name: what a name means is for /etc/hosts to say, and an address left out could
    be listened on by somebody else. `origin` is what the browser's short address begins with.
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


def addresses(redirect_uri: str, listen: str | None) -> Addresses:
    """Returns where to listen for a redirect URI. Raises `ConfigurationError` where that cannot work."""
    parts = parsed_url(redirect_uri)
    if parts is None or parts.fragment:
        raise _cannot_work(redirect_uri, "it must be an http or https URL without user name and fragment")
    registered_port = parts.port or _PORT_OF_SCHEME[parts.scheme]
    host, port = _listening(redirect_uri, parts, registered_port) if listen is None else _parsed_listen(listen)
    bind_to = ("127.0.0.1", "::1") if host == "localhost" else (host,)
    return Addresses(
        bind_to=bind_to,
        port=port,
        accepted_hosts=_accepted_hosts(parts, registered_port, port),
        path=parts.path or "/",
        origin=f"http://{_bracketed(_reachable(host))}:{port}",
    )


def _listening(redirect_uri: str, parts: SplitResult, port: int) -> tuple[str, int]:
    host = parts.hostname or ""
    if parts.scheme != "http" or host not in LOOPBACK_HOSTS:
        raise _cannot_work(
            redirect_uri,
            "nothing on this machine can listen there by itself",
            hint="if something of yours forwards that address to this machine, say where to listen:"
            " --listen 127.0.0.1:PORT; or register http://localhost:8000 and use that",
        )
    return host, port


def _parsed_listen(listen: str) -> tuple[str, int]:
    host, _, port_text = listen.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        if host != "localhost":
            ipaddress.ip_address(host)
        port = int(port_text)
        if not 0 < port < 65536:
            raise ValueError
    except ValueError:
        raise ConfigurationError(
            f"cannot listen on “{printable(listen, limit=80)}”",
            hint="give an address and a port, as in --listen 127.0.0.1:8000",
        ) from None
    return host, port


def _accepted_hosts(parts: SplitResult, registered_port: int, port: int) -> frozenset[str]:
    """Returns what a Host header may say: the registered host or a loopback one, with the port it belongs to."""
    named = [(parts.hostname or "", registered_port, _PORT_OF_SCHEME[parts.scheme])]
    named += [(host, port, _PORT_OF_SCHEME["http"]) for host in LOOPBACK_HOSTS]
    with_port = {f"{_bracketed(host)}:{number}" for host, number, _ in named}
    without = {_bracketed(host) for host, number, own in named if number == own}
    return frozenset(with_port | without)


def _reachable(host: str) -> str:
    if host == "localhost" or not ipaddress.ip_address(host).is_unspecified:
        return host
    return "127.0.0.1" if ipaddress.ip_address(host).version == 4 else "::1"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _cannot_work(redirect_uri: str, why: str, *, hint: str = "") -> ConfigurationError:
    return ConfigurationError(
        f"the redirect URI “{printable(redirect_uri)}” cannot work: {why}",
        hint=hint or "register http://localhost:8000 at the developer dashboard and use exactly that",
    )
