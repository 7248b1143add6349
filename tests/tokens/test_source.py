"""The object that applications hold: nearly free while nothing changes, and right as soon as something does."""

from __future__ import annotations

import asyncio
import math
import sys
import threading
import time
from collections.abc import Hashable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

import withings_auth
from tests.support.canaries import Canaries
from tests.support.programs import Cli
from tests.support.stores import Wrapped, clear_record, save_record
from withings_auth.errors import ConfigurationError, LoginRequired, ProviderUnavailable
from withings_auth.model import App, Grant, Token
from withings_auth.sandbox import Sandbox
from withings_auth.store.base import SecretStore
from withings_auth.store.file_store import FileStore
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.records import app_name, load_grant, token_name
from withings_auth.tokens.source import AsyncTokenSource, TokenSource

LIFE = 10_800


class Counting(Wrapped):
    """A store that counts what it is asked."""

    def __init__(self, inner: SecretStore) -> None:
        super().__init__(inner)
        self.asked: list[str] = []

    def load(self, name: str) -> str | None:
        self.asked.append("load")
        return super().load(name)

    def stamp(self, name: str) -> Hashable:
        self.asked.append("stamp")
        return super().stamp(name)


@pytest.fixture
def directory(home: Path) -> Path:
    return home / "store"


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, directory: Path) -> Counting:
    return Counting(MemoryStore() if request.param == "memory" else FileStore(directory))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


def log_in(store: SecretStore, sandbox: Sandbox, *, age: int = 60, profile: str = "default") -> Grant:
    """Somebody logged in so many seconds ago."""
    pair = sandbox.issue_pair()
    now = int(time.time())
    grant = Grant(
        access_token=pair.access_token,
        refresh_token=pair.refresh_token,
        obtained_at=now - age,
        expires_at=now - age + LIFE,
        scopes=pair.scopes,
        userid=str(pair.userid),
        client_id=sandbox.client_id,
        token_url=sandbox.endpoints.token_url,
    )
    app = App(client_id=sandbox.client_id, client_secret=sandbox.client_secret)
    save_record(store, token_name(profile), grant.written())
    save_record(store, app_name(app.client_id), app.written())
    return grant


class TestFastPath:
    def test_a_token_in_memory_costs_one_stamp(self, store: Counting, sandbox: Sandbox) -> None:
        """After the first time nothing is read and nobody is asked, for as long as nothing has changed."""
        grant = log_in(store, sandbox)
        source = TokenSource(store=store)
        assert source.token() == grant.token
        store.asked.clear()
        assert [source.access_token() for _ in range(3)] == [grant.access_token] * 3
        assert store.asked == ["stamp"] * 3

    def test_it_is_a_matter_of_microseconds(self, sandbox: Sandbox, directory: Path) -> None:
        store = FileStore(directory)
        log_in(store, sandbox)
        source = TokenSource(store=store)
        source.access_token()
        fastest = min(_seconds_for_100(source) for _ in range(5))
        assert fastest / 100 < 100e-6  # a few in fact; ten times that on a machine with other things to do

    def test_the_token_of_a_new_login_is_noticed(self, store: Counting, sandbox: Sandbox) -> None:
        """Another program renewed or logged in: the stamp changes with every save."""
        log_in(store, sandbox)
        source = TokenSource(store=store)
        source.token()
        newer = log_in(store, sandbox)
        assert source.token() == newer.token

    def test_a_logout_is_noticed(self, store: Counting, sandbox: Sandbox) -> None:
        log_in(store, sandbox)
        source = TokenSource(store=store)
        source.token()
        clear_record(store, token_name("default"))
        with pytest.raises(LoginRequired, match="nobody is logged in"):
            source.token()

    def test_a_save_between_stamp_and_load_is_not_missed(self, sandbox: Sandbox) -> None:
        """The stamp is taken first: what is read is as new as it says, or newer."""
        store = MemoryStore()
        old = log_in(store, sandbox)
        saved: list[Grant] = []

        class Overtaken(Wrapped):
            def load(self, name: str) -> str | None:
                text = self.inner.load(name)
                if not saved:
                    saved.append(log_in(store, sandbox))
                return text

        source = TokenSource(store=Overtaken(store))
        assert source.token() == old.token
        assert source.token() == saved[0].token

    def test_a_store_without_a_stamp_is_read_each_time(self, sandbox: Sandbox) -> None:
        """Where the index cannot be written there is nothing to compare: correct comes before fast."""

        class Stampless(Counting):
            def stamp(self, name: str) -> Hashable:
                super().stamp(name)
                return None

        store = Stampless(MemoryStore())
        log_in(store, sandbox)
        source = TokenSource(store=store)
        source.token()
        newer = log_in(store, sandbox)
        assert source.token() == newer.token
        clear_record(store, token_name("default"))
        with pytest.raises(LoginRequired):
            source.token()

    def test_a_token_whose_life_runs_out_in_memory_is_renewed(self, store: Counting, sandbox: Sandbox) -> None:
        """Statement 33: memory is no excuse; the clock is asked each time."""
        grant = log_in(store, sandbox, age=LIFE - 600)
        source = TokenSource(min_valid=grant.expires_at - time.time() - 0.3, store=store)
        assert source.token() == grant.token
        assert source.token() == grant.token
        time.sleep(0.35)
        assert source.access_token() != grant.access_token

    def test_a_rejected_token_is_not_handed_out_of_memory(self, store: Counting, sandbox: Sandbox) -> None:
        """Statement 33: what a server refused is renewed, once, and then everybody has the new one."""
        grant = log_in(store, sandbox, age=600)
        source = TokenSource(store=store)
        source.token()
        refreshes = sandbox.counters.refreshes
        tokens = {source.token(rejected=grant.access_token) for _ in range(3)}
        assert len(tokens) == 1
        assert grant.token not in tokens
        assert source.token() in tokens
        assert sandbox.counters.refreshes == refreshes + 1


