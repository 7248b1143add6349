"""Measures what things cost, each against a reference on the same machine at the same moment: `make bench`.

A cost is a ratio, the median of several rounds, so that a slow or busy machine does not change it much. Each has a
budget; if one is exceeded, the exit code is 1. It all runs in a temporary home, with a sandbox instead of Withings.
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
    """Something to measure, its reference, and how many times as long it may take."""

    what: str
    run: Timing
    against: str
    base: Timing
    budget: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The medians of what was measured."""

    cost: Cost
    seconds: Seconds
    ratio: float


def main(arguments: list[str]) -> int:
    """Measures, prints the table, and returns 1 if a budget was exceeded."""
    parser = argparse.ArgumentParser(prog="bench", description="Measures costs against budgets.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often to measure everything")
    parser.add_argument("--calls", type=int, default=CALLS, help="how many calls of the fast paths make up a round")
    parser.add_argument("--leeway", type=float, default=1.0, help="multiply every budget by this")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="withings-auth-bench-") as home, contextlib.ExitStack() as running:
        isolated = isolation.environment(Path(home), os.environ)
        os.environ.clear()
        os.environ.update(isolated)
        costs = [*fast_paths(Path(home), options.calls), *starts(Path(home), running), *renewals(Path(home), running)]
        found = measure(costs, options.rounds)
    print(*table(found, options.leeway), sep="\n")
    return int(any(one.ratio > one.cost.budget * options.leeway for one in found))


def measure(costs: list[Cost], rounds: int) -> list[Measured]:
    """Measures everything once a round, each next to its reference."""
    times_of: list[list[tuple[Seconds, Seconds]]] = [[] for _ in costs]
    for _ in range(rounds):
        for cost, times in zip(costs, times_of, strict=True):
            base = cost.base()
            times.append((cost.run(), base))
    return [
        Measured(
            cost=cost,
            seconds=statistics.median(run for run, _ in times),
            ratio=statistics.median(run / base for run, base in times),
        )
        for cost, times in zip(costs, times_of, strict=True)
    ]


def table(found: list[Measured], leeway: float) -> Iterator[str]:
    """Yields the lines of the table: what, how long, how many times as long as what, and the budget."""
    yield f"{'what':<46} {'takes':>10}  {'times':>6}  {'budget':>6}  of"
    for one in found:
        budget = one.cost.budget * leeway
        reference = one.cost.against + ("  EXCEEDED" if one.ratio > budget else "")
        yield f"{one.cost.what:<46} {in_unit(one.seconds):>10}  {one.ratio:6.1f}  {budget:6.1f}  {reference}"


def in_unit(seconds: Seconds) -> str:
    """Returns a duration in a suitable unit."""
    return f"{seconds * 1e6:.2f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.1f} ms"


def time_calls(function: Callable[[], object], calls: int) -> Timing:
    """Measures one of many calls in a row."""

    def timing() -> Seconds:
        began = time.perf_counter()
        for _ in range(calls):
            function()
        return (time.perf_counter() - began) / calls

    return timing


def best(timing: Timing, *, of: int = 3) -> Timing:
    """Takes the shortest of a few measurements, since other programs only make them longer."""
    return lambda: min(timing() for _ in range(of))


def time_python(*arguments: str, waiting: bool = False, **changes: str) -> Timing:
    """Measures the CPU time of a Python with these arguments, or its elapsed time with `waiting`."""

    def timing() -> Seconds:
        began, used = time.perf_counter(), used_by_children()
        subprocess.run(
            [sys.executable, *arguments], env=os.environ | changes, stdout=subprocess.DEVNULL, timeout=60, check=True
        )
        return time.perf_counter() - began if waiting else used_by_children() - used

    return timing


