"""`cli` runs real programs: what they print, how they end, and what a terminal shows."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.waiting import wait_until_gone

if TYPE_CHECKING:
    from tests.support.canaries import Canaries
    from tests.support.programs import Cli


def test_it_returns_both_outputs_and_the_exit_code(python: Cli) -> None:
    ran = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (ran.stdout, ran.stderr, ran.returncode) == ("out\n", "err\n", 3)
    assert ran.seconds > 0


def test_it_gives_input_or_an_empty_one_and_changes_the_environment(
    python: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GONE", "1")
    code = "import os, sys; print(repr(sys.stdin.read()), os.environ.get('NEW'), os.environ.get('GONE'))"
    assert python(code, stdin="typed", env={"NEW": "new", "GONE": None}).stdout == "'typed' new None\n"
    assert python(code).stdout == "'' None 1\n"


def test_a_program_that_does_not_end_is_ended_with_all_that_it_started(python: Cli) -> None:
    code = "import subprocess, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); time.sleep(60)"
    program = python.start(code)
    child = int(program.stdout.line())
    with pytest.raises(AssertionError, match=r"still running after 0\.2 s"):
        program.wait(seconds=0.2)
    wait_until_gone(child)


def test_a_child_that_keeps_the_output_open_is_noticed(python: Cli) -> None:
    with pytest.raises(AssertionError, match="still holds its output"):
        python("import subprocess; subprocess.Popen(['sleep', '60'])")


def test_a_running_program_can_be_watched_and_ended(python: Cli) -> None:
    code = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("listening on 8000", file=sys.stderr, flush=True)
time.sleep(60)
"""
    program = python.start(code)
    assert program.stderr.line("listening") == "listening on 8000"
    assert program.running
    with pytest.raises(AssertionError, match=r"had 0\.1 s without 'more'"):
        program.stderr.expect("more", seconds=0.1)
    program.signal(signal.SIGTERM)
    assert program.wait().returncode == 7
    with pytest.raises(AssertionError, match="ended without 'more'"):
        program.stderr.expect("more")


def test_a_terminal_can_ask_for_a_hidden_secret(python: Cli, canaries: Canaries) -> None:
    secret = canaries.plant("the password")
    program = python.on_terminal("import getpass; print(len(getpass.getpass('Client secret: ')))")
    program.screen.expect("Client secret: ")
    program.type(secret + "\n")
    finished = program.wait()
    assert finished.screen == "Client secret: \n40\n"
    assert finished.returncode == 0


def test_ctrl_c_on_a_terminal_reaches_the_program(python: Cli) -> None:
    program = python.on_terminal("import time; print('ready'); time.sleep(60)")
    program.screen.line("ready")
    program.type("\x03")
    assert program.wait().returncode == -signal.SIGINT


def test_without_a_terminal_there_is_none(python: Cli) -> None:
    assert "No such device" in python("open('/dev/tty')").stderr
