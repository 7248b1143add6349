"""Wherever a token is asked for: in threads, in loops, under signals, after a fork and at exit."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

import withings_auth
from tests.support.canaries import Canaries
from tests.support.programs import Cli
from tests.tokens.source.watched import (
    LIFE,
    WatchedStore,
    log_in,
)
from withings_auth.errors import ProviderUnavailable
from withings_auth.model import Token
from withings_auth.sandbox import Sandbox
from withings_auth.store.file_store import FileStore
from withings_auth.store.records import load_grant, token_name
from withings_auth.tokens.source import AsyncTokenSource, TokenSource


class TestAnywhere:
    def test_threads_share_a_source(self, store: WatchedStore, sandbox: Sandbox) -> None:
        """Statement 28: eight threads with an expired token cause one refresh."""
        log_in(store, sandbox, age=LIFE)
        source = TokenSource(store=store)
        refreshes = sandbox.counters.refreshes
        found: list[Token] = []
        threads = [threading.Thread(target=lambda: found.append(source.token())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8
        assert len(set(found)) == 1
        assert sandbox.counters.refreshes == refreshes + 1

    def test_it_works_inside_a_running_loop(self, store: WatchedStore, sandbox: Sandbox) -> None:
        """In a notebook the loop runs already; a renewal has a loop of its own, in its own thread."""
        grant = log_in(store, sandbox, age=LIFE)

        async def cell() -> Token:
            async def nested() -> Token:
                return TokenSource(store=store).token()

            return await asyncio.create_task(nested())

        assert asyncio.run(cell()).access_token != grant.access_token

    def test_it_works_in_a_thread_with_a_loop_of_its_own(self, store: WatchedStore, sandbox: Sandbox) -> None:
        """As in a program whose main thread runs one loop and a helper another one, both with blocking code in them."""
        log_in(store, sandbox, age=LIFE)
        source = TokenSource(store=store)
        refreshes = sandbox.counters.refreshes

        async def ask() -> Token:
            return source.token()

        async def cell() -> set[Token]:
            elsewhere = asyncio.to_thread(lambda: asyncio.run(ask()))
            return set(await asyncio.gather(ask(), elsewhere, ask()))

        assert asyncio.run(cell()) == {load_grant(store, "default").token}
        assert sandbox.counters.refreshes == refreshes + 1

    @pytest.mark.usefixtures("unmeasured")
    def test_a_forked_process_has_a_source_that_works(self, sandbox: Sandbox, directory: Path, cli: Cli) -> None:
        """After a fork each has its own copy: the child renews, and the parent notices."""
        grant = log_in(FileStore(directory), sandbox, age=LIFE)
        refreshes = sandbox.counters.refreshes
        ran = cli.by(
            "import os, sys; from pathlib import Path; from withings_auth import TokenSource\n"
            "from withings_auth.store.file_store import FileStore\n"
            "source = TokenSource(store=FileStore(Path(sys.argv[1])))\n"
            "first = source.access_token()\n"
            "if (child := os.fork()) == 0:\n"
            "    os._exit(0 if source.token(rejected='another').access_token == first else 1)\n"
            "assert os.waitpid(child, 0)[1] == 0\n"
            "if (child := os.fork()) == 0:\n"
            "    with FileStore(Path(sys.argv[1])).lock('token/default', 5) as held: held.clear()\n"
            "    os._exit(0)\n"
            "os.waitpid(child, 0)\n"
            "try: source.token()\n"
            "except Exception as error: print(type(error).__name__, first != sys.argv[2])"
        )(str(directory), grant.access_token[:12])
        assert ran.stdout == "LoginRequired True\n", ran.stderr
        assert sandbox.counters.refreshes == refreshes + 1

    @pytest.mark.usefixtures("unmeasured")
    def test_a_child_can_renew(self, sandbox: Sandbox, directory: Path, cli: Cli) -> None:
        log_in(FileStore(directory), sandbox)
        sandbox.expire_access_token()
        refreshes = sandbox.counters.refreshes
        ran = cli.using(sys.executable, "-c")(
            "import os, sys, time; from pathlib import Path; from withings_auth import TokenSource\n"
            "from withings_auth.store.file_store import FileStore\n"
            "source = TokenSource(store=FileStore(Path(sys.argv[1])))\n"
            "old = source.access_token()\n"
            "later = time.time() + 10800\n"
            "time.time = lambda: later\n"
            "if (child := os.fork()) == 0:\n"
            "    os._exit(0 if source.access_token() != old else 1)\n"
            "print(os.waitpid(child, 0)[1], source.access_token() != old)",
            str(directory),
        )
        assert ran.stdout == "0 True\n", ran.stderr
        assert sandbox.counters.refreshes == refreshes + 1

    @pytest.mark.usefixtures("unmeasured")
    @pytest.mark.parametrize("lock_held", [False, True])
    def test_a_daemon_thread_asks_while_the_program_ends(
        self, sandbox: Sandbox, directory: Path, cli: Cli, lock_held: bool
    ) -> None:
        """Statement 29: what was sent is answered and saved first; Statement 32: what was not is not waited for."""
        store = FileStore(directory)
        log_in(store, sandbox, age=LIFE)
        before = sandbox.counters
        if not lock_held:
            sandbox.fail_next("slow", seconds=3)
        with store.lock(token_name("default"), 5) if lock_held else nullcontext():
            program = cli.using(sys.executable, "-c").start(
                "import sys, threading, time; from pathlib import Path; from withings_auth import TokenSource\n"
                "from withings_auth.store.file_store import FileStore\n"
                "source = TokenSource(store=FileStore(Path(sys.argv[1])))\n"
                "threading.Thread(target=source.token, daemon=True).start()\n"
                "while not any(thread.name == 'withings-auth renewal' for thread in threading.enumerate()):\n"
                "    time.sleep(0.001)\n"
                "sys.stdin.readline()",
                str(directory),
                stdin=True,
            )
            while not lock_held and sandbox.counters.refreshes == before.refreshes:
                assert program.running
                time.sleep(0.01)
            program.type("\n")
            ended = program.wait(seconds=60)
        assert (ended.returncode, ended.stderr) == (0, "")
        saved = load_grant(store, "default")
        assert saved.refresh_token == sandbox.live_refresh_tokens[-1]
        assert sandbox.counters.token_requests == before.token_requests + (not lock_held)

    @pytest.mark.usefixtures("unmeasured")
    def test_a_function_of_atexit_gets_a_token(self, sandbox: Sandbox, directory: Path, cli: Cli) -> None:
        """The main thread counts as ended there, and waits all the same."""
        store = FileStore(directory)
        log_in(store, sandbox, age=LIFE)
        ran = cli.using(sys.executable, "-c")(
            "import atexit, sys; from pathlib import Path; from withings_auth import TokenSource, errors\n"
            "from withings_auth.store.file_store import FileStore\n"
            "source = TokenSource(store=FileStore(Path(sys.argv[1])))\n"
            "def at_the_end():\n"
            "    try: print(source.token().userid)\n"
            "    except errors.ProviderUnavailable: print('no thread')\n"
            "atexit.register(at_the_end)",
            str(directory),
        )
        no_threads_then = sys.version_info[:2] == (3, 12)
        expected = "no thread" if no_threads_then else load_grant(store, "default").userid
        assert (ran.stdout, ran.stderr) == (f"{expected}\n", "")

    def test_where_no_thread_can_be_started_the_error_is_one_of_ours(
        self, sandbox: Sandbox, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In Python 3.12 that is so once the main thread has ended; nothing was sent, and the lock is free."""
        store = FileStore(directory)
        log_in(store, sandbox, age=LIFE)
        before = sandbox.counters

        def refuse(_: threading.Thread) -> None:
            raise RuntimeError("can't create new thread at interpreter shutdown")

        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(ProviderUnavailable, match="no thread can be started"):
                TokenSource(store=store).token()
            with pytest.raises(ProviderUnavailable, match="no thread can be started"):
                asyncio.run(AsyncTokenSource(store=store).token())
        assert sandbox.counters == before
        assert TokenSource(store=store).token() == load_grant(store, "default").token

    def test_it_is_at_the_front_door(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
        """`from withings_auth import TokenSource` finds profile and store as the command does."""
        monkeypatch.setenv("WITHINGS_AUTH_STORE", f"file:{directory}")
        grant = log_in(FileStore(directory), sandbox, profile="work")
        assert withings_auth.TokenSource("Work").token() == grant.token

    def test_what_a_caller_gets_holds_no_refresh_token(
        self, store: WatchedStore, sandbox: Sandbox, canaries: Canaries
    ) -> None:
        """Statement 27: an access token, and the origin that it may be sent to; Statement 23: no repr shows it."""
        grant = log_in(store, sandbox)
        source = TokenSource(store=store)
        token = source.token()
        assert token.api_origin == sandbox.url
        assert not hasattr(token, "refresh_token")
        canaries.plant("refresh token", grant.refresh_token)
        canaries.plant("access token", grant.access_token)
        canaries.hear("a repr", f"{token!r} {source!r} {vars(source)!r}")
