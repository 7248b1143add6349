"""A program that asks for one token sixteen times at once, in each way that there is; and many of them at once.

Says, a line for each caller, the digest of the token that it got, or the name of its error. It begins when it is given
a line: the token that all report as rejected, or nothing. Called with a number, it forks as many such programs for each
line that it is given, and says “over” when all have ended.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import threading

from withings_auth import AsyncTokenSource, TokenSource
from withings_auth.errors import WithingsAuthError
from withings_auth.store import is_database

TASKS = 4


def told(token: str) -> str:
    """What may be said of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


async def by_await(source: AsyncTokenSource, rejected: str | None) -> str:
    """One task."""
    try:
        return told((await source.token(rejected=rejected)).access_token)
    except WithingsAuthError as error:
        return type(error).__name__


def by_call(source: TokenSource, rejected: str | None) -> str:
    """One task that blocks, in a thread of its own."""
    try:
        return told(source.token(rejected=rejected).access_token)
    except WithingsAuthError as error:
        return type(error).__name__


class Program:
    """Four threads of four tasks: two share a source, one has its own, and one runs code that blocks."""

    def __init__(self) -> None:
        self._shared, self._own, self._blocking = AsyncTokenSource(), AsyncTokenSource(), TokenSource()
        self._said: list[str] = []

    def ask(self, rejected: str | None) -> None:
        """Asks in all ways at once, and returns the results."""

        async def awaiting(source: AsyncTokenSource) -> None:
            self._said.extend(await asyncio.gather(*(by_await(source, rejected) for _ in range(TASKS))))

        async def blocking() -> None:
            calls = (asyncio.to_thread(by_call, self._blocking, rejected) for _ in range(TASKS))
            self._said.extend(await asyncio.gather(*calls))

        works = [
            lambda: awaiting(self._shared),
            lambda: awaiting(self._shared),
            lambda: awaiting(self._own),
            blocking,
        ]
        threads = [threading.Thread(target=lambda work=work: asyncio.run(work())) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # One write, which a pipe takes whole: others write to it too.
        os.write(1, "".join(f"{line}\n" for line in self._said).encode())


def fork_many(number: int, rejected: str | None) -> None:
    """Lets so many programs begin at the same moment, and waits until all have ended."""
    start, begin = os.pipe()
    children: list[int] = []
    for _ in range(number):
        child = os.fork()
        if child == 0:
            failed = 1
            try:
                os.close(begin)
                os.read(start, 1)  # ends when the last holder of the other end has closed it
                Program().ask(rejected)
                failed = 0
            finally:
                os._exit(failed)
        children.append(child)
    os.close(start)
    os.close(begin)
    failures = [child for child in children if os.waitpid(child, 0)[1] != 0]
    os.write(1, f"{len(failures)} failed\nover\n".encode() if failures else b"over\n")


def main() -> None:
    """Runs the program."""
    if sys.argv[1:]:
        import withings_auth.provider.http  # warm: the forks have imported everything
        import withings_auth.tokens.renewal

        if is_database(os.environ.get("WITHINGS_AUTH_STORE", "")):
            import withings_auth.store.postgresql.database_store  # noqa: F401  warm, too

        print("ready", flush=True)
        for line in sys.stdin:
            fork_many(int(sys.argv[1]), line.strip() or None)
    else:
        program = Program()
        print("ready", flush=True)
        program.ask(sys.stdin.readline().strip() or None)


if __name__ == "__main__":
    main()
