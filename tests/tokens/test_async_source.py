"""The object that asyncio applications hold: one errand for all callers, a loop that is never blocked, nothing lost."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

import withings_auth
from tests.support.canaries import Canaries
from tests.support.programs import Cli
from tests.support.stores import clear_record
from tests.tokens.test_source import LIFE, Counting, log_in
from withings_auth.errors import ConfigurationError, LoginRequired
from withings_auth.model import Grant, Token
from withings_auth.sandbox import Sandbox
from withings_auth.store.base import SecretStore
from withings_auth.store.file_store import FileStore
from withings_auth.store.lock import file_lock
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.records import load_grant, token_name
from withings_auth.threads import Call
from withings_auth.tokens.source import AsyncTokenSource, TokenSource

NAME = token_name("default")


class Gated(Counting):
    """A store that reads nothing while its gate is closed, as a keyring that hangs; it knows which threads asked."""

    def __init__(self, inner: SecretStore) -> None:
        super().__init__(inner)
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.threads: set[threading.Thread] = set()

    def load(self, name: str) -> str | None:
        self.threads.add(threading.current_thread())
        self.entered.set()
        assert self.gate.wait(20), "the loop was blocked, or nobody opened the gate"
        return super().load(name)


@pytest.fixture
def directory(home: Path) -> Path:
    return home / "store"


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, directory: Path) -> Gated:
    return Gated(MemoryStore() if request.param == "memory" else FileStore(directory))


@pytest.fixture
def memory() -> Gated:
    return Gated(MemoryStore())


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


class Since:
    """What a sandbox has counted since the beginning of the test."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._before = sandbox.counters

    @property
    def refreshes(self) -> int:
        return self._sandbox.counters.refreshes - self._before.refreshes

    @property
    def requests(self) -> int:
        return self._sandbox.counters.token_requests - self._before.token_requests


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Iterator[Sandbox]:
    yield shared_sandbox
    shared_sandbox.clear_faults()


@pytest.fixture
def since(sandbox: Sandbox) -> Since:
    return Since(sandbox)


