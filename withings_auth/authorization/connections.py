"""The connections of the listener: a bounded number of them, none of which waits long for its request.

Any program on the machine can open connections and leave them idle. Without a bound they use up the descriptors that
the login itself needs, to reach Withings and to save.
"""

from __future__ import annotations

import asyncio
import select
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack

REQUEST_SECONDS = 10.0  # for a whole request to arrive
MOST_CONNECTIONS = 64
SHARE_OF_DESCRIPTORS = 4  # at most one in four is a connection's; the others are the login's reserve
PAUSE_SECONDS = 0.05  # if there is no room for another connection


class Connections:
    """The open connections of one login, oldest first. Belongs to one event loop."""

    def __init__(self, most: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._most = most
        self._open: dict[asyncio.Transport, asyncio.TimerHandle] = {}
        self._waiting: dict[asyncio.Transport, None] = {}

    def add(self, transport: asyncio.Transport) -> None:
        """Counts a new connection, whose request must arrive in time."""
        self._open[transport] = self._loop.call_later(REQUEST_SECONDS, transport.abort)
        self._waiting[transport] = None

    def has_request(self, transport: asyncio.Transport) -> None:
        """Notes that a whole request has arrived: the connection stays until it is answered."""
        if transport in self._open:
            self._open[transport].cancel()
            self._waiting.pop(transport, None)

    def remove(self, transport: asyncio.Transport) -> None:
        """Forgets a connection that was closed."""
        self._waiting.pop(transport, None)
        if (timer := self._open.pop(transport, None)) is not None:
            timer.cancel()

    async def accept(self, listening: socket.socket, make: Callable[[], asyncio.Protocol]) -> None:
        """Accepts connections until it is cancelled; the oldest without a whole request makes room for the next.

        asyncio's own server would accept a hundred at once, and print a traceback for each that it has no room for.
        """
        while True:
            try:
                accepted, _ = await self._loop.sock_accept(listening)
            except OSError:  # there are no descriptors left, or the visitor has gone again
                if _has_visitor(listening):
                    await self._make_room()
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            with ExitStack() as held:
                held.enter_context(accepted)
                while len(self._open) >= self._most:
                    await self._make_room()
                held.pop_all()
            await self._loop.connect_accepted_socket(make, accepted)

    async def _make_room(self) -> None:
        oldest = next(iter(self._waiting), None)
        if oldest is None:
            await asyncio.sleep(PAUSE_SECONDS)
            return
        del self._waiting[oldest]
        oldest.abort()
        await asyncio.sleep(0)  # asyncio closes it in the loop's next round


def _has_visitor(listening: socket.socket) -> bool:
    """Whether a connection waits to be accepted: without a descriptor, accept(2) fails even if none does."""
    if sys.platform == "win32":  # where descriptors do not run out
        return True
    poll = select.poll()
    poll.register(listening, select.POLLIN)
    return bool(poll.poll(0))


def most_connections(descriptors: int | None) -> int:
    """Returns how many connections may be open at once in a process that may have so many descriptors.

    None means that there is no such limit.
    """
    return (
        MOST_CONNECTIONS if descriptors is None else max(1, min(MOST_CONNECTIONS, descriptors // SHARE_OF_DESCRIPTORS))
    )


def most_descriptors() -> int | None:
    """Returns how many descriptors this process may have; None if there is no limit, as on Windows."""
    if sys.platform == "win32":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if limit == resource.RLIM_INFINITY else limit
