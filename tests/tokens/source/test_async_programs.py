"""Whole programs that hold an `AsyncTokenSource`: interrupted, left early, forked, in debug mode."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.support.programs import Cli
from tests.tokens.source.watched import (
    LIFE,
    Since,
    block_until,
    log_in,
)
from withings_auth.sandbox import Sandbox
from withings_auth.store.file_store import FileStore
from withings_auth.store.lock import file_lock
from withings_auth.store.records import load_grant
from withings_auth.tokens.source import TokenSource

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
import os, warnings

# Python 3.12 and newer warn of the threads of the task, and of the program's own one that reads stdin.
warnings.simplefilter("ignore", DeprecationWarning)

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
    asyncio.get_running_loop().slow_callback_duration = 10  # a busy machine is slow
    for impatience in (0.001, 0.05, 60):
        try:
            async with asyncio.timeout(impatience):
                tokens = await asyncio.gather(*(source.token(rejected=r) for r in (None, "another") for _ in range(20)))
        except TimeoutError:
            pass
    asyncio.create_task(source.token(rejected=tokens[0].access_token))
    print(len(set(tokens)))
asyncio.run(main())
"""


@pytest.mark.usefixtures("unmeasured")
class TestProcess:
    @pytest.fixture
    def store(self, directory: Path) -> FileStore:
        return FileStore(directory)

    def test_ctrl_c_while_the_answer_is_on_its_way(
        self, cli: Cli, store: FileStore, directory: Path, sandbox: Sandbox, since: Since
    ) -> None:
        """Statement 29: asyncio.run ends, the pair is saved, and the process ends with nothing said by our threads."""
        log_in(store, sandbox, age=LIFE)
        sandbox.fail_next("slow", seconds=3)
        program = cli.using(sys.executable, "-c").start(PROGRAM + WAITS, str(directory))
        block_until(lambda: since.refreshes == 1)
        program.signal(signal.SIGINT)
        ended = program.wait(seconds=60)
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
            ended = cli.using(sys.executable, "-c")(PROGRAM + end, str(directory), seconds=60)
        assert ended.returncode == 7, (ended, since.requests)
        assert "Traceback" not in ended.stderr  # only asyncio's own word on a loop that is left with a task pending
        assert since.requests == 0

    def test_asyncio_in_debug_mode_has_nothing_to_complain_about(
        self, cli: Cli, store: FileStore, directory: Path, sandbox: Sandbox
    ) -> None:
        """No task is destroyed while pending, and no exception is left unseen."""
        log_in(store, sandbox, age=LIFE)
        ended = cli.using(sys.executable, "-X", "dev", "-W", "error", "-c")(
            PROGRAM + ALL_SORTS, str(directory), env={"PYTHONASYNCIODEBUG": "1"}
        )
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "1\n", "")

    def test_forked_children(self, cli: Cli, store: FileStore, directory: Path, sandbox: Sandbox, since: Since) -> None:
        """After a fork each has its own copy, with what was in memory; what the child does, the parent notices."""
        log_in(store, sandbox, age=LIFE)
        ended = cli.by(PROGRAM + FORKS)(str(directory))
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "0\n0\nLoginRequired\n", "")
        assert since.requests == since.refreshes == 1

    def test_a_fork_while_a_task_is_running(
        self, cli: Cli, store: FileStore, directory: Path, sandbox: Sandbox, since: Since
    ) -> None:
        """Statement 28: the child does not wait for a task that only the parent has; it has what the parent renews."""
        log_in(store, sandbox, age=LIFE)
        sandbox.fail_next("slow", seconds=3)
        program = cli.by(PROGRAM + FORKS_IN_THE_MIDDLE).start(str(directory), stdin=True)
        program.stdout.line("asking")
        block_until(lambda: since.refreshes == 1)
        program.type("\n")
        ended = program.wait()
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "asking\n1\n0\n", "")
        assert since.requests == since.refreshes == 1

    if sys.version_info >= (3, 12):

        def test_tasks_that_start_eagerly(self, cli: Cli, store: FileStore, directory: Path, sandbox: Sandbox) -> None:
            """A task's first step can run when it is created: tasks are shared all the same."""
            log_in(store, sandbox)
            ended = cli.by(PROGRAM + EAGER)(str(directory))
            assert (ended.returncode, ended.stdout, ended.stderr) == (0, "1\n", "")
