"""A program that forks with a source: no thread of ours is left by then, and the child goes on with the source.

Python 3.12 and newer warn a program that forks beside threads, and a script shows that warning to its user.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.keyring_daemon import SecretService
    from tests.support.logins import Desk

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.usefixtures("unmeasured"),
]

BLOCKING = "source = withings_auth.TokenSource()\ndef ask(**more): return source.access_token(), source.token(**more)"
ASYNC = """
import asyncio
source = withings_auth.AsyncTokenSource()
def ask(**more): return asyncio.run(source.access_token()), asyncio.run(source.token(**more))
"""
FORKING = """
import os, sys, threading, withings_auth
{source}
def fork(act):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        act()
        sys.stdout.flush()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

text, token = ask()
alone = threading.active_count() == 1
fork(lambda: print(ask() == (text, token)))
fork(lambda: print(ask(rejected=text)[1] != token))
renewed, token = ask()
alone = alone and threading.active_count() == 1
fork(lambda: print(ask() == (renewed, token)))
print(renewed != text, alone)
"""


def run(desk: Desk, source: str) -> tuple[int, str, str]:
    finished = desk.cli.by(FORKING.format(source=source))(env=desk.env)
    return finished.returncode, finished.stdout, finished.stderr


@pytest.mark.parametrize(
    ("source", "age"), [(BLOCKING, 600), (BLOCKING, 10_800), (ASYNC, 10_800)], ids=["valid", "expired", "async"]
)
def test_nobody_is_warned(desk: Desk, source: str, age: int) -> None:
    """Neither after a token from the store nor after a renewal; what a child renews, its parent has at once."""
    desk.put_login(age=age)
    assert run(desk, source) == (0, "True\nTrue\nTrue\nTrue True\n", "")


def test_nor_with_a_keyring(desk: Desk, secret_service: SecretService) -> None:
    """The thread that talks to the keyring ends with each call, and the child does not use its connection."""
    desk.put_login()
    for name in ("token/default", f"app/{desk.sandbox.client_id}"):
        secret_service.store(f"withings-auth/{name}", "withings-auth", (desk.directory / f"{name}.json").read_text())
    desk.env.update(secret_service.environ)
    desk.env["WITHINGS_AUTH_STORE"] = None
    assert run(desk, BLOCKING) == (0, "True\nTrue\nTrue\nTrue True\n", "")