def _seconds_for_100(source: TokenSource) -> float:
    started = time.perf_counter()
    for _ in range(100):
        source.access_token()
    return time.perf_counter() - started


class TestAnywhere:
    def test_threads_share_a_source(self, store: Counting, sandbox: Sandbox) -> None:
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

    def test_it_works_inside_a_running_loop(self, store: Counting, sandbox: Sandbox) -> None:
        """In a notebook the loop runs already; a renewal has a loop of its own, in its own thread."""
        grant = log_in(store, sandbox, age=LIFE)

        async def cell() -> Token:
            async def nested() -> Token:
                return TokenSource(store=store).token()

            return await asyncio.create_task(nested())

        assert asyncio.run(cell()).access_token != grant.access_token

    def test_it_works_in_a_thread_with_a_loop_of_its_own(self, store: Counting, sandbox: Sandbox) -> None:
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

    def test_a_forked_process_has_a_source_that_works(self, sandbox: Sandbox, directory: Path, cli: Cli) -> None:
        """After a fork each has its own copy: the child renews, and the parent notices."""
        grant = log_in(FileStore(directory), sandbox, age=LIFE)
        refreshes = sandbox.counters.refreshes
        ran = cli.using(sys.executable, "-c")(
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
            "except Exception as error: print(type(error).__name__, first != sys.argv[2])",
            str(directory),
            grant.access_token[:12],
        )
        assert ran.stdout == "LoginRequired True\n", ran.stderr
        assert sandbox.counters.refreshes == refreshes + 1

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

    @pytest.mark.parametrize("lock_held", [False, True])
    def test_a_daemon_thread_asks_while_the_program_ends(
        self, sandbox: Sandbox, directory: Path, cli: Cli, lock_held: bool
    ) -> None:
        """Statement 29: what was sent is answered and saved first; Statement 32: what was not is not waited for."""
        store = FileStore(directory)
        log_in(store, sandbox, age=LIFE)
        before = sandbox.counters
        if not lock_held:
            sandbox.fail_next("slow", seconds=1)
        with store.lock(token_name("default"), 5) if lock_held else nullcontext():
            program = cli.using(sys.executable, "-c").start(
                "import sys, threading; from pathlib import Path; from withings_auth import TokenSource\n"
                "from withings_auth.store.file_store import FileStore\n"
                "source = TokenSource(store=FileStore(Path(sys.argv[1])))\n"
                "threading.Thread(target=source.token, daemon=True).start()\n"
                "while not any(thread.name == 'withings-auth renewal' for thread in threading.enumerate()): pass\n"
                "sys.stdin.readline()",
                str(directory),
                stdin=True,
            )
            while not lock_held and sandbox.counters.refreshes == before.refreshes:
                assert program.running
                time.sleep(0.01)
            program.type("\n")
            ended = program.wait(seconds=15)
        assert (ended.returncode, ended.stderr) == (0, "")
        saved = load_grant(store, "default")
        assert saved.refresh_token == sandbox.live_refresh_tokens[-1]
        assert sandbox.counters.token_requests == before.token_requests + (not lock_held)

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
        self, store: Counting, sandbox: Sandbox, canaries: Canaries
    ) -> None:
        """Statement 27: an access token, and where it may be sent; Statement 23: and no repr shows it."""
        grant = log_in(store, sandbox)
        source = TokenSource(store=store)
        token = source.token()
        assert token.api_origin == sandbox.url
        assert not hasattr(token, "refresh_token")
        canaries.plant("refresh token", grant.refresh_token)
        canaries.plant("access token", grant.access_token)
        canaries.hear("a repr", f"{token!r} {source!r} {vars(source)!r}")


