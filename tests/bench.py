"""What things cost, each against something that the same machine does in the same moment: `make bench`.

A cost is a ratio, the median over several rounds, so that neither a slow machine nor a busy one changes it much. Each
has a budget; when one is exceeded the exit code is 1. All happens in a temporary home, with a sandbox for Withings.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.support import isolation
from tests.support.stores import save_record
from withings_auth.model import App, Grant
from withings_auth.sandbox import Sandbox
from withings_auth.store import open_named_store
from withings_auth.store.base import SecretStore
from withings_auth.store.file_store import FileStore
from withings_auth.store.records import app_name, load_grant, token_name
from withings_auth.tokens.source import AsyncTokenSource, TokenSource

TOKEN = token_name("default")
LIFE_SECONDS = 10_800
CALLERS = 16
ROUNDS = 9
CALLS = 2000

Seconds = float
Timing = Callable[[], Seconds]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What something costs against something else, and how many times as much it may be."""

    what: str
    run: Timing
    against: str
    base: Timing
    budget: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was measured: the medians."""

    cost: Cost
    seconds: Seconds
    ratio: float


def main(arguments: list[str]) -> int:
    """Measures, shows the table, and returns 1 if a budget was exceeded."""
    parser = argparse.ArgumentParser(prog="bench", description="Holds the costs to their budgets.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often everything is measured")
    parser.add_argument("--calls", type=int, default=CALLS, help="how many calls make up one round of the fast paths")
    parser.add_argument("--leeway", type=float, default=1.0, help="by what every budget is multiplied")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="withings-auth-bench-") as home, contextlib.ExitStack() as running:
        isolated = isolation.environment(Path(home), os.environ)
        os.environ.clear()
        os.environ.update(isolated)
        costs = [*fast_paths(Path(home), asked.calls), *starts(Path(home), running), *renewals(Path(home), running)]
        found = measured(costs, asked.rounds)
    print(*table(found, asked.leeway), sep="\n")
    return int(any(one.ratio > one.cost.budget * asked.leeway for one in found))


def measured(costs: list[Cost], rounds: int) -> list[Found]:
    """Measures everything once a round, each beside what it is compared with."""
    taken: list[list[tuple[Seconds, Seconds]]] = [[] for _ in costs]
    for _ in range(rounds):
        for cost, times in zip(costs, taken, strict=True):
            base = cost.base()
            times.append((cost.run(), base))
    return [
        Found(
            cost=cost,
            seconds=statistics.median(run for run, _ in times),
            ratio=statistics.median(run / base for run, base in times),
        )
        for cost, times in zip(costs, taken, strict=True)
    ]


def table(found: list[Found], leeway: float) -> Iterator[str]:
    """The lines for a person: what, how long, how many times as much as what, and the budget."""
    yield f"{'what':<46} {'takes':>10}  {'times':>6}  {'budget':>6}  of"
    for one in found:
        budget = one.cost.budget * leeway
        over = "  EXCEEDED" if one.ratio > budget else ""
        yield f"{one.cost.what:<46} {shown(one.seconds):>10}  {one.ratio:6.1f}  {budget:6.1f}  {one.cost.against}{over}"


def shown(seconds: Seconds) -> str:
    """A duration in the unit that suits it."""
    return f"{seconds * 1e6:.2f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.1f} ms"


def repeated(function: Callable[[], object], calls: int) -> Timing:
    """How long one of many calls in a row takes."""

    def timing() -> Seconds:
        began = time.perf_counter()
        for _ in range(calls):
            function()
        return (time.perf_counter() - began) / calls

    return timing


def best(timing: Timing, *, of: int = 3) -> Timing:
    """The shortest of a few times: what others do on the machine only makes them longer."""
    return lambda: min(timing() for _ in range(of))


def started(*arguments: str, waiting: bool = False, **changes: str) -> Timing:
    """The processor's time for a Python with these arguments; with `waiting` the time from its start to its end."""

    def timing() -> Seconds:
        began, used = time.perf_counter(), used_by_children()
        subprocess.run(
            [sys.executable, *arguments], env=os.environ | changes, stdout=subprocess.DEVNULL, timeout=60, check=True
        )
        return time.perf_counter() - began if waiting else used_by_children() - used

    return timing


