"""What a program pays that holds a source: tokens from memory, renewals, and the memory itself."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from tests.bench.desk import FILES, Desk, Shelf
from tests.bench.timing import Cost, Extent, Seconds, Timing, WrongResult, time_calls
from withings_auth.store.files import replace_file
from withings_auth.tokens.source import AsyncTokenSource, TokenSource

THREADS = 16
_FILL_MEMORY = """
import sys
from pathlib import Path
from withings_auth import TokenSource
source = TokenSource()
for number in range(1, int(sys.argv[1]) + 1):
    source.token()
    if number in (1000, int(sys.argv[1])):
        print(int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) * 1024)
"""


def tokens_from_memory(desk: Desk, extent: Extent) -> Iterator[Cost]:
    """One look at the store, and little else."""
    shelf = desk.shelf(FILES, "memory")
    desk.log_in(shelf, "default")
    source = TokenSource(store=shelf.store)
    source.token()
    short_rounds = 20 * extent.rounds  # a few milliseconds each, in most of which a busy machine does something else
    blocking = time_calls(source.token, extent.calls)
    record = str(desk.home / "memory" / "token" / "default.json")
    stat = time_calls(lambda: os.stat(record), extent.calls)  # noqa: PTH116  what is measured is os.stat
    yield Cost(what="a token from memory, TokenSource", run=blocking, references={"os.stat": stat}, rounds=short_rounds)
    yield Cost(
        what="a token from memory, AsyncTokenSource",
        run=lambda: asyncio.run(_await_in_turn(AsyncTokenSource(store=shelf.store), extent.calls)),
        references={"TokenSource": blocking},
        rounds=short_rounds,
    )
    yield Cost(
        what="a token from memory, 10,000 awaits at once",
        run=lambda: asyncio.run(_await_at_once(AsyncTokenSource(store=shelf.store), extent.awaits)),
        references={"10,000 awaits of nothing": lambda: asyncio.run(_await_at_once(_Nothing(), extent.awaits))},
        rounds=extent.rounds,
    )
    occupied: list[int] = []

    def fill() -> float:
        program = [sys.executable, "-c", _FILL_MEMORY, str(extent.tokens)]
        ran = subprocess.run(program, env=os.environ | shelf.variables, stdout=subprocess.PIPE, check=True)
        occupied[:] = map(int, ran.stdout.split())
        return occupied[-1]

    yield Cost(
        what="memory, after a million tokens", run=fill, references={"after a thousand": lambda: occupied[0]}, rounds=1
    )


class _Nothing:
    async def token(self) -> None:
        """Has nothing to do."""


async def _await_in_turn(source: AsyncTokenSource, number: int) -> Seconds:
    await source.token()
    began = time.perf_counter()
    for _ in range(number):
        await source.token()
    return (time.perf_counter() - began) / number


async def _await_at_once(source: AsyncTokenSource | _Nothing, number: int) -> Seconds:
    """Nothing is in memory at the beginning: all of them wait for the store."""
    began = time.perf_counter()
    tokens = await asyncio.gather(*(source.token() for _ in range(number)))
    took = time.perf_counter() - began
    if len(set(tokens)) != 1:
        raise WrongResult("not everybody got the same token")
    return took


def renewals(desk: Desk, extent: Extent) -> Iterator[Cost]:
    """Renewals of an expired token over a real socket."""
    shelf = desk.shelf(FILES, "renewals")
    desk.log_in(shelf, "default")

    async def post_twice() -> None:
        async with aiohttp.ClientSession() as session:
            for _ in range(2):
                async with session.post(desk.sandbox.endpoints.token_url, data={"action": "nothing"}) as response:
                    await response.read()

    def bare() -> None:
        """Does the same for a network and a disk: a renewal saves a note before it and the tokens after it."""
        asyncio.run(post_twice())
        for name in ("note", "tokens"):
            replace_file(Path(desk.home / name), "x" * 400)

    yield Cost(
        what="a renewal, TokenSource",
        run=_renew(desk, shelf, 1),
        references={"two POSTs with aiohttp and two synced files": time_calls(bare, 1)},
        rounds=3 * extent.rounds,
    )
    yield Cost(
        what=f"a renewal, {THREADS} threads",
        run=_renew(desk, shelf, THREADS),
        references={"one thread": _renew(desk, shelf, 1)},
        rounds=extent.rounds,
    )


def _renew(desk: Desk, shelf: Shelf, number: int) -> Timing:
    def timing() -> Seconds:
        expired, before = desk.expire(shelf, "default"), desk.sandbox.counters.refreshes
        tokens: set[str] = set()
        threads = [
            threading.Thread(target=lambda: tokens.add(TokenSource(store=shelf.store).access_token()))
            for _ in range(number)
        ]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - began
        if len(tokens) != 1 or expired.access_token in tokens or desk.sandbox.counters.refreshes != before + 1:
            raise WrongResult("the token was not renewed exactly once")
        return took

    return timing