class TestMinValid:
    @pytest.mark.parametrize("seconds", [9001, 10800, -1, math.inf, -math.inf, math.nan])
    def test_what_no_token_can_promise_is_a_usage_error(self, seconds: float) -> None:
        """Above 9,000 seconds a fresh token would soon not do either."""
        with pytest.raises(ConfigurationError, match="a token cannot be required to be valid") as caught:
            TokenSource(min_valid=seconds, store=MemoryStore())
        assert caught.value.exit_code == 2

    @pytest.mark.parametrize("seconds", [0, 0.5, 60, 9000])
    def test_everything_else_is_granted(self, sandbox: Sandbox, seconds: float) -> None:
        store = MemoryStore()
        grant = log_in(store, sandbox)
        assert TokenSource(min_valid=seconds, store=store).token() == grant.token

    @pytest.mark.parametrize("min_valid", [0, 60, 9000])
    def test_too_little_life_is_renewed(self, sandbox: Sandbox, min_valid: float) -> None:
        store = MemoryStore()
        grant = log_in(store, sandbox, age=LIFE - int(min_valid))
        assert TokenSource(min_valid=min_valid, store=store).token() != grant.token

    def test_not_even_0_hands_out_a_dead_token(self, sandbox: Sandbox) -> None:
        store = MemoryStore()
        log_in(store, sandbox, age=LIFE)
        assert TokenSource(min_valid=0, store=store).token().expires_at > time.time()


