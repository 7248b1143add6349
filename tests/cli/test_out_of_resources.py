"""A system that has no threads or descriptors left gets an error with a hint, and a logout removes what it can."""

from __future__ import annotations

import json
import sys

import pytest

from tests.support.keyring_daemon import SecretService
from tests.support.logins import Desk
from tests.support.profiles import move_to_keyring
from tests.support.programs import UNMEASURED

# One process for all commands, in which no thread can be started, as for a user at the limit of `ulimit -u`.
WITHOUT_THREADS = """
import json, sys, threading

def refuse(thread):
    raise RuntimeError("can't start new thread")

threading.Thread.start = refuse
from withings_auth.cli import main
for command in json.loads(sys.argv[1]):
    print("===", *command[:1], file=sys.stderr)
    print("exit code", main(command), file=sys.stderr)
"""

# At the given step, this process has no descriptor left, or as many as are given.
WITHOUT_DESCRIPTORS = """
import asyncio, os, resource, sys
from withings_auth import App, login_sync
from withings_auth.errors import WithingsAuthError
from withings_auth.sandbox import Sandbox
from withings_auth.threads import run_coroutine

async def nothing(): pass
sandbox = Sandbox()

resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
held = []
while True:
    try: held.append(os.dup(0))
    except OSError: break
for descriptor in held[:int(sys.argv[1])]:
    os.close(descriptor)
app = App(client_id="c", client_secret="s")
for call in (lambda: run_coroutine(nothing), lambda: login_sync(app), sandbox.__enter__):
    try: print(call())
    except WithingsAuthError as error: print(error.exit_code, error)
    except OSError as error: print(error.strerror)
"""


def without_threads(desk: Desk, *commands: tuple[str, ...], allow: tuple[str, ...] = ()) -> dict[str, str]:
    """Runs the commands; returns what each wrote to stderr, with its exit code."""
    ran = desk.cli.using(sys.executable, "-c", WITHOUT_THREADS)(json.dumps(commands), env=desk.env, allow=allow)
    assert "Traceback" not in ran.stderr
    told = dict(part.split("\n", 1) for part in ran.stderr.split("=== ")[1:])
    assert list(told) == [command[0] for command in commands]
    return told


def test_every_command_says_that_no_thread_can_be_started(desk: Desk) -> None:
    """It is exit code 4 with a hint, never a traceback, and nothing is sent or lost."""
    grant = desk.put_login()
    tokens = desk.directory.parent / "tokens.json"
    tokens.write_text(json.dumps({"access_token": "a", "refresh_token": "r", "userid": 1}))
    told = without_threads(
        desk,
        ("login", "--no-browser"),
        ("import", "--keep", "--profile", "other", str(tokens)),
        ("api", "v2/user", "getdevice"),
        ("token", "--renew"),
        ("status", "--check"),
    )
    for words in told.values():
        assert "no thread can be started" in words
        assert words.endswith("exit code 4\n")
        assert "hint: end some programs, or allow more threads (ulimit -u)" in words
    assert desk.sandbox.counters.token_requests == 0
    assert desk.run("token").stdout.strip() == grant.access_token


def test_a_sandbox_needs_a_thread(desk: Desk) -> None:
    """A trial says so too."""
    desk.env |= {"WITHINGS_CLIENT_ID": None, "WITHINGS_CLIENT_SECRET": None, "WITHINGS_AUTH_PROFILE": None}
    told = without_threads(desk, ("login", "--sandbox", "--no-browser"), ("sandbox", "--port", "0"))
    assert told["login"].endswith("exit code 4\n")
    assert told["sandbox"].startswith(
        "withings-auth: error: the system has run out of resources: no thread can be started"
    )
    assert "port" not in told["sandbox"]
    assert told["sandbox"].endswith("exit code 4\n")


def test_logout_removes_the_local_copies_all_the_same(desk: Desk) -> None:
    """Statement 34: the access cannot be revoked without a thread, which is told, but nothing stays here."""
    desk.put_login()
    told = without_threads(desk, ("logout", "--revoke", "--yes"))["logout"]
    assert "Logged out: removed profile default" in told
    assert "did not confirm" in told
    assert "no thread can be started" in told
    assert told.endswith("exit code 4\n")
    assert not [*desk.directory.rglob("*.json")]


def test_a_keyring_is_used_all_the_same(desk: Desk, secret_service: SecretService) -> None:
    """Statement 34: a logout removes the copies in it, and `token` prints a valid token."""
    grant = desk.put_login()
    move_to_keyring(desk, secret_service)
    told = without_threads(desk, ("token",), ("logout", "--revoke", "--yes"), allow=(grant.access_token,))
    assert told["token"] == "exit code 0\n"
    assert "Logged out: removed profile default" in told["logout"]
    assert "no thread can be started" in told["logout"]
    assert told["logout"].endswith("exit code 4\n")
    assert secret_service.services() == []


@pytest.mark.parametrize("left", [0, 1, 2])
def test_no_descriptors_for_an_event_loop(desk: Desk, left: int) -> None:
    """Nothing is printed but our own error: no coroutine that nobody awaited, no loop that was half made."""
    ran = desk.cli.using(sys.executable, "-X", "dev", "-c", WITHOUT_DESCRIPTORS)(str(left), env=UNMEASURED)
    *ours, of_the_sandbox = ran.stdout.splitlines()
    assert ours == ["4 no event loop can be made: Too many open files"] * 2
    assert of_the_sandbox == "Too many open files"
    assert ran.stderr == ""


def test_no_descriptors_for_one_of_our_own_modules(desk: Desk) -> None:
    """Even an import can fail then."""
    command = f"ulimit -n 6; exec {sys.executable} -m withings_auth login --no-browser"
    ran = desk.cli.using("bash")("-c", command, env=desk.env)
    assert (ran.returncode, "Traceback" in ran.stderr) == (4, False)
    *_, error, hint = ran.stderr.splitlines()
    assert error == "withings-auth: error: the system has run out of resources: Too many open files"
    assert hint.startswith("hint: ")