def used_by_children() -> Seconds:
    """Returns the CPU time of all child processes that have ended, which a busy machine does not change."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def log_in(store: SecretStore) -> None:
    """Saves a login with a token that is valid for hours."""
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
    save_record(store, app_name("an-app"), App(client_id="an-app", client_secret="s" * 64).to_record())
    save_record(store, TOKEN, grant.to_record())


def fast_paths(home: Path, calls: int) -> Iterator[Cost]:
    """A token from memory: one look at the store and little else."""
    directory = home / "fast"
    store = FileStore(directory)
    log_in(store)
    record = str(directory / f"{TOKEN}.json")
    source, asynchronous = TokenSource(store=store), AsyncTokenSource(store=store)
    source.token()
    blocking = time_calls(source.token, calls)

    def await_token() -> Seconds:
        async def timing() -> Seconds:
            await asynchronous.token()
            began = time.perf_counter()
            for _ in range(calls):
                await asynchronous.token()
            return (time.perf_counter() - began) / calls

        return asyncio.run(timing())

    one_stat = time_calls(lambda: os.stat(record), calls)  # noqa: PTH116  what is measured is os.stat
    yield Cost(what="TokenSource.token()", run=blocking, against="os.stat", base=one_stat, budget=5)
    yield Cost(
        what="await AsyncTokenSource.token()", run=await_token, against="TokenSource.token()", base=blocking, budget=2
    )


def starts(home: Path, running: contextlib.ExitStack) -> Iterator[Cost]:
    """Programs from start to end, with a valid token in the store."""
    bare, keyring = time_python("-c", "pass"), time_python("-c", "import keyring")
    store = f"file:{home / 'starts'}"
    log_in(open_named_store(store, home))
    token = time_python("-m", "withings_auth", "token", WITHINGS_AUTH_STORE=store)
    door = time_python("-c", "import withings_auth")
    yield Cost(what="import withings_auth", run=door, against="python -c pass", base=bare, budget=2.5)
    yield Cost(what="withings-auth token, files", run=token, against="python -c pass", base=bare, budget=8)
    yield Cost(what="withings-auth token, files", run=token, against="import keyring", base=keyring, budget=1)
    environ = secret_service(running)
    if environ:
        os.environ.update(environ)
        del os.environ["PYTHON_KEYRING_BACKEND"]
        log_in(open_named_store("keyring", home / ".local" / "state" / "withings-auth"))
        what = "withings-auth token, Secret Service"
        token = time_python("-m", "withings_auth", "token")
        yield Cost(what=what, run=token, against="import keyring", base=keyring, budget=3)
        token, keyring = (
            time_python("-m", "withings_auth", "token", waiting=True),
            time_python("-c", "import keyring", waiting=True),
        )
        yield Cost(what=f"{what}, elapsed", run=token, against="import keyring", base=keyring, budget=3)


def secret_service(running: contextlib.ExitStack) -> dict[str, str]:
    """Starts a real keyring if this machine has one; returns the variables that make a program find it."""
    if not all(shutil.which(program) for program in ("dbus-daemon", "gnome-keyring-daemon")):
        return {}
    from tests.support import keyring_daemon  # here, because only some machines can have one

    service = running.enter_context(keyring_daemon.SecretService())
    return {name: value for name, value in service.environ.items() if value is not None}


def renewals(home: Path, running: contextlib.ExitStack) -> Iterator[Cost]:
    """Renewals of an expired token over a real socket."""
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
    save_record(store, app_name(app.client_id), app.to_record())
    save_record(store, TOKEN, grant.to_record())

    def callers(number: int) -> Timing:
        def timing() -> Seconds:
            expired = dataclasses.replace(
                load_grant(store, "default"),
                obtained_at=int(time.time()) - LIFE_SECONDS,
                expires_at=int(time.time()) - 1,
            )
            save_record(store, TOKEN, expired.to_record())
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
                raise SystemExit("the token was not renewed exactly once")
            return took

        return timing

    async def post_twice() -> None:
        async with aiohttp.ClientSession() as session:
            for _ in range(2):
                async with session.post(grant.token_url, data={"action": "nothing"}) as response:
                    await response.read()

    two_posts = time_calls(lambda: asyncio.run(post_twice()), 1)
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
