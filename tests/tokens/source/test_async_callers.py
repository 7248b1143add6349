"""Wherever a loop runs: one after another, in several threads, in a notebook, without a login."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

import withings_auth
from tests.support.canaries import Canaries
from tests.tokens.source.watched import (
    LIFE,
    Since,
    WatchedStore,
    log_in,
    wait_until,
)
from withings_auth.errors import ConfigurationError, LoginRequired
from withings_auth.model import Token
from withings_auth.sandbox import Sandbox
from withings_auth.store.file_store import FileStore
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.records import load_grant
from withings_auth.tokens.source import AsyncTokenSource, TokenSource


class TestAnywhere:
    def test_two_loops_in_two_threads_share_a_source(self, store: WatchedStore, sandbox: Sandbox, since: Since) -> None:
        """Statement 28: one refresh, for all tasks of both; no loop waits for the other one's task."""
        log_in(store, sandbox, age=LIFE)
        source = AsyncTokenSource(store=store)
        together = threading.Barrier(2)
        found: list[Token] = []

        async def main() -> None:
            together.wait(60)
            found.extend(await asyncio.gather(*(source.token() for _ in range(10))))

        threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [load_grant(store, "default").token] * 20
        assert since.requests == since.refreshes == 1

    def test_one_loop_after_another(self, store: WatchedStore, sandbox: Sandbox) -> None:
        """A source made outside of any loop works in each, and keeps its memory from one to the next."""
        grant = log_in(store, sandbox)
        source = AsyncTokenSource(store=store)
        assert [asyncio.run(source.access_token()) for _ in range(3)] == [grant.access_token] * 3
        assert store.asked.count("load") == 1

    def test_beside_the_blocking_one(self, store: WatchedStore, sandbox: Sandbox, since: Since) -> None:
        """Statement 28: tasks, and threads that block, of one program cause one refresh."""
        log_in(store, sandbox, age=LIFE)
        blocking, source = TokenSource(store=store), AsyncTokenSource(store=store)

        async def main() -> list[Token]:
            return await asyncio.gather(
                *(source.token() for _ in range(5)), *(asyncio.to_thread(blocking.token) for _ in range(3))
            )

        assert set(asyncio.run(main())) == {load_grant(store, "default").token}
        assert since.requests == since.refreshes == 1

    def test_without_a_login_nobody_is_asked_for_one(self, store: WatchedStore) -> None:
        """Statement 32: it says what to type, starts no browser, and waits for nobody."""
        with pytest.raises(LoginRequired) as caught:
            asyncio.run(AsyncTokenSource("work", store=store).token())
        assert caught.value.hint == "log in: withings-auth login --profile work"

    def test_it_is_at_the_front_door(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
        monkeypatch.setenv("WITHINGS_AUTH_STORE", f"file:{directory}")
        grant = log_in(FileStore(directory), sandbox, profile="work")
        assert asyncio.run(withings_auth.AsyncTokenSource("Work").token()) == grant.token

    def test_it_refuses_what_the_blocking_one_refuses(self) -> None:
        with pytest.raises(ConfigurationError, match="a token cannot be required to be valid"):
            AsyncTokenSource(min_valid=9001, store=MemoryStore())
        with pytest.raises(ConfigurationError):
            AsyncTokenSource("../work", store=MemoryStore())

    def test_no_repr_tells_a_token(self, memory: WatchedStore, sandbox: Sandbox, canaries: Canaries) -> None:
        """Statement 23: neither the source nor the task that a debugger finds shows one."""
        grant = log_in(memory, sandbox)
        memory.gate.clear()
        source = AsyncTokenSource(store=memory)

        async def main() -> None:
            asking = asyncio.create_task(source.token(rejected="a token that was refused"))
            await wait_until(memory.entered.is_set)
            said.append(f"{asyncio.all_tasks()!r} {vars(source)!r}")
            memory.gate.set()
            said.append(f"{await asking!r} {vars(source)!r}")

        said: list[str] = []
        asyncio.run(main())
        canaries.plant("refresh token", grant.refresh_token)
        canaries.plant("access token", grant.access_token)
        canaries.plant("rejected token", "a token that was refused")
        canaries.hear("a repr", " ".join(said))
