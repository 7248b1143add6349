"""A line that counts down while a login waits, and disappears afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

TICK_SECONDS = 1.0


@asynccontextmanager
async def count_down(seconds: float, show: Callable[[str], None], line: Callable[[float], str]) -> AsyncIterator[None]:
    """Shows `line(seconds left)` once a second while the block runs, and an empty line at its end."""
    task = asyncio.ensure_future(_count(seconds, show, line))
    try:
        yield
    finally:
        task.cancel()
        show("")


async def _count(seconds: float, show: Callable[[str], None], line: Callable[[float], str]) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        show(line(max(0.0, end - loop.time())))
        await asyncio.sleep(TICK_SECONDS)