async def happened(true: Callable[[], bool]) -> None:
    """Waits, in the loop, until something has happened outside of it."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.005)


def until(true: Callable[[], bool]) -> None:
    asyncio.run(happened(true))


async def settled(*tasks: asyncio.Task[Token]) -> list[Token | BaseException]:
    return await asyncio.gather(*tasks, return_exceptions=True)


def no_thread_of_ours() -> bool:
    return not any(thread.name.startswith("withings-auth") for thread in threading.enumerate())


@asynccontextmanager
async def lock_held(store: SecretStore) -> AsyncIterator[None]:
    """Somebody else holds the lock of the login."""
    with store.lock(NAME, 5):
        yield


class TestSingleFlight:
    def test_a_hundred_tasks_share_one_errand(self, store: Gated, sandbox: Sandbox, since: Since) -> None:
        """Statement 28: one thread looks into the store, one renews, and everybody has what it brought."""
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

    def test_a_hundred_tasks_with_a_good_token_read_the_store_once(self, store: Gated, sandbox: Sandbox) -> None:
        grant = log_in(store, sandbox)
        source = AsyncTokenSource(store=store)

        async def main() -> list[str]:
            return await asyncio.gather(*(source.access_token() for _ in range(100)))

        assert asyncio.run(main()) == [grant.access_token] * 100
        assert (len(store.threads), store.asked.count("load")) == (1, 1)

    def test_who_reports_another_token_as_rejected_has_an_errand_of_its_own(
        self, store: Gated, sandbox: Sandbox, since: Since
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

    def test_everybody_gets_the_same_error(self, store: Gated, sandbox: Sandbox, since: Since) -> None:
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

    def test_while_the_keyring_hangs(self, store: Gated, sandbox: Sandbox) -> None:
        """Statement 32: a keyring that waits for a person holds up nobody else."""
        grant = log_in(store, sandbox)
        store.gate.clear()

        async def main() -> Token:
            asking = asyncio.create_task(AsyncTokenSource(store=store).token())
            await happened(store.entered.is_set)
            assert not asking.done()
            store.gate.set()
            return await asking

        assert asyncio.run(main()) == grant.token

    def test_while_somebody_holds_the_lock(self, store: Gated, sandbox: Sandbox) -> None:
        log_in(store, sandbox, age=LIFE)

        async def main() -> Token:
            async with lock_held(store):
                asking = asyncio.create_task(AsyncTokenSource(store=store).token())
                await happened(store.entered.is_set)
                _, pending = await asyncio.wait([asking], timeout=0.7)  # longer than one look at the lock
                assert pending
            return await asking

        assert asyncio.run(main()) == load_grant(store, "default").token

    def test_while_withings_is_slow(self, store: Gated, sandbox: Sandbox, since: Since) -> None:
        log_in(store, sandbox, age=LIFE)
        sandbox.fail_next("slow", seconds=1.5)

        async def main() -> Token:
            asking = asyncio.create_task(AsyncTokenSource(store=store).token())
            await happened(lambda: since.refreshes == 1)
            assert not asking.done()
            return await asking

        assert asyncio.run(main()) == load_grant(store, "default").token


class TestCancelled:
    def test_the_others_get_their_token(self, store: Gated, sandbox: Sandbox, since: Since) -> None:
        """One caller of three goes away, the first one: it was not the errand."""
        log_in(store, sandbox, age=LIFE)
        store.gate.clear()

        async def main() -> list[Token | BaseException]:
            source = AsyncTokenSource(store=store)
            asking = [asyncio.create_task(source.token()) for _ in range(3)]
            await happened(store.entered.is_set)
            asking[0].cancel()
            await asyncio.wait([asking[0]])
            store.gate.set()
            return await settled(*asking)

        gone, *tokens = asyncio.run(main())
        assert isinstance(gone, asyncio.CancelledError)
        assert tokens == [load_grant(store, "default").token] * 2
        assert since.refreshes == 1

    def test_what_comes_after_all_have_gone_is_there_for_the_next(
        self, store: Gated, sandbox: Sandbox, since: Since
    ) -> None:
        """Statement 29: the new pair is saved, and the next call has it without another refresh."""
        log_in(store, sandbox, age=LIFE)
        sandbox.fail_next("slow", seconds=0.5)

        async def main() -> Token:
            source = AsyncTokenSource(store=store)
            asking = [asyncio.create_task(source.token()) for _ in range(3)]
            await happened(lambda: since.refreshes == 1)
            for task in asking:
                task.cancel()
            assert {type(outcome) for outcome in await settled(*asking)} == {asyncio.CancelledError}
            return await source.token()

        assert asyncio.run(main()) == load_grant(store, "default").token
        assert since.requests == since.refreshes == 1

    def test_while_it_waits_for_the_lock(self, store: Gated, sandbox: Sandbox, since: Since) -> None:
        """Who comes next joins the wait that goes on."""
        log_in(store, sandbox, age=LIFE)

        async def main() -> Token:
            source = AsyncTokenSource(store=store)
            async with lock_held(store):
                asking = asyncio.create_task(source.token())
                await happened(lambda: any(t.name == "withings-auth renewal" for t in threading.enumerate()))
                asking.cancel()
                assert [type(outcome) for outcome in await settled(asking)] == [asyncio.CancelledError]
                following = asyncio.create_task(source.token())
                await asyncio.sleep(0)
            return await following

        assert asyncio.run(main()) == load_grant(store, "default").token
        assert since.requests == since.refreshes == 1

    def test_any_way_of_having_no_patience(self, memory: Gated, sandbox: Sandbox, since: Since) -> None:
        """A time-out or a sibling's failure ends the wait at once, and takes nothing from the next caller."""

        async def by_wait_for(source: AsyncTokenSource) -> None:
            await asyncio.wait_for(source.token(), 0.01)

        async def by_timeout(source: AsyncTokenSource) -> None:
            async with asyncio.timeout(0.01):
                await source.token()

        async def by_group(source: AsyncTokenSource) -> None:
            async def fail() -> None:
                await happened(memory.entered.is_set)
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
        self, memory: Gated, sandbox: Sandbox, since: Since
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
            await happened(memory.entered.is_set)
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
        self, store: Gated, sandbox: Sandbox, since: Since
    ) -> None:
        """Statement 29: asyncio.run ends with a request under way; the next loop finds what it brought."""
        log_in(store, sandbox, age=LIFE)
        sandbox.fail_next("slow", seconds=0.5)
        source = AsyncTokenSource(store=store)

        async def first() -> None:
            asking = asyncio.create_task(source.token())
            await happened(lambda: since.refreshes == 1)
            assert not asking.done()

        asyncio.run(first())
        assert asyncio.run(source.token()) == load_grant(store, "default").token
        assert since.requests == since.refreshes == 1

    def test_at_the_end_of_the_loop_a_wait_for_the_lock_ends(
        self, store: Gated, sandbox: Sandbox, since: Since
    ) -> None:
        """Statement 32: nothing was sent, so nothing goes on."""
        log_in(store, sandbox, age=LIFE)

        async def main() -> None:
            asking = asyncio.create_task(AsyncTokenSource(store=store).token())
            await happened(lambda: any(t.name == "withings-auth renewal" for t in threading.enumerate()))
            assert not asking.done()

        with store.lock(NAME, 5):
            asyncio.run(main())
            until(no_thread_of_ours)
        assert since.requests == 0

    def test_a_loop_that_is_closed_under_an_errand(self, memory: Gated, sandbox: Sandbox) -> None:
        """Not by asyncio.run, and with nothing cancelled: the errand ends in silence, and another loop has its own."""
        grant = log_in(memory, sandbox)
        memory.gate.clear()
        source = AsyncTokenSource(store=memory)
        loop = asyncio.new_event_loop()
        with pytest.raises(TimeoutError):
            loop.run_until_complete(asyncio.wait_for(source.token(), 0.01))
        loop.close()
        memory.gate.set()
        until(no_thread_of_ours)
        assert asyncio.run(source.token()) == grant.token


