"""The proxy's own connections to Withings: one request each, and its answer up to its status."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from yarl import URL

from withings_auth.borrow.calls import (
    Call,
    is_refusal,
    read_status,
    refuses_token,
    without_length,
)
from withings_auth.borrow.tunnel import CONNECT_SECONDS
from withings_auth.provider.session import Resolver
from withings_auth.provider.statuses import LARGEST_REFUSAL_BYTES
from withings_auth.provider.variables import proxy_for

LONGEST_LINE_BYTES = 65_536
KEPT_OPEN_SECONDS = 4.0  # servers close idle connections; a call that meets such a one would be lost


class Upstream:
    """Sends calls on, through the machine's own proxy if it has one."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def send(self, call: Call, rest: AsyncIterator[bytes] | None) -> Reply:
        """Sends a call; its body is its form or `rest`. Raises `aiohttp.ClientError` and `OSError`."""
        response = await self._session.request(
            call.method,
            URL(call.url, encoded=True),
            headers=call.headers if call.form is None else without_length(call.headers),
            data=call.form if rest is None else rest,
            allow_redirects=False,
            proxy=proxy_for(call.url),
        )
        try:
            return await Reply.begin(response)
        except BaseException:
            response.close()
            raise


@dataclass(frozen=True, slots=True)
class Reply:
    """Withings' answer, and as much of its body as was read to learn its status; all of a refusal."""

    response: aiohttp.ClientResponse
    beginning: bytes
    status: int | None

    @classmethod
    async def begin(cls, response: aiohttp.ClientResponse) -> Reply:
        """Reads until the status in the envelope is known, or it is clear that there is none; a refusal to its end."""
        beginning, status, whole = b"", None, False
        while not whole and (
            status is None or (is_refusal(response.status, status) and len(beginning) < LARGEST_REFUSAL_BYTES)
        ):
            piece = await response.content.readany()
            beginning, whole = beginning + piece, not piece
            status = read_status(beginning, response.headers, whole=whole)
        return cls(response, beginning, status)

    @property
    def is_refusal(self) -> bool:
        return is_refusal(self.response.status, self.status)

    @property
    def refuses_token(self) -> bool:
        return refuses_token(self.response.status, self.status)


@asynccontextmanager
async def open_upstream() -> AsyncIterator[Upstream]:
    """Changes nothing of what passes: no header is added, nothing is unpacked, no redirect followed, no cookie kept."""
    async with aiohttp.ClientSession(
        auto_decompress=False,
        connector=aiohttp.TCPConnector(resolver=Resolver(), limit=0, keepalive_timeout=KEPT_OPEN_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),  # an answer may take any time
        max_line_size=LONGEST_LINE_BYTES,
        max_field_size=LONGEST_LINE_BYTES,
    ) as session:
        yield Upstream(session)
