"""A closed window or a dropped connection (SIGHUP) ends a command, but loses nothing that Withings has issued."""

from __future__ import annotations

import signal
import socket
import sys
from urllib.parse import urlencode

import pytest

from tests.support.logins import PATIENT, Desk, PendingLogin
from tests.support.programs import Program

# A terminal window that shows what `withings-auth` prints, and is closed by the first line on its own stdin.
WINDOW = f"""
import os, pty, select, sys
pid, window = pty.fork()
if pid == 0:
    os.execv(sys.executable, [sys.executable, "-c", {PATIENT!r}, *sys.argv[1:]])
while sys.stdin not in (ready := select.select([sys.stdin, window], [], [])[0]):
    os.write(1, os.read(window, 65536))
os.close(window)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def open_window(desk: Desk, *arguments: str) -> Program:
    """Starts a command in a window of its own."""
    return desk.cli.using(sys.executable, "-c", WINDOW).start(*arguments, env=desk.env, stdin=True)


def test_between_the_answer_and_the_save_of_a_renewal(desk: Desk) -> None:
    """Statement 44: `token` saves the new pair, though nobody is there to read it, and exits with 129."""
    desk.put_login(age=20_000)
    desk.sandbox.fail_next("slow", seconds=3.0)
    window = open_window(desk, "token")
    desk.wait_for(lambda: desk.sandbox.counters.faults == 1)
    window.type("\n")
    assert window.wait().returncode == 129
    assert desk.run("token").stdout.strip() == desk.sandbox.live_access_tokens[-1]
    assert desk.sandbox.counters.refreshes == 1


def test_after_the_code_of_a_login_was_sent(desk: Desk) -> None:
    """Statement 44: `login` saves what the code brought, though the terminal that it reads and writes is gone."""
    window = open_window(desk, "login", "--no-browser")
    url = window.stdout.line(r"^http\S+")
    window.stdout.expect("Waiting for you: ")
    login = PendingLogin(window, url, desk.port, "/")
    desk.sandbox.fail_next("slow", seconds=3.0)
    with socket.create_connection(("127.0.0.1", login.port)) as tab:
        tab.sendall(f"GET /?{login.consent()} HTTP/1.1\r\nHost: localhost:{login.port}\r\n\r\n".encode())
        desk.wait_for(lambda: desk.sandbox.counters.faults == 1)
        window.type("\n")
        page = b"".join(iter(lambda: tab.recv(65536), b""))
    assert window.wait().returncode == 129
    assert b"You are signed in" in page
    assert desk.run("token").returncode == 0


def test_while_a_login_waits(desk: Desk) -> None:
    """Statements 2 and 44: it ends at once, and the port is closed."""
    window = open_window(desk, "login", "--no-browser")
    window.stdout.expect("Waiting for you: ")
    window.type("\n")
    assert window.wait().returncode == 129  # it would wait for 300 s
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", desk.port))


def test_nohup_is_obeyed(desk: Desk) -> None:
    """Statement 44: whoever started the command so that it outlives its terminal gets what they wanted."""
    under_nohup = desk.cli.using("nohup", sys.executable, "-m", "withings_auth")
    program = under_nohup.start("login", "--no-browser", env=desk.env)
    login = PendingLogin(program, program.stderr.line(r"^http\S+"), desk.port, "/")
    program.signal(signal.SIGHUP)
    assert login.get(urlencode({"state": login.state})).status == 400
    program.signal(signal.SIGHUP)
    login.allow()
    assert login.wait().returncode == 0


SWALLOWED = """
import asyncio, signal
from withings_auth.cli.ui.signals import raise_on_signals, run_interruptible

raise_on_signals()
try:
    signal.raise_signal(signal.SIG{name})
except:  # as some libraries do while they are imported
    pass
try:
    run_interruptible(lambda: asyncio.sleep(3600))
except BaseException as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize(("name", "error"), [("INT", "KeyboardInterrupt"), ("TERM", "Terminated"), ("HUP", "HungUp")])
def test_a_signal_that_an_import_swallowed_still_counts(desk: Desk, name: str, error: str) -> None:
    """Statement 15: a library with a bare `except` cannot make a login deaf to the one Ctrl-C that came too early."""
    ran = desk.cli.using(sys.executable, "-c")(SWALLOWED.replace("{name}", name))
    assert (ran.stdout, ran.stderr) == (f"{error}\n", "")