class TestContradiction:
    """Statement 38: a variable that differs from the record is exit 2, not obeyed; nothing is sent anywhere."""

    @pytest.mark.parametrize(
        ("variables", "words"),
        [
            ({"WITHINGS_CLIENT_ID": "another-app"}, "belongs to another app than WITHINGS_CLIENT_ID"),
            ({"WITHINGS_AUTH_API_URL": "https://evil.example"}, "another service than WITHINGS_AUTH_API_URL"),
            ({"WITHINGS_AUTH_API_URL": "http://127.0.0.1:1"}, "another service than WITHINGS_AUTH_API_URL"),
        ],
    )
    @pytest.mark.parametrize("age", [60, LIFE])
    def test_a_variable_that_differs_is_not_obeyed(
        self,
        sandbox: Sandbox,
        monkeypatch: pytest.MonkeyPatch,
        variables: Mapping[str, str],
        words: str,
        age: int,
    ) -> None:
        """Whether the token is good or has to be renewed."""
        store = MemoryStore()
        log_in(store, sandbox, age=age)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        requests = sandbox.counters.token_requests
        with pytest.raises(ConfigurationError, match=words) as caught:
            TokenSource(store=store).token()
        assert caught.value.exit_code == 2
        assert "unset" in caught.value.hint
        assert sandbox.counters.token_requests == requests

    def test_variables_that_agree_are_fine(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        store = MemoryStore()
        log_in(store, sandbox, age=LIFE)
        for name, value in sandbox.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("WITHINGS_AUTH_API_URL", f"{sandbox.url}/")
        assert TokenSource(store=store).token().expires_at > time.time()

    def test_an_app_that_differs_is_not_obeyed(self, sandbox: Sandbox) -> None:
        store = MemoryStore()
        log_in(store, sandbox)
        app = App(client_id="another-app", client_secret="its-secret")
        with pytest.raises(ConfigurationError, match="another app than the given one"):
            TokenSource(store=store, app=app).token()

    def test_the_login_that_another_process_put_there_meanwhile_is_checked_too(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between the first look and the lock the profile can become another app's: its secret goes nowhere else."""
        store = MemoryStore()
        grant = log_in(store, sandbox, age=LIFE)
        monkeypatch.setenv("WITHINGS_CLIENT_ID", sandbox.client_id)
        now = int(time.time())
        dead = replace(grant, client_id="another-app")
        fresh = replace(dead, obtained_at=now, expires_at=now + LIFE)
        for other in (dead, fresh):
            loads: list[str] = []

            class Replaced(Wrapped):
                def load(self, name: str, loads: list[str] = loads, other: Grant = other) -> str | None:
                    loads.append(name)
                    return self.inner.load(name) if len(loads) == 1 else other.written()

            requests = sandbox.counters.token_requests
            with pytest.raises(ConfigurationError, match="belongs to another app"):
                TokenSource(store=Replaced(store)).token()
            assert sandbox.counters.token_requests == requests


class TestSecret:
    def test_the_given_app_has_the_secret(self, sandbox: Sandbox) -> None:
        store = MemoryStore()
        log_in(store, sandbox, age=LIFE)
        clear_record(store, app_name(sandbox.client_id))
        app = App(client_id=sandbox.client_id, client_secret=sandbox.client_secret)
        assert TokenSource(store=store, app=app).token().expires_at > time.time()

    def test_the_environment_has_it_if_its_client_id_is_the_same(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The environment comes before the saved app, whose secret may be an old one."""
        store = MemoryStore()
        log_in(store, sandbox, age=LIFE)
        stale = App(client_id=sandbox.client_id, client_secret="stale")
        save_record(store, app_name(sandbox.client_id), stale.written())
        monkeypatch.setenv("WITHINGS_CLIENT_ID", sandbox.client_id)
        monkeypatch.setenv("WITHINGS_CLIENT_SECRET", sandbox.client_secret)
        assert TokenSource(store=store).token().expires_at > time.time()

    def test_a_secret_without_a_client_id_is_nobodys(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        """Statement 38: a secret in the environment whose app is not named is not sent; the saved one is."""
        store = MemoryStore()
        log_in(store, sandbox, age=LIFE)
        monkeypatch.setenv("WITHINGS_CLIENT_SECRET", "of-who-knows-which-app")
        assert TokenSource(store=store).token().expires_at > time.time()

    def test_a_wrong_secret_is_a_matter_of_configuration(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = MemoryStore()
        grant = log_in(store, sandbox, age=LIFE)
        monkeypatch.setenv("WITHINGS_CLIENT_ID", sandbox.client_id)
        monkeypatch.setenv("WITHINGS_CLIENT_SECRET", "mistyped")
        with pytest.raises(ConfigurationError, match="does not know this client id with this client secret"):
            TokenSource(store=store).token()
        assert store.load(token_name("default")) == grant.written()


class TestNobodyThere:
    def test_nobody_logged_in(self, store: Counting) -> None:
        """Statement 32: without a login it says what to type and starts no browser."""
        with pytest.raises(LoginRequired) as caught:
            TokenSource("work", store=store).token()
        assert caught.value.hint == "log in: withings-auth login --profile work"

    def test_a_profile_that_cannot_be(self) -> None:
        with pytest.raises(ConfigurationError):
            TokenSource("../work", store=MemoryStore())

    def test_a_service_that_cannot_be_reached(self, sandbox: Sandbox) -> None:
        """Statement 31: a temporary failure, through the real exchange; and the stored token while it has life."""
        store = MemoryStore()
        for age, works in ((LIFE, False), (LIFE - 30, True)):
            grant = replace(log_in(store, sandbox, age=age), token_url="http://127.0.0.1:1/v2/oauth2")
            save_record(store, token_name("default"), grant.written())
            source = TokenSource(store=store)
            if works:
                assert source.token() == grant.token
            else:
                with pytest.raises(ProviderUnavailable, match="Withings cannot be reached: Connection refused"):
                    source.token()