class TestAnywhere:
    def test_two_loops_in_two_threads_share_a_source(self, store: Gated, sandbox: Sandbox, since: Since) -> None:
        """Statement 28: one refresh, for all tasks of both; no loop waits for the other one's errand."""
        log_in(store, sandbox, age=LIFE)
        source = AsyncTokenSource(store=store)
        together = threading.Barrier(2)
        found: list[Token] = []

        async def main() -> None:
            together.wait(10)
            found.extend(await asyncio.gather(*(source.token() for _ in range(10))))

        threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [load_grant(store, "default").token] * 20
        assert since.requests == since.refreshes == 1

    def test_one_loop_after_another(self, store: Gated, sandbox: Sandbox) -> None:
        """A source that was made where no loop runs works in each, and keeps its memory from one to the next."""
        grant = log_in(store, sandbox)
        source = AsyncTokenSource(store=store)
        assert [asyncio.run(source.access_token()) for _ in range(3)] == [grant.access_token] * 3
        assert store.asked.count("load") == 1

    def test_beside_the_blocking_one(self, store: Gated, sandbox: Sandbox, since: Since) -> None:
        """Statement 28: tasks, and threads that block, of one program cause one refresh."""
        log_in(store, sandbox, age=LIFE)
        blocking, source = TokenSource(store=store), AsyncTokenSource(store=store)

        async def main() -> list[Token]:
            return await asyncio.gather(
                *(source.token() for _ in range(5)), *(asyncio.to_thread(blocking.token) for _ in range(3))
            )

        assert set(asyncio.run(main())) == {load_grant(store, "default").token}
        assert since.requests == since.refreshes == 1

    def test_without_a_login_nobody_is_asked_for_one(self, store: Gated) -> None:
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

    def test_no_repr_tells_a_token(self, memory: Gated, sandbox: Sandbox, canaries: Canaries) -> None:
        """Statement 23: neither the source nor the errand that a debugger finds among the tasks shows one."""
        grant = log_in(memory, sandbox)
        memory.gate.clear()
        source = AsyncTokenSource(store=memory)

        async def main() -> None:
            asking = asyncio.create_task(source.token(rejected="a token that was refused"))
            await happened(memory.entered.is_set)
            said.append(f"{asyncio.all_tasks()!r} {vars(source)!r}")
            memory.gate.set()
            said.append(f"{await asking!r} {vars(source)!r}")

        said: list[str] = []
        asyncio.run(main())
        canaries.plant("refresh token", grant.refresh_token)
        canaries.plant("access token", grant.access_token)
        canaries.plant("rejected token", "a token that was refused")
        canaries.hear("a repr", " ".join(said))


