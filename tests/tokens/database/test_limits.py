"""A machine that dies without a word, one whose clock is wrong, and more programs than the database has connections."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.machines import namespaces
from tests.support.postgresql import Server
from tests.support.programs import Cli
from tests.support.waiting import wait_until
from tests.tokens import crowd
from tests.tokens.scene import HOUR, LIFE, Clock, Scene
from tests.tokens.test_crash import LATER_ON
from withings_auth.sandbox import Sandbox
from withings_auth.store.base import SecretStore
from withings_auth.store.postgresql.address import parse_address
from withings_auth.store.postgresql.database_store import PostgresStore
from withings_auth.store.records import token_name

pytestmark = pytest.mark.usefixtures("unmeasured")

NAME = token_name("default")
CONNECTIONS = 6
PROGRAMS = 3  # each of which could use three
CALLERS = 16
LOOKS = {"tcp_keepalives_idle": "4", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3"}
# From the block for tests of networks (RFC 2544); other runs on this machine take others.
NETWORK = f"198.18.{os.getpid() // 64 % 256}"
HERE, THERE = (f"{NETWORK}.{os.getpid() % 64 * 4 + number}" for number in (1, 2))

HOLD = """
import sys
from pathlib import Path
from withings_auth.store import open_named_store
with open_named_store(sys.argv[1], Path()).lock(sys.argv[2], 20):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def small(cluster: Path) -> Iterator[Server]:
    """A server with few connections, which other machines can reach."""
    with Server(cluster, {"max_connections": str(CONNECTIONS), "listen_addresses": "*"}) as server:
        with Path(server.data, "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {THERE}/32 trust\n")
        server.execute("SELECT pg_reload_conf()")
        yield server


@pytest.fixture
def name(small: Server) -> str:
    return small.new_store()


@pytest.fixture
def real() -> Iterator[Sandbox]:
    """A Withings in real time, whose tokens live for less than the clocks differ."""
    with Sandbox(token_life=HOUR // 2) as sandbox:
        yield sandbox


def log_in(store: SecretStore, sandbox: Sandbox, *, age: int) -> None:
    """A login with an access token of this age."""
    scene = Scene(store, sandbox, Clock())
    obtained_at = int(time.time()) - age
    scene.save(replace(scene.log_in(age=0), obtained_at=obtained_at, expires_at=obtained_at + HOUR // 2))


def test_a_crowd_larger_than_the_server_has_connections(
    store: SecretStore, name: str, real: Sandbox, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody gets the one new token, sooner or later."""
    log_in(store, real, age=LIFE)
    monkeypatch.setenv("WITHINGS_AUTH_STORE", name)
    program = cli.using(sys.executable, crowd.__file__).start(str(PROGRAMS), stdin=True)
    program.stdout.line("ready")
    program.type("\n")
    said = [program.stdout.line(seconds=300) for _ in range(PROGRAMS * CALLERS + 1)]
    stored = Scene(store, real, Clock()).stored
    assert said == [crowd.told(stored.access_token)] * PROGRAMS * CALLERS + ["over"]
    assert real.counters.refreshes == 1
    program.end_input()
    assert program.wait().returncode == 0


def test_programs_that_live_on_leave_connections_to_others(name: str) -> None:
    """Only the first ones keep theirs for next time."""
    stores = [PostgresStore(parse_address(name)) for _ in range(3 * CONNECTIONS)]
    assert {one.load(NAME) for one in stores} == {None}
    assert sum(len(idle) for one in stores for idle in one._pool.idle.values()) <= CONNECTIONS // 2 + 1


@pytest.mark.parametrize("age", [0, LIFE], ids=["good", "expired"])
def test_machines_whose_clocks_are_hours_apart(
    store: SecretStore, name: str, real: Sandbox, cli: Cli, age: int
) -> None:
    """Each would take the other's token for expired, or for issued in the future: the server's clock counts."""
    log_in(store, real, age=age)
    wrong = cli.using(sys.executable, "-c", LATER_ON)
    for ahead in (HOUR, -HOUR, 0):
        asked = wrong(str(ahead), "token", env={"WITHINGS_AUTH_STORE": name}, allow=real.secrets)
        assert (asked.returncode, asked.stderr) == (0, "")
        assert asked.stdout.strip() in real.live_access_tokens
    assert real.counters.refreshes == (1 if age else 0)


@contextmanager
def far_machine(small: Server, name: str) -> Iterator[Callable[[], object]]:
    """A program holds the lock on another machine, which a cable connects with this one; yields what pulls it."""
    address = name.replace(small.host, f"{HERE}:{small.port}")
    script = f"read go; ip address add {THERE}/30 dev far; ip link set far up; exec {sys.executable} -c '{HOLD}' \"$@\""
    process = subprocess.Popen(
        [*namespaces(), "sh", "-c", script, "sh", address, NAME],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        child = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_until(child.read_text)
        near, there = f"near{process.pid}", child.read_text().strip()
        ip("link", "add", near, "type", "veth", "peer", "name", "far", "netns", there)
        ip("address", "add", f"{HERE}/30", "dev", near)
        ip("link", "set", near, "up")
        process.stdin.write("go\n")
        process.stdin.flush()
        nsenter = ["nsenter", f"--net=/proc/{there}/ns/net", "ip", "link", "set", "far", "down"]
        assert process.stdout.readline() == "held\n"
        yield lambda: subprocess.run(nsenter, check=True)
    finally:
        process.kill()  # and with it all that runs there, and the cable
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_a_machine_that_dies_without_a_word(small: Server, store: SecretStore, name: str) -> None:
    """The server looks after each session so often that a lock is free within about ten seconds."""
    with store.lock(NAME, 5):
        pass
    (session,) = store._pool.idle[os.getpid()]  # type: ignore[attr-defined]  # it is a store in a database
    settings = {one: session.execute(f"SHOW {one}").fetchone()[0] for one in LOOKS}
    assert settings == LOOKS
    if os.geteuid() != 0 or not namespaces():
        return  # this system has no cable for us that could be pulled
    with far_machine(small, name) as pull:
        pull()
        began = time.monotonic()
        with store.lock(NAME, 60) as held:
            took = time.monotonic() - began
            held.save("text")
        assert store.load(NAME) == "text"
    print(f"the lock was free after {took:.1f} s")
    assert took < 30


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
