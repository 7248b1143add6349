"""What is measured, and the budgets."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from tests.bench.timing import Cost, Seconds, Timing, best, time_calls, time_python
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
    bare = time_python("-c", "pass")
    store = f"file:{home / 'starts'}"
    log_in(open_named_store(store, home))
    token = time_python("-m", "withings_auth", "token", WITHINGS_AUTH_STORE=store)
    door = time_python("-c", "import withings_auth")
    yield Cost(what="import withings_auth", run=door, against="python -c pass", base=bare, budget=2.5)
    yield Cost(what="withings-auth token, files", run=token, against="python -c pass", base=bare, budget=3)
    environ = secret_service(running)
    if environ:
        os.environ.update(environ)
        del os.environ["PYTHON_KEYRING_BACKEND"]
        log_in(open_named_store("keyring", home / ".local" / "state" / "withings-auth"))
        for waiting in (False, True):
            yield Cost(
                what=f"withings-auth token, Secret Service{', elapsed' * waiting}",
                run=time_python("-m", "withings_auth", "token", waiting=waiting),
                against="keyring get",
                base=time_python("-m", "keyring", "get", f"withings-auth/{TOKEN}", "withings-auth", waiting=waiting),
                budget=0.35,
            )


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