class TestFastPath:
    def test_a_token_in_memory_costs_one_stamp_and_no_switch_of_tasks(self, store: Gated, sandbox: Sandbox) -> None:
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

    def test_it_is_a_matter_of_microseconds(self, sandbox: Sandbox, directory: Path) -> None:
        store = FileStore(directory)
        log_in(store, sandbox)
        source = AsyncTokenSource(store=store)

        async def seconds_for_100() -> float:
            started = time.perf_counter()
            for _ in range(100):
                await source.access_token()
            return time.perf_counter() - started

        async def main() -> float:
            await source.access_token()
            return min([await seconds_for_100() for _ in range(5)])

        assert asyncio.run(main()) / 100 < 100e-6  # a few in fact; ten times that on a machine with other things to do

    def test_what_another_program_does_is_noticed_at_the_next_call(self, store: Gated, sandbox: Sandbox) -> None:
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

    def test_a_rejected_token_is_not_handed_out_of_memory(self, store: Gated, sandbox: Sandbox, since: Since) -> None:
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
    """Statement 23: no cycle keeps a secret alive until the collector comes by, and no thread or errand stays."""

    @staticmethod
    def held() -> int:
        return sum(isinstance(one, Grant | Call | AsyncTokenSource) for one in gc.get_objects())

    @pytest.fixture
    def left_by(self, sandbox: Sandbox) -> Iterator[Callable[..., bool]]:
        """Has something done with a source, and tells whether anything of it is left."""

        def play(act: Callable[[AsyncTokenSource, Gated], Awaitable[object]], *, refused: bool = False) -> bool:
            async def main() -> None:
                store = Gated(MemoryStore())
                refresh_token = log_in(store, sandbox, age=LIFE).refresh_token
                if refused:
                    sandbox.kill_refresh_token(refresh_token)
                await act(AsyncTokenSource(store=store), store)
                await happened(no_thread_of_ours)
                await happened(lambda: len(asyncio.all_tasks()) == 1)

            gc.collect()
            before = self.held()
            asyncio.run(main())
            return self.held() > before

        gc.disable()
        yield play
        gc.enable()

    def test_after_a_renewal(self, left_by: Callable[..., bool]) -> None:
        async def act(source: AsyncTokenSource, _: Gated) -> None:
            await source.token()
            await source.token()

        assert not left_by(act)

    def test_after_an_error(self, left_by: Callable[..., bool]) -> None:
        async def act(source: AsyncTokenSource, _: Gated) -> None:
            with suppress(LoginRequired):
                await source.token()

        assert not left_by(act, refused=True)

    @pytest.mark.parametrize("refused", [False, True])
    def test_after_everybody_has_gone(self, left_by: Callable[..., bool], refused: bool) -> None:
        """Also where the errand fails then, and nobody takes the error."""

        async def act(source: AsyncTokenSource, store: Gated) -> None:
            store.gate.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(source.token(), 0.01)
            store.gate.set()

        assert not left_by(act, refused=refused)

    @pytest.mark.parametrize("refused", [False, True])
    def test_after_an_errand_that_was_cut_off(self, left_by: Callable[..., bool], refused: bool) -> None:
        """The errand's task is cancelled at the end of a loop; its thread goes on, and takes all along at its end."""

        async def act(source: AsyncTokenSource, store: Gated) -> None:
            store.gate.clear()
            asking = asyncio.create_task(source.token())
            await happened(store.entered.is_set)
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await settled(asking)
            store.gate.set()

        assert not left_by(act, refused=refused)


