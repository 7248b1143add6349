"""Callers of one loop share one task, and the loop is never blocked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

from tests.tokens.source.watched import (
    LIFE,
    Since,
    WatchedStore,
    hold_lock,
    log_in,
    wait_until,
)
from withings_auth.errors import LoginRequired
from withings_auth.model import Token
from withings_auth.sandbox import Sandbox
from withings_auth.store.records import load_grant
from withings_auth.tokens.source import AsyncTokenSource


class TestSingleFlight:
    def test_a_hundred_callers_share_one_task(self, store: WatchedStore, sandbox: Sandbox, since: Since) -> None:
        """Statement 28: one thread reads the store, one renews, and everybody gets the result."""
        grant = log_in(store, sandbox, age=LIFE)
        source = AsyncTokenSource(store=store)

        async def main() -> list[Token]:
            return await asyncio.gather(*(source.token() for _ in range(100)))

        tokens = set(asyncio.run(main()))
        assert Counter(thread.name for thread in store.threads) == {"withings-auth": 1, "withings-auth renewal": 1}
        assert store.asked.count("load") == 3  # first without the lock, then with it, and the app's record
        assert tokens == {load_grant(store, "default").token}
        assert grant.token not in tokens
        assert since.requests == since.refreshes == 1

    def test_a_hundred_tasks_with_a_good_token_read_the_store_once(self, store: WatchedStore, sandbox: Sandbox) -> None:
        grant = log_in(store, sandbox)
        source = AsyncTokenSource(store=store)

        async def main() -> list[str]:
            return await asyncio.gather(*(source.access_token() for _ in range(100)))

        assert asyncio.run(main()) == [grant.access_token] * 100
        assert (len(store.threads), store.asked.count("load")) == (1, 1)

    def test_a_caller_that_reports_another_token_has_a_task_of_its_own(
        self, store: WatchedStore, sandbox: Sandbox, since: Since
    ) -> None:
        """Statement 28: whatever each one reports, there is one refresh; and nobody gets what it reported."""
        grant = log_in(store, sandbox, age=600)
        source = AsyncTokenSource(store=store)
        reported = [None, grant.access_token, "a token of last week", "another one"]

        async def main() -> list[Token]:
            return await asyncio.gather(*(source.token(rejected=reported[n % 4]) for n in range(100)))

        tokens = asyncio.run(main())
        renewed = load_grant(store, "default").token
        assert set(tokens[1::4]) == {renewed}
        assert set(tokens) <= {grant.token, renewed}
        assert since.requests == since.refreshes == 1

    def test_everybody_gets_the_same_error(self, store: WatchedStore, sandbox: Sandbox, since: Since) -> None:
        """One refusal is enough for all; each one can handle it in its own way, and the next one asks anew."""
        grant = log_in(store, sandbox, age=LIFE)
        sandbox.kill_refresh_token(grant.refresh_token)
        source = AsyncTokenSource(store=store)
        depths: list[int] = []

        async def caller(number: int) -> str:
            try:
                await source.token()
            except LoginRequired as error:
                await asyncio.sleep(0)  # the others have it too, meanwhile
                depths.append(len(list(_frames(error))))
                try:
                    raise ValueError(number) from error
                except ValueError as own:
                    return f"{own}, {own.__cause__ is error}"
            return "a token"

        async def main() -> list[str]:
            found = await asyncio.gather(*(caller(number) for number in range(20)))
            again = log_in(store, sandbox)
            assert await source.token() == again.token
            return found

        assert asyncio.run(main()) == [f"{number}, True" for number in range(20)]
        assert max(depths) < 20  # a traceback does not grow with everybody who sees it
        assert (since.requests, since.refreshes) == (1, 0)


def _frames(error: BaseException) -> Iterator[object]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


class TestTheLoopIsNeverBlocked:
    """Each of these ends only because another task of the same loop goes on meanwhile."""

    def test_while_the_keyring_hangs(self, store: WatchedStore, sandbox: Sandbox) -> None:
        """Statement 32: a keyring that waits for the user holds up nobody else."""
        grant = log_in(store, sandbox)
        store.gate.clear()

        async def main() -> Token:
            asking = asyncio.create_task(AsyncTokenSource(store=store).token())
            await wait_until(store.entered.is_set)
            assert not asking.done()
            store.gate.set()
            return await asking

        assert asyncio.run(main()) == grant.token

    def test_while_somebody_holds_the_lock(self, store: WatchedStore, sandbox: Sandbox) -> None:
        log_in(store, sandbox, age=LIFE)

        async def main() -> Token:
            async with hold_lock(store):
                asking = asyncio.create_task(AsyncTokenSource(store=store).token())
                await wait_until(store.entered.is_set)
                _, pending = await asyncio.wait([asking], timeout=0.7)  # longer than one look at the lock
                assert pending
            return await asking

        assert asyncio.run(main()) == load_grant(store, "default").token

    def test_while_withings_is_slow(self, store: WatchedStore, sandbox: Sandbox, since: Since) -> None:
        log_in(store, sandbox, age=LIFE)
        sandbox.fail_next("slow", seconds=3)

        async def main() -> Token:
            asking = asyncio.create_task(AsyncTokenSource(store=store).token())
            await wait_until(lambda: since.refreshes == 1)
            assert not asking.done()
            return await asking

        assert asyncio.run(main()) == load_grant(store, "default").token
