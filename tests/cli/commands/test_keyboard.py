"""A login at a terminal restores its settings, leaves it alone in the background, and counts down in place."""

from __future__ import annotations

import asyncio
import importlib
import os
import re
import signal
import sys
import time
from types import SimpleNamespace
from urllib.parse import parse_qs

import pytest

from tests.cli.commands.on_terminal import LOGIN, between_settings, child_of, on_terminal, settings, waiting, what_stays
from tests.support.logins import Desk, PendingLogin

# People are promised two seconds; a busy machine gets more, and still far less than the 300 s that a login waits.
SOON_SECONDS = 60


def test_the_settings_are_as_before_after_a_paste(desk: Desk) -> None:
    """The terminal's echo comes back."""
    login = between_settings(desk)
    login.program.type(f"{login.consent()}\n")
    finished = login.wait()
    before, after = settings(finished.screen)
    assert (finished.returncode, after) == (0, before)


def test_the_settings_are_as_before_after_the_browser(desk: Desk) -> None:
    """What was typed without echo before the browser came is not left for the shell."""
    login = between_settings(desk)
    login.program.type("echo half a li")
    login.allow()
    finished = login.wait()
    before, after = settings(finished.screen)
    assert (finished.returncode, after) == (0, before)
    assert "half a li" not in finished.screen


def test_ctrl_c_in_the_middle_of_a_paste(desk: Desk) -> None:
    """Statement 15: it ends at once, and half an answer is neither used nor shown nor left for the shell."""
    login = between_settings(desk)
    query = login.consent()
    desk.canaries.plant("half of the pasted code", query[5:25])
    login.program.type(query[:30])
    asked = time.monotonic()
    login.program.type("\x03")
    finished = login.wait()
    assert time.monotonic() - asked < SOON_SECONDS
    before, after = settings(finished.screen)
    assert (finished.returncode, after) == (130, before)
    assert "withings-auth: error: interrupted" in what_stays(finished.screen)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGQUIT, 128 + 3), (signal.SIGHUP, 128 + 1)]
)
def test_signals(desk: Desk, number: signal.Signals, code: int) -> None:
    """Statement 15: any signal ends the wait at once, and the terminal is as before."""
    login = between_settings(desk)
    asked = time.monotonic()
    os.kill(child_of(login.program), number)
    finished = login.wait()
    assert time.monotonic() - asked < SOON_SECONDS
    before, after = settings(finished.screen)
    assert (finished.returncode, after) == (code, before)


def test_the_time_out(desk: Desk) -> None:
    """Statement 15: the time limit holds while a terminal is read, and the line has counted once a second at most."""
    login = between_settings(desk, "--timeout", "1.5")
    finished = login.wait()
    before, after = settings(finished.screen)
    assert (finished.returncode, after) == (1, before)
    assert "the browser did not come back from Withings within" in finished.screen
    assert 1 <= finished.screen.count("Waiting for you: ") <= 2
    assert not any("Waiting for you" in line for line in what_stays(finished.screen))


def test_stopped_and_continued(desk: Desk) -> None:
    """Ctrl-Z restores the terminal for the shell, `fg` takes it again, and the paste still counts."""
    shell = desk.cli.using("sh").on_terminal("-i", env={**desk.env, "PS1": "$ ", "ENV": None})
    shell.type(f"stty -g; {LOGIN} --no-browser\n")
    login = waiting(shell, desk)
    shell.type("\x1a")
    shell.screen.expect("Stopped")
    shell.type("stty -g; echo so far\n")
    shell.screen.expect(r"\nso far")
    before, after = settings(shell.screen.text)
    assert before == after
    shell.type("fg\n")
    shell.screen.expect("Waiting for you: ")
    query = login.consent()
    desk.canaries.plant("the pasted code", parse_qs(query)["code"][0])
    shell.type(f"{query}\n")
    shell.screen.expect("Signed in as")
    shell.screen.expect(r"\n\$ ")
    shell.type("exit\n")
    assert shell.wait().returncode == 0