# What programs do: the first argument is the store's directory.
PROGRAM = """
import asyncio, sys
from pathlib import Path
from withings_auth import AsyncTokenSource
from withings_auth.store.file_store import FileStore

source = AsyncTokenSource(store=FileStore(Path(sys.argv[1])))
"""
ENDS_BY_A_TIME_OUT = """
async def main():
    try:
        await asyncio.wait_for(source.token(), 0.5)
    except TimeoutError:
        sys.exit(7)
asyncio.run(main())
"""
LEAVES_ITS_LOOP = """
loop = asyncio.new_event_loop()
try:
    loop.run_until_complete(asyncio.wait_for(source.token(), 0.5))
except TimeoutError:
    sys.exit(7)
"""
CLOSES_ITS_LOOP = LEAVES_ITS_LOOP.replace("    sys.exit", "    loop.close(); sys.exit")
FORKS = """
import os
from withings_auth.store.file_store import FileStore

def log_out():
    with FileStore(Path(sys.argv[1])).lock("token/default", 5) as held:
        return held.clear()

def child(is_right):
    if (pid := os.fork()) == 0:
        os._exit(0 if is_right() else 1)
    return os.waitpid(pid, 0)[1]

first = asyncio.run(source.token())
print(child(lambda: asyncio.run(source.token()) == first))
print(child(lambda: log_out()))
try:
    asyncio.run(source.token())
except Exception as error:
    print(type(error).__name__)
"""
FORKS_IN_THE_MIDDLE = """
import os

async def main():
    asking = asyncio.create_task(source.token())
    await asyncio.sleep(0)
    print("asking", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    if (pid := os.fork()) == 0:
        import threading
        found = []
        thread = threading.Thread(target=lambda: found.append(asyncio.run(source.token())))
        thread.start()
        thread.join()
        sys.stdout.write(f"{len(found)}\\n")
        sys.stdout.flush()
        os._exit(0)
    await asking
    print(os.waitpid(pid, 0)[1])
asyncio.run(main())
"""
EAGER = """
async def main():
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    first = await asyncio.gather(*(source.token() for _ in range(5)))
    again = await asyncio.gather(*(source.token(rejected="another") for _ in range(5)))
    print(len({*first, *again}))
asyncio.run(main())
"""
WAITS = """
asyncio.run(source.token())
"""
ALL_SORTS = """
async def main():
    for impatience in (0.001, 0.05, 20):
        try:
            async with asyncio.timeout(impatience):
                tokens = await asyncio.gather(*(source.token(rejected=r) for r in (None, "another") for _ in range(20)))
        except TimeoutError:
            pass
    asyncio.create_task(source.token(rejected=tokens[0].access_token))
    print(len(set(tokens)))
asyncio.run(main())
"""


