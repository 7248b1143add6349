"""Real processes and threads that all want a token at once."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.renewal.scene import LIFE, Scene
from tests.support.programs import Cli
from withings_auth.sandbox import Sandbox
from withings_auth.store.file_store import FileStore

# Says which token it got, without saying the token; each thread on a line of its own.
CALLERS = """
import hashlib, sys, threading
from pathlib import Path
from withings_auth import TokenSource
from withings_auth.store.file_store import FileStore

source = TokenSource(store=FileStore(Path(sys.argv[1])))
rejected = sys.stdin.readline().strip() or None

def ask():
    token = source.token(rejected=rejected)
    sys.stdout.write(hashlib.sha256(token.access_token.encode()).hexdigest() + "\\n")

threads = [threading.Thread(target=ask) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


class RealTime:
    """The clock of processes of their own."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return time.time()


@pytest.fixture
def busy() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.mark.parametrize("rejected", [False, True])
def test_four_processes_of_four_threads_cause_exactly_one_refresh(
    busy: Sandbox, directory: Path, cli: Cli, rejected: bool
) -> None:
    """Statement 28: everybody gets the same token, and it is the stored one; also when all report one as rejected."""
    scene = Scene(FileStore(directory), busy, RealTime())  # type: ignore[arg-type]  # it is only asked for the time
    grant = scene.log_in()
    age = LIFE // 2 if rejected else LIFE
    scene.save(replace(grant, obtained_at=grant.obtained_at - age, expires_at=grant.expires_at - age))
    busy.expire_access_token()
    python = cli.using(sys.executable, "-c")
    programs = [python.start(CALLERS, str(directory), stdin=True) for _ in range(4)]
    for program in programs:
        program.type(f"{grant.access_token if rejected else ''}\n")
    said = [program.wait().stdout.split() for program in programs]
    assert busy.counters.token_requests == 1
    assert busy.counters.refreshes == 1
    assert [len(lines) for lines in said] == [4, 4, 4, 4]
    stored = scene.stored
    assert {line for lines in said for line in lines} == {hashlib.sha256(stored.access_token.encode()).hexdigest()}
    assert scene.works(stored)
