"""A hundred profiles in a database, renewed by eight workers: none of them waits for another."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from tests.support.places import Place, Reply, Seen, envelope
from tests.support.stores import save_record
from withings_auth import TokenSource
from withings_auth.config.settings import open_store
from withings_auth.model import App, Grant
from withings_auth.record import TOKEN_PATH
from withings_auth.store.records import app_name, load_grant, token_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.postgresql import Server
    from tests.support.programs import Cli
    from withings_auth.store.base import SecretStore

pytestmark = pytest.mark.usefixtures("unmeasured")

WORKERS = 8
PROFILES = [f"patient-{number:03}" for number in range(100)]
SHARES = [PROFILES[first::WORKERS] for first in range(WORKERS)]
LIFE = 10_800
PROGRAM = """
import sys
from withings_auth import TokenSource
for profile in sys.argv[1:]:
    print(TokenSource(profile).access_token())
"""


class Withings(Place):
    """Answers no renewal before all workers have sent one: if one of them waited for another, all would wait here."""

    def __init__(self) -> None:
        super().__init__()
        self.everybody = threading.Barrier(WORKERS)
        self.together = len(PROFILES) // WORKERS * WORKERS
        self.sent: list[str] = []
        self._lock = threading.Lock()
        self.answer = self._answer

    def _answer(self, seen: Seen) -> Reply:
        (refresh_token,) = parse_qs(seen.body.decode())["refresh_token"]
        with self._lock:
            self.sent.append(refresh_token)
            number = len(self.sent)
        if number <= self.together:
            self.everybody.wait(60)
        profile = refresh_token.removeprefix("refresh-")
        return envelope(
            0,
            access_token=f"renewed-{profile}",
            refresh_token=f"next-{profile}",
            expires_in=LIFE,
            userid=38210457,
            scope="user.metrics",
        )


@pytest.fixture
def withings() -> Iterator[Withings]:
    with Withings() as withings:
        yield withings
        withings.everybody.abort()


@pytest.fixture
def store(postgresql: Server, withings: Withings, monkeypatch: pytest.MonkeyPatch) -> SecretStore:
    """A store with a hundred logins whose access tokens have expired; new programs use it, too."""
    monkeypatch.setenv("WITHINGS_AUTH_STORE", postgresql.new_store())
    store = open_store()
    save_record(store, app_name("an-app"), App(client_id="an-app", client_secret="s3cret").to_record())
    issued = int(time.time()) - 2 * LIFE
    for profile in PROFILES:
        grant = Grant(
            access_token=f"expired-{profile}",
            refresh_token=f"refresh-{profile}",
            obtained_at=issued,
            expires_at=issued + LIFE,
            scopes=("user.metrics",),
            userid="38210457",
            client_id="an-app",
            token_url=f"{withings.url}{TOKEN_PATH}",
        )
        save_record(store, token_name(profile), grant.to_record())
    return store


def by_threads(store: SecretStore, _: Cli) -> list[str]:
    """What eight threads of this process get, which share the store."""

    def work(profiles: list[str]) -> list[str]:
        return [TokenSource(profile, store=store).access_token() for profile in profiles]

    with ThreadPoolExecutor(WORKERS) as workers:
        return [token for tokens in workers.map(work, SHARES) for token in tokens]


def by_processes(_: SecretStore, cli: Cli) -> list[str]:
    """What eight programs get."""
    programs = [cli.by(PROGRAM).start(*share) for share in SHARES]
    return [token for program in programs for token in program.wait(seconds=300).stdout.split()]


@pytest.mark.parametrize("work", [by_threads, by_processes])
def test_eight_workers_renew_a_hundred_without_waiting_for_each_other(
    store: SecretStore, withings: Withings, cli: Cli, work: Callable[[SecretStore, Cli], list[str]]
) -> None:
    """Eight renewals at a time are under way from the first to the last dozen, and none is sent twice."""
    tokens = work(store, cli)
    assert not withings.everybody.broken
    assert sorted(tokens) == [f"renewed-{profile}" for profile in PROFILES]
    assert sorted(withings.sent) == [f"refresh-{profile}" for profile in PROFILES]
    assert [load_grant(store, profile).refresh_token for profile in PROFILES] == [f"next-{p}" for p in PROFILES]