class TestProcess:
    @pytest.fixture
    def store(self, directory: Path) -> FileStore:
        return FileStore(directory)

    def test_ctrl_c_while_the_answer_is_on_its_way(
        self, cli: Cli, store: FileStore, directory: Path, sandbox: Sandbox, since: Since
    ) -> None:
        """Statement 29: asyncio.run ends, the pair is saved, and the process ends with nothing said by our threads."""
        log_in(store, sandbox, age=LIFE)
        sandbox.fail_next("slow", seconds=1.5)
        program = cli.using(sys.executable, "-c").start(PROGRAM + WAITS, str(directory))
        until(lambda: since.refreshes == 1)
        program.signal(signal.SIGINT)
        ended = program.wait(seconds=15)
        assert ended.returncode == -signal.SIGINT
        assert ended.stderr.endswith("\nKeyboardInterrupt\n")
        assert "Exception ignored" not in ended.stderr
        assert "Exception in thread" not in ended.stderr
        saved = load_grant(store, "default")
        assert saved.refresh_token == sandbox.live_refresh_tokens[-1]
        assert TokenSource(store=store).token() == saved.token
        assert since.requests == since.refreshes == 1

    @pytest.mark.parametrize(
        "end", [ENDS_BY_A_TIME_OUT, LEAVES_ITS_LOOP, CLOSES_ITS_LOOP], ids=["asyncio.run", "left", "closed"]
    )
    def test_a_program_that_does_not_wait_ends_though_the_lock_is_held(
        self, cli: Cli, store: FileStore, directory: Path, sandbox: Sandbox, since: Since, end: str
    ) -> None:
        """Statement 32: however the program leaves its loop, it does not hang for as long as the lock is waited for."""
        log_in(store, sandbox, age=LIFE)
        with file_lock(directory / "token" / "default.lock", 5):
            ended = cli.using(sys.executable, "-c")(PROGRAM + end, str(directory), seconds=15)
        assert ended.returncode == 7, (ended, since.requests)
        assert "Traceback" not in ended.stderr  # only asyncio's own word on a loop that is left with a task pending
        assert since.requests == 0

    def test_asyncio_in_debug_mode_has_nothing_to_complain_about(
        self, cli: Cli, store: FileStore, directory: Path, sandbox: Sandbox
    ) -> None:
        """No task is destroyed while it is pending, no exception is left unseen, no callback is slow."""
        log_in(store, sandbox, age=LIFE)
        ended = cli.using(sys.executable, "-X", "dev", "-W", "error", "-c")(
            PROGRAM + ALL_SORTS, str(directory), env={"PYTHONASYNCIODEBUG": "1"}
        )
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "1\n", "")

    def test_forked_children(self, cli: Cli, store: FileStore, directory: Path, sandbox: Sandbox, since: Since) -> None:
        """After a fork each has its own copy, with what was in memory; what the child does, the parent notices."""
        log_in(store, sandbox, age=LIFE)
        ended = cli.using(sys.executable, "-c")(PROGRAM + FORKS, str(directory))
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "0\n0\nLoginRequired\n", "")
        assert since.requests == since.refreshes == 1

    def test_a_fork_while_an_errand_is_under_way(
        self, cli: Cli, store: FileStore, directory: Path, sandbox: Sandbox, since: Since
    ) -> None:
        """Statement 28: the child does not wait for a task that only the parent has; it has what the parent renews."""
        log_in(store, sandbox, age=LIFE)
        sandbox.fail_next("slow", seconds=2)
        program = cli.using(sys.executable, "-c").start(PROGRAM + FORKS_IN_THE_MIDDLE, str(directory), stdin=True)
        program.stdout.line("asking")
        until(lambda: since.refreshes == 1)
        program.type("\n")
        ended = program.wait()
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "asking\n1\n0\n", "")
        assert since.requests == since.refreshes == 1

    if sys.version_info >= (3, 12):

        def test_tasks_that_start_eagerly(self, cli: Cli, store: FileStore, directory: Path, sandbox: Sandbox) -> None:
            """A task's first step can run where it is made: errands are shared all the same."""
            log_in(store, sandbox)
            ended = cli.using(sys.executable, "-c")(PROGRAM + EAGER, str(directory))
            assert (ended.returncode, ended.stdout, ended.stderr) == (0, "1\n", "")
