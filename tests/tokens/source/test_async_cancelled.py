"""A caller that is cancelled loses nothing, and takes nothing from the others."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.tokens.source.watched import (
    LIFE,
    NAME,
    Since,
    WatchedStore,
    block_until,
    hold_lock,
    log_in,
    no_thread_of_ours,
    settle,
    wait_until,
)
from withings_auth.model import Token
from withings_auth.sandbox import Sandbox
from withings_auth.store.records import load_grant
from withings_auth.tokens.source import AsyncTokenSource


class TestCancelled:
    def test_the_others_get_their_token(self, store: WatchedStore, sandbox: Sandbox, since: Since) -> None:
        """The first of three callers goes away: it was not the shared task."""
        log_in(store, sandbox, age=LIFE)
        store.gate.clear()

        async def main() -> list[Token | BaseException]:
            source = AsyncTokenSource(store=store)
            asking = [asyncio.create_task(source.token()) for _ in range(3)]
            await wait_until(store.entered.is_set)
            asking[0].cancel()
            await asyncio.wait([asking[0]])
            store.gate.set()
            return await settle(*asking)

        gone, *tokens = asyncio.run(main())
        assert isinstance(gone, asyncio.CancelledError)
        assert tokens == [load_grant(store, "default").token] * 2
        assert since.refreshes == 1

    def test_what_comes_after_all_have_gone_is_there_for_the_next(
        self, store: WatchedStore, sandbox: Sandbox, since: Since
    ) -> None:
        """Statement 29: the new pair is saved, and the next call has it without another refresh."""
        log_in(store, sandbox, age=LIFE)
        sandbox.fail_next("slow", seconds=3)

        async def main() -> Token:
            source = AsyncTokenSource(store=store)
            asking = [asyncio.create_task(source.token()) for _ in range(3)]
            await wait_until(lambda: since.refreshes == 1)
            for task in asking:
                task.cancel()
            assert {type(outcome) for outcome in await settle(*asking)} == {asyncio.CancelledError}
            return await source.token()

        assert asyncio.run(main()) == load_grant(store, "default").token
        assert since.requests == since.refreshes == 1

    def test_while_it_waits_for_the_lock(self, store: WatchedStore, sandbox: Sandbox, since: Since) -> None:
        """Who comes next joins the wait that goes on."""
        log_in(store, sandbox, age=LIFE)

        async def main() -> Token:
            source = AsyncTokenSource(store=store)
            async with hold_lock(store):
                asking = asyncio.create_task(source.token())
                await wait_until(lambda: any(t.name == "withings-auth renewal" for t in threading.enumerate()))
                asking.cancel()
                assert [type(outcome) for outcome in await settle(asking)] == [asyncio.CancelledError]
                following = asyncio.create_task(source.token())
                await asyncio.sleep(0)
            return await following

        assert asyncio.run(main()) == load_grant(store, "default").token
        assert since.requests == since.refreshes == 1

    def test_any_way_of_having_no_patience(self, memory: WatchedStore, sandbox: Sandbox, since: Since) -> None:
        """A time-out or a sibling's failure ends the wait at once, and takes nothing from the next caller."""

        async def by_wait_for(source: AsyncTokenSource) -> None:
            await asyncio.wait_for(source.token(), 0.01)

        async def by_timeout(source: AsyncTokenSource) -> None:
            async with asyncio.timeout(0.01):
                await source.token()

        async def by_group(source: AsyncTokenSource) -> None:
            async def fail() -> None:
                await wait_until(memory.entered.is_set)
                raise TimeoutError

            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(source.token())
                    group.create_task(fail())
            except ExceptionGroup as group_of_one:
                (error,) = group_of_one.exceptions
                raise error from None

        async def main() -> None:
            for impatient in (by_wait_for, by_timeout, by_group):
                log_in(memory, sandbox, age=LIFE)
                source = AsyncTokenSource(store=memory)
                memory.gate.clear()
                memory.entered.clear()
                with pytest.raises(TimeoutError):
                    await impatient(source)
                memory.gate.set()
                assert await source.token() == load_grant(memory, "default").token

        asyncio.run(main())
        assert since.requests == since.refreshes == 3

    def test_whoever_cancels_all_tasks_there_are_cuts_off_nobody_who_asks_then(
        self, memory: WatchedStore, sandbox: Sandbox, since: Since
    ) -> None:
        """As asyncio.run does at its end: clean-up code that needs a token still gets one, and so does who stayed."""
        log_in(memory, sandbox, age=LIFE)
        memory.gate.clear()
        source = AsyncTokenSource(store=memory)

        async def with_clean_up() -> Token:
            try:
                return await source.token()
            finally:
                memory.gate.set()
                cleaned.append(await source.token())

        async def main() -> Token:
            working = asyncio.create_task(with_clean_up())
            await wait_until(memory.entered.is_set)
            staying = asyncio.create_task(source.token())
            await asyncio.sleep(0)
            for task in asyncio.all_tasks() - {asyncio.current_task(), staying}:
                task.cancel()
            own = await source.token()
            with pytest.raises(asyncio.CancelledError):
                await working
            assert await staying == own
            return own

        cleaned: list[Token] = []
        assert [asyncio.run(main())] == cleaned == [load_grant(memory, "default").token]
        assert since.refreshes == 1

    def test_at_the_end_of_the_loop_the_new_pair_is_saved_all_the_same(
        self, store: WatchedStore, sandbox: Sandbox, since: Since
    ) -> None:
        """Statement 29: asyncio.run ends with a request under way; the next loop finds what it brought."""
        log_in(store, sandbox, age=LIFE)
        sandbox.fail_next("slow", seconds=3)
        source = AsyncTokenSource(store=store)

        async def first() -> None:
            asking = asyncio.create_task(source.token())
            await wait_until(lambda: since.refreshes == 1)
            assert not asking.done()

        asyncio.run(first())
        assert asyncio.run(source.token()) == load_grant(store, "default").token
        assert since.requests == since.refreshes == 1

    def test_at_the_end_of_the_loop_a_wait_for_the_lock_ends(
        self, store: WatchedStore, sandbox: Sandbox, since: Since
    ) -> None:
        """Statement 32: nothing was sent, so nothing goes on."""
        log_in(store, sandbox, age=LIFE)

        async def main() -> None:
            asking = asyncio.create_task(AsyncTokenSource(store=store).token())
            await wait_until(lambda: any(t.name == "withings-auth renewal" for t in threading.enumerate()))
            assert not asking.done()

        with store.lock(NAME, 5):
            asyncio.run(main())
            block_until(no_thread_of_ours)
        assert since.requests == 0

    def test_a_loop_that_is_closed_under_a_task(self, memory: WatchedStore, sandbox: Sandbox) -> None:
        """Not by asyncio.run, and with nothing cancelled: the task ends silently, and another loop has its own."""
        grant = log_in(memory, sandbox)
        memory.gate.clear()
        source = AsyncTokenSource(store=memory)
        loop = asyncio.new_event_loop()
        with pytest.raises(TimeoutError):
            loop.run_until_complete(asyncio.wait_for(source.token(), 0.01))
        loop.close()
        memory.gate.set()
        block_until(no_thread_of_ours)
        assert asyncio.run(source.token()) == grant.token
