"""A store that is watched, the counts of a sandbox, and ways to wait: what the tests of both sources use."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager

from tests.support.stores import Wrapped, save_record
from withings_auth.model import App, Grant, Token
from withings_auth.sandbox import Sandbox
from withings_auth.store.base import SecretStore
from withings_auth.store.records import app_name, token_name

NAME = token_name("default")
LIFE = 10_800
PATIENCE_SECONDS = 60.0  # for what only has to happen


class WatchedStore(Wrapped):
    """Counts what it is asked, knows which threads asked, and answers no load while its gate is closed.

    A closed gate is a keyring that hangs.
    """

    def __init__(self, inner: SecretStore) -> None:
        super().__init__(inner)
        self.asked: list[str] = []
        self.threads: set[threading.Thread] = set()
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def load(self, name: str) -> str | None:
        self.asked.append("load")
        self.threads.add(threading.current_thread())
        self.entered.set()
        assert self.gate.wait(PATIENCE_SECONDS), "the loop was blocked, or nobody opened the gate"
        return super().load(name)

    def stamp(self, name: str) -> Hashable:
        self.asked.append("stamp")
        return super().stamp(name)


class Since:
    """What a sandbox has counted since the test began."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._before = sandbox.counters

    @property
    def refreshes(self) -> int:
        return self._sandbox.counters.refreshes - self._before.refreshes

    @property
    def requests(self) -> int:
        return self._sandbox.counters.token_requests - self._before.token_requests


def log_in(store: SecretStore, sandbox: Sandbox, *, age: int = 60, profile: str = "default") -> Grant:
    """Saves a login that is so many seconds old."""
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
    save_record(store, token_name(profile), grant.to_record())
    save_record(store, app_name(app.client_id), app.to_record())
    return grant


async def wait_until(true: Callable[[], bool]) -> None:
    """Waits, in the loop, until something has happened outside of it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.005)


def block_until(true: Callable[[], bool]) -> None:
    """Waits without a loop until something has happened."""
    asyncio.run(wait_until(true))


async def settle(*tasks: asyncio.Task[Token]) -> list[Token | BaseException]:
    """Returns what the tasks return or raise."""
    return await asyncio.gather(*tasks, return_exceptions=True)


def no_thread_of_ours() -> bool:
    return not any(thread.name.startswith("withings-auth") for thread in threading.enumerate())


@asynccontextmanager
async def hold_lock(store: SecretStore) -> AsyncIterator[None]:
    """Holds the lock of the login, as another program would."""
    with store.lock(NAME, 5):
        yield
