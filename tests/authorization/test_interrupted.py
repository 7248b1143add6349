"""A login that is interrupted ends at once and quietly, with nothing left open and nothing half saved."""

from __future__ import annotations

import signal
import socket
import sys
import time
from dataclasses import replace

import pytest

from tests.support.logins import PATIENT, Desk
from tests.support.programs import UNMEASURED

# People are promised two seconds; a busy machine gets more, and still far less than the 300 s that a login waits.
SOON_SECONDS = 60
CODES = {
    signal.SIGINT: (130, "interrupted"),
    signal.SIGTERM: (143, "terminated"),
    signal.SIGHUP: (129, "hung up"),
}


@pytest.mark.parametrize("number", CODES)
def test_while_it_waits(desk: Desk, number: signal.Signals) -> None:
    """Statements 2 and 15: a signal ends the wait within two seconds, without a traceback, and the port is closed."""
    login = desk.start()
    asked = time.monotonic()
    login.program.signal(number)
    finished = login.wait()
    assert time.monotonic() - asked < SOON_SECONDS
    code, word = CODES[number]
    last = [line for line in finished.stderr.splitlines() if not line.startswith("hint: ")][-1]
    assert (finished.returncode, last) == (code, f"withings-auth: error: {word}")
    assert "Traceback" not in finished.stderr
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", login.port))
    assert desk.run("token").returncode == 3


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("delay", [0.0, 0.1, 0.2, 0.3, 0.4])
def test_while_it_starts(desk: Desk, number: signal.Signals, delay: float) -> None:
    """Statement 15: at whatever point it is, imports included, there is never a traceback."""
    # Measuring coverage begins while the interpreter gets itself ready, and swallows a Ctrl-C that comes just then.
    program = desk.cli.start("login", "--no-browser", env={**desk.env, **UNMEASURED})
    time.sleep(delay)  # a moment of its start-up, whichever that is: no event could stand for each of them
    program.signal(number)
    finished = program.wait(seconds=SOON_SECONDS)
    if "Traceback" in finished.stderr:  # the interpreter was still getting itself ready
        assert "withings_auth" not in finished.stderr
    else:
        assert finished.returncode in {CODES[number][0], -number}, finished.stderr


@pytest.mark.parametrize("number", CODES)
def test_after_the_code_was_sent(desk: Desk, number: signal.Signals) -> None:
    """Statement 15: a code that was already sent to Withings is still exchanged and saved, if there is time."""
    login = replace(desk, cli=desk.cli.by(PATIENT)).start()
    desk.sandbox.fail_next("slow", seconds=3.0)
    with socket.create_connection(("127.0.0.1", login.port)) as tab:
        tab.sendall(f"GET /?{login.consent()} HTTP/1.1\r\nHost: localhost:{login.port}\r\n\r\n".encode())
        desk.wait_for(lambda: desk.sandbox.counters.faults == 1)
        login.program.signal(number)
        page = b"".join(iter(lambda: tab.recv(65536), b""))
    finished = login.wait(seconds=SOON_SECONDS)
    assert finished.returncode == CODES[number][0]
    assert b"You are signed in" in page
    assert "Signed in as" in finished.stderr
    assert desk.run("token").returncode == 0


def test_after_the_code_was_sent_and_no_answer_comes(desk: Desk) -> None:
    """Statement 15: an exchange that takes longer does not delay the end."""
    login = desk.start()
    desk.sandbox.fail_next("slow", seconds=100.0)
    with socket.create_connection(("127.0.0.1", login.port)) as tab:
        tab.sendall(f"GET /?{login.consent()} HTTP/1.1\r\nHost: localhost:{login.port}\r\n\r\n".encode())
        desk.wait_for(lambda: desk.sandbox.counters.faults == 1)
        asked = time.monotonic()
        login.program.signal(signal.SIGINT)
        assert login.wait().returncode == 130
    assert time.monotonic() - asked < 18  # the answer would take 100, and is given up after 20
    assert desk.run("token").returncode == 3


def test_a_failed_login_leaves_the_earlier_one_working(desk: Desk) -> None:
    """Whatever happens to a second login, the first one is there until the second is saved."""
    assert desk.log_in().returncode == 0
    token = desk.run("token").stdout
    denied = desk.start()
    denied.deny()
    assert denied.wait().returncode == 1
    abandoned = desk.start()
    abandoned.program.signal(signal.SIGKILL)
    abandoned.wait()
    assert desk.run("token").stdout == token


IN_A_NOTEBOOK = """
import asyncio, socket, sys, time
from withings_auth import App, login_sync, open_store

async def cell():
    try:
        login_sync(App(client_id="c", client_secret="s", redirect_uri=sys.argv[1]), open_browser=False,
                   store=open_store(sys.argv[2]))
    except KeyboardInterrupt:
        tries = 300  # of a busy machine: the interrupt waits for the other thread, but no longer than two seconds
        while (tries := tries - 1) and not refused(int(sys.argv[1].rpartition(":")[2])):
            time.sleep(0.1)
        print("closed" if tries else "still open")

def refused(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port))

# A notebook's kernel raises an interrupt inside the waiting cell; asyncio.run alone would cancel the cell's task.
loop = asyncio.new_event_loop()
loop.run_until_complete(cell())
loop.close()
"""


def test_login_sync_in_a_running_loop(desk: Desk) -> None:
    """Statement 2: an interrupt in a notebook closes the port too, although the login waits in another thread."""
    running = desk.cli.using(sys.executable).start(
        "-c", IN_A_NOTEBOOK, desk.redirect_uri, str(desk.env["WITHINGS_AUTH_STORE"])
    )
    running.stderr.line(r"^http\S+")
    running.signal(signal.SIGINT)
    finished = running.wait(seconds=SOON_SECONDS)
    assert finished.stdout == "closed\n", finished.stderr


@pytest.mark.parametrize("number", CODES)
def test_a_renewal_survives_repeated_ctrl_c(desk: Desk, number: signal.Signals) -> None:
    """Pressing Ctrl-C again and again ends the command, but not between Withings' answer and the save."""
    assert desk.log_in().returncode == 0
    desk.grow_older(10_800)
    desk.sandbox.fail_next("slow", seconds=4.0)
    shown: list[str] = []
    program = desk.cli.start("token", env=desk.env, allow=shown)
    desk.wait_for(lambda: desk.sandbox.counters.faults == 1)
    for _ in range(4):
        time.sleep(0.2)  # as fast as a person presses
        program.signal(number)
    finished = program.wait(seconds=60)
    assert "Traceback" not in finished.stderr
    assert finished.returncode == CODES[number][0]
    renewed = desk.run("token")
    assert renewed.stdout.strip() == desk.sandbox.live_access_tokens[-1]
    assert desk.sandbox.counters.refreshes == 1
