"""A real pooler between us and the server: only one that leaves each client its session will do."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Require
from tests.support.ports import free_port
from tests.support.postgresql import DATABASE, USER, Server, as_server
from tests.support.stores import save_record
from tests.support.waiting import wait_until
from withings_auth.errors import LockBusy, StoreUnavailable
from withings_auth.store.postgresql.address import parse_address
from withings_auth.store.postgresql.database_store import PostgresStore

NAME = "token/default"

StartPooler = Callable[..., str]


@contextmanager
def pooler(server: Server, mode: str, size: int) -> Iterator[str]:
    """Runs a pooler that shares so many sessions among its clients; yields its host and port."""
    port = free_port()
    users, settings = server.directory / "users.txt", server.directory / "pgbouncer.ini"
    users.write_text(f'"{USER}" ""\n', encoding="utf-8")
    settings.write_text(
        f"[databases]\n{DATABASE} = host=127.0.0.1 port={server.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = trust\nauth_file = {users}\n"
        f"unix_socket_dir =\npool_mode = {mode}\ndefault_pool_size = {size}\n",
        encoding="utf-8",
    )
    pgbouncer = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    process = subprocess.Popen(
        [*as_server(), pgbouncer, "-q", settings], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: answers(port))
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def answers(port: int) -> bool:
    try:
        psycopg.connect(host="127.0.0.1", port=port, user=USER, dbname=DATABASE).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def start(postgresql: Server, require: Require) -> Iterator[StartPooler]:
    """`start(mode, size)` runs a pooler, and returns the name of a store behind it."""
    found = shutil.which("pgbouncer") or Path("/usr/sbin/pgbouncer").exists()
    require("pgbouncer", found, "a pooler must not come between us and our locks")
    with ExitStack() as running:

        def start(mode: str, size: int) -> str:
            host = running.enter_context(pooler(postgresql, mode, size))
            return postgresql.new_store().replace(postgresql.host, host)

        yield start


def open_store(name: str) -> PostgresStore:
    return PostgresStore(parse_address(name))


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pooler_that_gives_our_session_away_is_refused(start: StartPooler, mode: str, size: int) -> None:
    """Our locks would be theirs. The reason and both ways out are told, and nothing was saved."""
    name = start(mode, size)
    for use in (lambda store: store.load(NAME), lambda store: save_record(store, NAME, "text")):
        with pytest.raises(StoreUnavailable, match=f"a pooler in {mode} mode stands before") as refused:
            use(open_store(name))
        assert "pool_mode = session" in refused.value.hint
        assert "connect to the server itself" in refused.value.hint


def test_also_while_others_use_it(start: StartPooler) -> None:
    """It is noticed however busy the pooler is, and however often its sessions were used before."""
    name = start("transaction", 4)
    uri = parse_address(name).conninfo
    done = threading.Event()

    def work() -> None:
        with psycopg.connect(uri, autocommit=True, prepare_threshold=None) as other:
            while not done.is_set():
                other.execute("SELECT pg_sleep(0.001)")

    others = [threading.Thread(target=work, daemon=True) for _ in range(6)]
    for thread in others:
        thread.start()
    try:
        for _ in range(20):
            with pytest.raises(StoreUnavailable, match="a pooler in transaction mode"):
                open_store(name).load(NAME)
    finally:
        done.set()
        for thread in others:
            thread.join(60)


def test_a_pooler_that_leaves_us_our_session_is_welcome(start: StartPooler) -> None:
    """The store keeps its promises through it: a lock is a lock, also when sessions are used again."""
    name = start("session", 5)
    store, other = open_store(name), open_store(name)
    for turn in range(6):
        with store.lock(NAME, 5) as held:
            with pytest.raises(LockBusy), other.lock(NAME, 0):
                pass
            held.save(f"text {turn}")
            held.notes.note("a note")
        assert other.load(NAME) == f"text {turn}"
        store, other = other, open_store(name)
