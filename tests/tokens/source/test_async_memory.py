"""A token in memory costs microseconds, and nothing stays behind when it is not needed any more."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import pytest

from tests.support.stores import clear_record
from tests.tokens.source.watched import (
    LIFE,
    NAME,
    Since,
    WatchedStore,
    log_in,
    no_thread_of_ours,
    settle,
    wait_until,
)
from withings_auth.errors import LoginRequired
from withings_auth.model import Grant, Token
from withings_auth.sandbox import Sandbox
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.records import load_grant
from withings_auth.threads import Call
from withings_auth.tokens.source import AsyncTokenSource, TokenSource


class TestFastPath:
    def test_a_token_in_memory_costs_one_stamp_and_no_switch_of_tasks(
        self, store: WatchedStore, sandbox: Sandbox
    ) -> None:
        """Nothing is awaited: the coroutine ends at its first step, and no thread is started."""
        grant = log_in(store, sandbox)
        source = AsyncTokenSource(store=store)
        asyncio.run(source.token())
        store.asked.clear()
        store.threads.clear()
        for _ in range(3):
            with pytest.raises(StopIteration) as ended:
                source.token().send(None)
            assert ended.value.value == grant.token
        assert store.asked == ["stamp"] * 3
        assert store.threads == set()

    def test_what_another_program_does_is_noticed_at_the_next_call(self, store: WatchedStore, sandbox: Sandbox) -> None:
        """Another one logs in, renews or logs out: the stamp tells."""
        log_in(store, sandbox)
        source = AsyncTokenSource(store=store)

        async def main() -> None:
            await source.token()
            newer = log_in(store, sandbox, age=600)
            assert await source.token() == newer.token
            renewed = await asyncio.to_thread(TokenSource(store=store).token, rejected=newer.access_token)
            assert await source.token() == renewed
            clear_record(store, NAME)
            with pytest.raises(LoginRequired, match="nobody is logged in"):
                await source.token()

        asyncio.run(main())

    def test_a_rejected_token_is_not_handed_out_of_memory(
        self, store: WatchedStore, sandbox: Sandbox, since: Since
    ) -> None:
        """Statement 33: what a server refused is renewed, once, and then everybody has the new one."""
        grant = log_in(store, sandbox, age=600)
        source = AsyncTokenSource(store=store)

        async def main() -> list[Token]:
            first = await source.token()
            return [first, *[await source.token(rejected=first.access_token) for _ in range(3)], await source.token()]

        first, *others = asyncio.run(main())
        assert first == grant.token
        assert set(others) == {load_grant(store, "default").token}
        assert since.requests == since.refreshes == 1


class TestNothingStaysBehind:
    """Statement 23: no cycle keeps a secret in memory until garbage is collected, and no thread or task is left."""

    @staticmethod
    def held() -> int:
        return sum(isinstance(one, Grant | Call | AsyncTokenSource) for one in gc.get_objects())

    @pytest.fixture
    def left_by(self, sandbox: Sandbox) -> Iterator[Callable[..., bool]]:
        """Does something with a source; returns whether anything of it is left."""

        def play(act: Callable[[AsyncTokenSource, WatchedStore], Awaitable[object]], *, refused: bool = False) -> bool:
            async def main() -> None:
                store = WatchedStore(MemoryStore())
                refresh_token = log_in(store, sandbox, age=LIFE).refresh_token
                if refused:
                    sandbox.kill_refresh_token(refresh_token)
                await act(AsyncTokenSource(store=store), store)
                await wait_until(no_thread_of_ours)
                await wait_until(lambda: len(asyncio.all_tasks()) == 1)

            gc.collect()
            before = self.held()
            asyncio.run(main())
            return self.held() > before

        gc.disable()
        yield play
        gc.enable()

    def test_after_a_renewal(self, left_by: Callable[..., bool]) -> None:
        async def act(source: AsyncTokenSource, _: WatchedStore) -> None:
            await source.token()
            await source.token()

        assert not left_by(act)

    def test_after_an_error(self, left_by: Callable[..., bool]) -> None:
        async def act(source: AsyncTokenSource, _: WatchedStore) -> None:
            with suppress(LoginRequired):
                await source.token()

        assert not left_by(act, refused=True)

    @pytest.mark.parametrize("refused", [False, True])
    def test_after_everybody_has_gone(self, left_by: Callable[..., bool], refused: bool) -> None:
        """Also if the task fails then, and nobody takes the error."""

        async def act(source: AsyncTokenSource, store: WatchedStore) -> None:
            store.gate.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(source.token(), 0.01)
            store.gate.set()

        assert not left_by(act, refused=refused)

    @pytest.mark.parametrize("refused", [False, True])
    def test_after_a_task_that_was_cancelled(self, left_by: Callable[..., bool], refused: bool) -> None:
        """The task is cancelled at the end of a loop; its thread goes on, and cleans up when it ends."""

        async def act(source: AsyncTokenSource, store: WatchedStore) -> None:
            store.gate.clear()
            asking = asyncio.create_task(source.token())
            await wait_until(store.entered.is_set)
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await settle(asking)
            store.gate.set()

        assert not left_by(act, refused=refused)