def test_in_the_background_the_terminal_is_left_alone(desk: Desk) -> None:
    """A job that a shell runs in the background neither counts down nor reads, and is not stopped for trying."""
    shell = desk.cli.using("sh").on_terminal("-i", env={**desk.env, "PS1": "$ ", "ENV": None})
    shell.type(f"{LOGIN} --no-browser &\n")
    url = shell.screen.line(r"^http\S+")
    time.sleep(1.2)
    shell.type("echo still $((40 + 2))\n")
    shell.screen.expect("still 42")
    PendingLogin(shell, url, desk.port, "/").allow()
    shell.screen.expect("Signed in as")
    shell.type("exit\n")
    finished = shell.wait()
    assert "Waiting for you" not in finished.screen
    assert "Stopped" not in finished.screen


def test_a_terminal_that_does_not_control_us(desk: Desk) -> None:
    """In a session of its own, as after `su -c`, there are no jobs, and the terminal is used as usual."""
    login = waiting(desk.cli.using("sh").on_terminal("-c", f"setsid --wait {LOGIN} --no-browser", env=desk.env), desk)
    query = login.consent()
    desk.canaries.plant("the pasted code", parse_qs(query)["code"][0])
    login.program.type(f"{query}\n")
    assert login.wait().returncode == 0


def test_a_pipe_keeps_its_data(desk: Desk) -> None:
    """Statement 32: without a terminal stdin is not read at all, so a script's data there is left untouched."""
    program = desk.cli.using("sh").start("-c", f"printf data | ({LOGIN} --no-browser; cat)", env=desk.env)
    PendingLogin(program, program.stderr.line(r"^http\S+"), desk.port, "/").allow()
    assert program.wait().stdout == "data"


def test_without_a_terminal_nothing_counts(desk: Desk) -> None:
    """A log file gets each line once, and no countdown."""
    login = desk.start()
    time.sleep(1.2)
    login.allow()
    finished = login.wait()
    assert "Waiting for you" not in finished.stderr
    assert "\r" not in finished.stderr


def test_the_line_counts_down_in_place(desk: Desk) -> None:
    """One line shows the time left, and disappears after signing in."""
    login = on_terminal(desk)
    login.program.screen.expect(r"\r +\rWaiting for you: 4:5\d left\. Or paste the browser's address and press Enter\.")
    login.allow()
    finished = login.wait()
    assert finished.returncode == 0
    assert not any("Waiting for you" in line for line in what_stays(finished.screen))


@pytest.mark.parametrize(
    ("columns", "shown"),
    [(80, r"left\. Or paste the browser's address and press Enter\."), (40, r"left\.$"), (20, None)],
)
def test_a_narrow_terminal_shows_what_fits(desk: Desk, columns: int, shown: str | None) -> None:
    """The countdown is never wider than the terminal, so no part of it is left behind."""
    line = f"stty cols {columns}; exec {LOGIN} --no-browser --timeout 0.3"
    finished = desk.cli.using("sh").on_terminal("-c", line, env=desk.env).wait()
    parts = re.findall(r"Waiting for you: [^\r\n]*", finished.screen)
    assert bool(parts) == (shown is not None)
    assert all(re.search(str(shown), part) and len(part) < columns for part in parts)


def test_the_end_of_the_input_does_not_end_a_login_that_listens(desk: Desk) -> None:
    """Ctrl-D means that nothing will be pasted; the browser may still come."""
    login = on_terminal(desk)
    login.program.type("\x04")
    login.program.screen.expect("Waiting for you: ")
    login.allow()
    assert login.wait().returncode == 0


def test_on_windows_keys_are_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Since a Windows console cannot be waited for, keys are polled without echo, and nothing blocks."""
    keys = list("\xe0Hcodf\be=1\r\n\x1a\r")
    console = SimpleNamespace(kbhit=lambda: bool(keys), getwch=lambda: keys.pop(0))
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", console)
    keyboard = importlib.reload(importlib.import_module("withings_auth.cli.ui.keyboard"))

    async def typed() -> list[str]:
        return [line async for line in keyboard.typed_lines()]

    assert asyncio.run(typed()) == ["code=1", ""]
    monkeypatch.undo()
    importlib.reload(keyboard)
