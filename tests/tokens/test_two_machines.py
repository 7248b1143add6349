"""Two machines share one login in a real database, while their programs are killed at random moments."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.machines import Machine
from tests.support.postgresql import Server
from tests.tokens import machine
from tests.tokens.scene import LIFE, Clock, Scene
from withings_auth.sandbox import Sandbox
from withings_auth.store.base import SecretStore
from withings_auth.store.postgresql.address import parse_address
from withings_auth.store.postgresql.database_store import PostgresStore

pytestmark = pytest.mark.usefixtures("unmeasured")

TOKEN_LIFE = 4
PROGRAMS = 2  # on each machine
EXPIRIES = 3
LONGEST_WAIT_SECONDS = 150  # the guard after a lost answer takes 16, and the next one may be killed too


@pytest.fixture
def busy() -> Iterator[Sandbox]:
    """A Withings in real time, whose access tokens live for seconds."""
    with Sandbox(token_life=TOKEN_LIFE) as sandbox:
        yield sandbox


def log_in(store: SecretStore, sandbox: Sandbox) -> None:
    """A login whose access token has expired."""
    scene = Scene(store, sandbox, Clock())
    expired = int(time.time()) - LIFE
    scene.save(replace(scene.log_in(age=0), obtained_at=expired, expires_at=expired + TOKEN_LIFE))
    sandbox.expire_access_token()


def said(machines: list[Machine]) -> list[dict[str, Any]]:
    return [json.loads(line) for one in machines for line in one.said]


def dead(answers: list[dict[str, Any]], sandbox: Sandbox) -> list[dict[str, Any]]:
    """Returns the answers with a token that was dead before somebody asked for it."""
    pairs = sandbox._withings.ledger._by_access_token.items()
    ends = {hashlib.sha256(token.encode()).hexdigest(): pair.access_dies_at for token, pair in pairs}
    return [one for one in answers if "digest" in one and ends[one["digest"]] < one["asked_at"]]


def test_one_refresh_per_expiry_whoever_is_killed(busy: Sandbox, postgresql: Server, tmp_path: Path) -> None:
    """Statement 28: on two machines at once, nobody gets a dead token, and nobody renews what another one has renewed.

    Each machine has a network and process ids of its own if the system allows.
    """
    name = postgresql.new_store()
    log_in(PostgresStore(parse_address(name)), busy)
    ports = [postgresql.port, int(busy.url.rpartition(":")[2])]
    before = busy.counters
    kills = 0
    with ExitStack() as running:
        machines = [
            running.enter_context(Machine(tmp_path / which, machine.__file__, store=name, ports=ports))
            for which in ("one", "two")
        ]
        for _ in range(PROGRAMS):
            for one in machines:
                one.order("start")
        until = time.monotonic() + 240
        while busy.counters.refreshes - before.refreshes < EXPIRIES:
            assert time.monotonic() < until, "the login is not renewed any more"
            time.sleep(random.uniform(0.1, 1))  # noqa: S311  for a test
            random.choice(machines).order("kill")  # noqa: S311  for a test
            kills += 1
    spoken = said(machines)
    print(f"{kills} kills, {len(spoken)} answers, {max(one['seconds'] for one in spoken):.1f} s at most")
    assert [one["error"] for one in spoken if "error" in one] == []
    assert dead(spoken, busy) == []
    assert any(one.get("status") == 0 for one in spoken)
    assert max(one["seconds"] for one in spoken) < LONGEST_WAIT_SECONDS
    assert len({one["digest"] for one in spoken}) <= busy.counters.refreshes - before.refreshes
    at = [event.at for event in busy.events if event.what == "refresh"]
    assert min(later - earlier for earlier, later in pairwise(at)) > TOKEN_LIFE - 1.5, at  # times are whole seconds
