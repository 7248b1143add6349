"""One POST to Withings, with exactly one of three outcomes: answered, never sent, or sent and lost.

The difference decides whether a refresh token may have been used up. Nothing is repeated, and redirects are not
followed, because an old endpoint redirects to a web page that could pass for an answer.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
import urllib.request
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from withings_auth.provider.replies import Answer, AnswerLost, NotSent, Outcome, retry_after_seconds
from withings_auth.threads import in_thread
from withings_auth.validation import LOOPBACK_HOSTS, printable

logger = logging.getLogger(__name__)

TIME_LIMIT_SECONDS = 20.0
LARGEST_BODY_BYTES = 1024 * 1024


def post(
    url: str,
    form: Mapping[str, str],
    *,
    access_token: str | None = None,
    time_limit_seconds: float = TIME_LIMIT_SECONDS,
    largest_body_bytes: int = LARGEST_BODY_BYTES,
) -> Outcome:
    """Posts the form, with the access token in its header if there is one, and returns the outcome. Blocks.

    Must not be called in a thread that runs an event loop. Never raises for what happens on the network.
    """
    progress = _Progress()
    logger.debug("POST %s, action %s", printable(url), printable(form.get("action", "none"), limit=40))
    began = time.monotonic()
    try:
        answer = asyncio.run(
            _post(URL(url, encoded=True), form, access_token, time_limit_seconds, largest_body_bytes, progress)
        )
    except (aiohttp.ClientError, OSError) as error:
        why = _explain(error, time_limit_seconds)
        logger.debug("%s after %.0f ms: %s", "lost" if progress.connected else "not sent", _milliseconds(began), why)
        return AnswerLost(why=why) if progress.connected else NotSent(why=why)
    logger.debug("HTTP %d, %d bytes, in %.0f ms", answer.http_status, len(answer.body), _milliseconds(began))
    return answer


def _milliseconds(began: float) -> float:
    return (time.monotonic() - began) * 1000


class _Progress:
    """How far a request has got: not a byte of it leaves before the connection, TLS included, is made."""

    connected = False

    async def note_connection(self, *_: object) -> None:
        self.connected = True


async def _post(
    url: URL,
    form: Mapping[str, str],
    access_token: str | None,
    time_limit_seconds: float,
    largest_body_bytes: int,
    progress: _Progress,
) -> Answer:
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_create_end.append(progress.note_connection)
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=_Resolver()),
            timeout=aiohttp.ClientTimeout(total=time_limit_seconds),
            trace_configs=[tracing],
        ) as session,
        session.post(
            url,
            data=form,
            headers={} if access_token is None else {"Authorization": f"Bearer {access_token}"},
            allow_redirects=False,
            proxy=_proxy_for(url),
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


def _explain(error: Exception, time_limit_seconds: float) -> str:
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
            return "the server's name cannot be resolved"
        case aiohttp.ClientConnectorError():
            return os.strerror(error.errno) if error.errno else "the server cannot be reached"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | aiohttp.ClientPayloadError():
            return "the connection was closed before the answer was complete"
        case _:
            return f"the connection failed ({type(error).__name__})"


def _proxy_for(url: URL) -> str | None:
    # Not aiohttp's trust_env, which would also send the host's password from ~/.netrc.
    host = url.host or ""
    if url.scheme != "https" or host in LOOPBACK_HOSTS or urllib.request.proxy_bypass(host):
        return None
    proxy = urllib.request.getproxies().get("https")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


class _Resolver(AbstractResolver):
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
            # The interpreter is ending, so no thread can be started; or the host is not a valid name.
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