def used_by_children() -> Seconds:
    """The processor's time for all processes that were started and have ended: a busy machine does not change it."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def log_in(store: SecretStore) -> None:
    """Saves a login whose token is good for hours."""
    now = int(time.time())
    grant = Grant(
        access_token="a" * 40,
        refresh_token="r" * 40,
        obtained_at=now,
        expires_at=now + LIFE_SECONDS,
        scopes=("user.info",),
        userid="38210457",
        client_id="an-app",
        token_url="https://wbsapi.withings.net/v2/oauth2",
    )
    save_record(store, app_name("an-app"), App(client_id="an-app", client_secret="s" * 64).written())
    save_record(store, TOKEN, grant.written())


def fast_paths(home: Path, calls: int) -> Iterator[Cost]:
    """A token from memory: one look at the store, and little else."""
    directory = home / "fast"
    store = FileStore(directory)
    log_in(store)
    record = str(directory / f"{TOKEN}.json")
    source, asynchronous = TokenSource(store=store), AsyncTokenSource(store=store)
    source.token()
    blocking = repeated(source.token, calls)

    def awaited() -> Seconds:
        async def timing() -> Seconds:
            await asynchronous.token()
            began = time.perf_counter()
            for _ in range(calls):
                await asynchronous.token()
            return (time.perf_counter() - began) / calls

        return asyncio.run(timing())

    one_stat = repeated(lambda: os.stat(record), calls)  # noqa: PTH116  what is measured is os.stat
    yield Cost(what="TokenSource.token()", run=blocking, against="os.stat", base=one_stat, budget=5)
    yield Cost(
        what="await AsyncTokenSource.token()", run=awaited, against="TokenSource.token()", base=blocking, budget=2
    )


def starts(home: Path, running: contextlib.ExitStack) -> Iterator[Cost]:
    """Programs from their start to their end, with a valid token in the store."""
    bare, keyring = started("-c", "pass"), started("-c", "import keyring")
    store = f"file:{home / 'starts'}"
    log_in(open_named_store(store, home))
    token = started("-m", "withings_auth", "token", WITHINGS_AUTH_STORE=store)
    door = started("-c", "import withings_auth")
    yield Cost(what="import withings_auth", run=door, against="python -c pass", base=bare, budget=2.5)
    yield Cost(what="withings-auth token, files", run=token, against="python -c pass", base=bare, budget=8)
    yield Cost(what="withings-auth token, files", run=token, against="import keyring", base=keyring, budget=1)
    environ = secret_service(running)
    if environ:
        os.environ.update(environ)
        del os.environ["PYTHON_KEYRING_BACKEND"]
        log_in(open_named_store("keyring", home / ".local" / "state" / "withings-auth"))
        what = "withings-auth token, Secret Service"
        token = started("-m", "withings_auth", "token")
        yield Cost(what=what, run=token, against="import keyring", base=keyring, budget=3)
        token, keyring = (
            started("-m", "withings_auth", "token", waiting=True),
            started("-c", "import keyring", waiting=True),
        )
        yield Cost(what=f"{what}, elapsed", run=token, against="import keyring", base=keyring, budget=3)


def secret_service(running: contextlib.ExitStack) -> dict[str, str]:
    """Starts a real keyring where this machine has one; what leads a program to it, or nothing."""
    if not all(shutil.which(program) for program in ("dbus-daemon", "gnome-keyring-daemon")):
        return {}
    from tests.support import keyring_daemon  # here, because it needs a machine that can have one

    service = running.enter_context(keyring_daemon.SecretService())
    return {name: value for name, value in service.environ.items() if value is not None}


def renewals(home: Path, running: contextlib.ExitStack) -> Iterator[Cost]:
    """Renewals of an expired token, over a real socket."""
    sandbox = running.enter_context(Sandbox())
    store = FileStore(home / "renewals")
    app = App(client_id=sandbox.client_id, client_secret=sandbox.client_secret)
    pair = sandbox.issue_pair()
    grant = Grant(
        access_token=pair.access_token,
        refresh_token=pair.refresh_token,
        obtained_at=int(time.time()),
        expires_at=int(time.time()) + LIFE_SECONDS,
        scopes=pair.scopes,
        userid=str(pair.userid),
        client_id=app.client_id,
        token_url=sandbox.endpoints.token_url,
    )
    save_record(store, app_name(app.client_id), app.written())
    save_record(store, TOKEN, grant.written())

    def callers(number: int) -> Timing:
        def timing() -> Seconds:
            expired = dataclasses.replace(
                load_grant(store, "default"),
                obtained_at=int(time.time()) - LIFE_SECONDS,
                expires_at=int(time.time()) - 1,
            )
            save_record(store, TOKEN, expired.written())
            sandbox.advance(60)  # it answers 120 requests a minute
            tokens: set[str] = set()
            threads = [
                threading.Thread(target=lambda: tokens.add(TokenSource(store=store).access_token()))
                for _ in range(number)
            ]
            began = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            took = time.perf_counter() - began
            if len(tokens) != 1 or tokens == {expired.access_token}:
                raise SystemExit("the token was not renewed once, for all")
            return took

        return timing

    async def post_twice() -> None:
        async with aiohttp.ClientSession() as session:
            for _ in range(2):
                async with session.post(grant.token_url, data={"action": "nothing"}) as response:
                    await response.read()

    two_posts = repeated(lambda: asyncio.run(post_twice()), 1)
    yield Cost(
        what="a renewal", run=best(callers(1)), against="two bare POSTs with aiohttp", base=best(two_posts), budget=8
    )
    yield Cost(
        what=f"{CALLERS} callers, one renewal",
        run=best(callers(CALLERS)),
        against="one caller",
        base=best(callers(1)),
        budget=12,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
