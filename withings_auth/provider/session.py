"""A request over aiohttp, which this module loads; `http` refuses variables that would make that fail."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from withings_auth.errors import OutOfResources, UnusableVariable
from withings_auth.provider.replies import CHECK_NETWORK, Answer, AnswerLost, NotSent, Outcome, retry_after_seconds
from withings_auth.provider.variables import (
    malformed_proxy,
    proxy_for,
    proxy_variable,
    refused_certificate,
)
from withings_auth.threads import in_thread, run_coroutine


class _Progress:
    """How far a request has got: not a byte of it leaves before the connection, TLS included, is made."""

    connected = False

    async def note_connection(self, *_: object) -> None:
        self.connected = True


def send(
    url: str,
    form: Mapping[str, str],
    *,
    access_token: str | None,
    time_limit_seconds: float,
    largest_body_bytes: int,
) -> Outcome:
    """Does what `http.post` promises, but raises `UnusableVariable` if one of those turns out to be to blame."""
    progress = _Progress()
    proxy = proxy_for(url)
    try:
        target = URL(url, encoded=True)
        return run_coroutine(
            lambda: _post(target, form, access_token, proxy, time_limit_seconds, largest_body_bytes, progress)
        )
    except OutOfResources as error:
        return NotSent(why=str(error), remedy=error.hint)
    except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: the URL, which came from outside
        if progress.connected:
            return AnswerLost(why=_explain(error, proxy, time_limit_seconds))
        return NotSent(why=_explain(error, proxy, time_limit_seconds), remedy=_remedy(error, proxy))


async def _post(
    url: URL,
    form: Mapping[str, str],
    access_token: str | None,
    proxy: str | None,
    time_limit_seconds: float,
    largest_body_bytes: int,
    progress: _Progress,
) -> Answer:
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_create_end.append(progress.note_connection)
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=Resolver()),
            timeout=aiohttp.ClientTimeout(total=time_limit_seconds),
            trace_configs=[tracing],
        ) as session,
        session.post(
            url,
            data=form,
            headers={} if access_token is None else {"Authorization": f"Bearer {access_token}"},
            allow_redirects=False,
            proxy=proxy,
        ) as response,
    ):
        body = await _read_at_most(response.content, largest_body_bytes)
        return Answer(
            http_status=response.status,
            body=body[:largest_body_bytes],
            oversized=len(body) > largest_body_bytes,
            retry_after=retry_after_seconds(response.headers),
            date=_date_seconds(response.headers),
        )


async def _read_at_most(stream: aiohttp.StreamReader, limit: int) -> bytes:
    body = bytearray()
    async for chunk in stream.iter_any():
        body += chunk
        if len(body) > limit:
            break
    return bytes(body)


def _date_seconds(headers: Mapping[str, str]) -> float | None:
    """Returns the Date header in Unix seconds; None if there is none or it is not a date."""
    try:
        date = parsedate_to_datetime(headers.get("Date", ""))
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _explain(error: Exception, proxy: str | None, time_limit_seconds: float) -> str:
    # Never the error's own text: it can contain the request, and whatever a server sent.
    match error:
        case TimeoutError():
            return f"no answer within {time_limit_seconds:g} seconds"
        case aiohttp.ClientConnectorCertificateError():
            return "the server's certificate is not valid"
        case aiohttp.ClientSSLError():
            return "no encrypted connection could be made"
        case aiohttp.ClientHttpProxyError(status=status):
            return f"the proxy refused the connection (HTTP {status})"
        case aiohttp.ClientProxyConnectionError():
            return "the proxy cannot be reached"
        case aiohttp.ClientConnectorDNSError():
            return f"the {'server' if proxy is None else 'proxy'}'s name cannot be resolved"
        case aiohttp.ClientConnectorError():
            return os.strerror(error.errno) if error.errno else "the server cannot be reached"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | aiohttp.ClientPayloadError():
            return "the connection was closed before the answer was complete"
        case _:
            return f"the connection failed ({type(error).__name__})"


def _remedy(error: Exception, proxy: str | None) -> str:
    """Returns what to do about a request that was not sent. Raises `UnusableVariable`."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return refused_certificate()
    if proxy is None:
        return CHECK_NETWORK
    if isinstance(error, aiohttp.InvalidURL):
        raise malformed_proxy() from error
    variable = proxy_variable()
    # Another failure to resolve a name, such as EAI_AGAIN, may be over once the computer is online again.
    if isinstance(error, aiohttp.ClientConnectorDNSError) and error.os_error.errno == socket.EAI_NONAME:
        raise UnusableVariable(
            f"the name of the proxy in {variable} cannot be resolved",
            hint=f"correct or unset {variable}; if it is right, check the network and try again",
        ) from error
    return f"check the network and the proxy in {variable}, and try again"


class Resolver(AbstractResolver):
    """Looks names up in a daemon thread; one of the default executor could keep the process from ending."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        try:
            found: list[Any] = await in_thread(
                lambda: socket.getaddrinfo(
                    host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
                )
            )
        except (RuntimeError, UnicodeError) as error:
            # The interpreter is ending (3.11 to 3.13), or the host is not a valid name.
            raise OSError("the name cannot be resolved") from error
        return [
            ResolveResult(
                hostname=host,
                host=address[0],
                port=address[1],
                family=found_family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found_family, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Does nothing: there is nothing to close."""
