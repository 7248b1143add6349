"""A login at a real terminal: the line that counts, and the address that is pasted instead of a way back."""

from __future__ import annotations

import asyncio
import importlib
import itertools
import os
import re
import shlex
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs

import pytest

from tests.support import logins
from tests.support.logins import Desk, PendingLogin
from tests.support.programs import Program

LOGIN = f"{shlex.quote(sys.executable)} -m withings_auth login"
HTTPS = "https://me.example/withings"


def waiting(program: Program, desk: Desk) -> PendingLogin:
    """The login that a terminal shows, once it counts."""
    url = program.screen.line(r"^http\S+")
    program.screen.expect("Waiting for you: ")
    return PendingLogin(program, url, desk.port, "/")


def on_terminal(desk: Desk, *flags: str) -> PendingLogin:
    """A login on a terminal that shows the address to open."""
    return waiting(desk.cli.on_terminal("login", "--no-browser", *flags, env=desk.env), desk)


def between_settings(desk: Desk, *flags: str) -> PendingLogin:
    """The same, started by a shell that prints the terminal's settings before and after."""
    line = f"trap : INT QUIT TERM; stty -g; {LOGIN} --no-browser {shlex.join(flags)}; code=$?; stty -g; exit $code"
    return waiting(desk.cli.using("sh").on_terminal("-c", line, env=desk.env), desk)


def settings(screen: str) -> list[str]:
    """The lines of `stty -g`."""
    return re.findall(r"[0-9a-f]+(?::[0-9a-f]+){10,}", screen)


def child_of(program: Program) -> int:
    """The process that a shell waits for."""
    return int(Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()[0])


def what_stays(screen: str) -> list[str]:
    """The lines that a person sees in the end, where each `\\r` began to write over one."""
    seen = []
    for line in screen.split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        seen.append(shown.rstrip())
    return seen


@pytest.fixture
def afar(desk: Desk, home: Path) -> Iterator[Desk]:
    """A desk whose redirect URI leads to another machine."""
    with logins.Sandbox(redirect_uris=[HTTPS]) as sandbox:
        yield logins.set_up_desk(desk.cli, desk.canaries, home, sandbox, HTTPS, desk.port)


@pytest.mark.parametrize("form", ["{redirect_uri}/?{query}", "{query}", "?{query}"])
def test_the_address_is_pasted(desk: Desk, form: str) -> None:
    """Statements 22 and 23: the whole address or its query logs in, and the code is never on the screen."""
    login = on_terminal(desk)
    query = login.consent()
    desk.canaries.plant("the pasted code", parse_qs(query)["code"][0])
    login.program.type(form.format(redirect_uri=desk.redirect_uri, query=query) + "\n")
    finished = login.wait()
    assert finished.returncode == 0
    assert "Thank you; getting the tokens from Withings.\nSigned in as" in "\n".join(what_stays(finished.screen))
    assert desk.run("token").returncode == 0


def test_wrong_pastes_are_explained_and_the_right_one_counts(desk: Desk) -> None:
    """Statements 22, 23 and 35: what is wrong is told in fixed words, nothing of it is shown, and one may try again."""
    login = on_terminal(desk)
    screen, code = login.program.screen, desk.canaries.plant("a code of another login")
    for pasted, told in (
        ("", "Nothing was pasted yet"),
        (code, "a code without the state"),
        (f"code={code}", "a code without the state"),
        (f"code={code}&state={'x' * 43}", "the answer to another login"),
        (f"{desk.redirect_uri}/?state={login.state}", "That has no code in it"),
        (login.authorize_url, "an address of Withings itself"),
        (f"https://evil.example/?code={code}&state={login.state}", "the address of another page"),
        (f"code={code}%1b[31m&state={login.state}", "it is damaged or was changed"),
    ):
        login.program.type(f"{pasted}\n")
        screen.expect(told)
    assert login.program.running
    login.program.type(f"{login.consent()}\n")
    finished = login.wait()
    assert finished.returncode == 0
    assert "\x1b" not in finished.screen
    assert "evil" not in finished.screen


def test_a_paste_after_the_browser_has_answered(desk: Desk) -> None:
    """Statement 13: the same answer once more is nothing new, another one is refused; there is one exchange."""
    login = on_terminal(desk)
    desk.sandbox.fail_next("slow", seconds=1.5)
    query = login.consent()
    with socket.create_connection(("127.0.0.1", login.port)) as tab:
        tab.sendall(f"GET /?{query} HTTP/1.1\r\nHost: localhost:{login.port}\r\n\r\n".encode())
        desk.wait_for(lambda: desk.sandbox.counters.faults == 1)
        login.program.type(f"{query}\ncode=another&state={login.state}\n")
        login.program.screen.expect("Another answer came first")
        assert b"You are signed in" in b"".join(iter(lambda: tab.recv(65536), b""))
    finished = login.wait()
    assert finished.returncode == 0
    assert finished.screen.count("Another answer came first") == 1
    assert "Thank you" not in finished.screen
    assert desk.sandbox.counters.exchanges == 1


def test_a_callback_after_a_paste(desk: Desk) -> None:
    """Statement 13: a browser that comes with the same answer gets the page of the one exchange."""
    login = on_terminal(desk)
    desk.sandbox.fail_next("slow", seconds=1.0)
    query = login.consent()
    login.program.type(f"{query}\n")
    desk.wait_for(lambda: desk.sandbox.counters.faults == 1)
    assert login.get(f"code=another&state={login.state}").status == 410
    assert "You are signed in" in login.get(query).body
    assert login.wait().returncode == 0
    assert desk.sandbox.counters.exchanges == 1


def test_the_settings_are_as_before_after_a_paste(desk: Desk) -> None:
    """The terminal's echo comes back."""
    login = between_settings(desk)
    login.program.type(f"{login.consent()}\n")
    finished = login.wait()
    before, after = settings(finished.screen)
    assert (finished.returncode, after) == (0, before)


def test_the_settings_are_as_before_after_the_browser(desk: Desk) -> None:
    """What was typed unseen when the browser came is not left for the shell."""
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
    finished = login.wait(seconds=5)
    assert time.monotonic() - asked < 2
    before, after = settings(finished.screen)
    assert (finished.returncode, after) == (130, before)
    assert "withings-auth: error: interrupted" in what_stays(finished.screen)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGQUIT, 128 + 3), (signal.SIGHUP, 128 + 1)]
)
def test_signals(desk: Desk, number: signal.Signals, code: int) -> None:
    """Statement 15: whichever signal ends the wait, it ends at once and the terminal is as before."""
    login = between_settings(desk)
    asked = time.monotonic()
    os.kill(child_of(login.program), number)
    finished = login.wait(seconds=5)
    assert time.monotonic() - asked < 2
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
    """Ctrl-Z gives the terminal back to the shell, `fg` takes it again, and the paste still counts."""
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
    """A job that a shell runs in the background neither counts nor reads, and is not stopped for trying."""
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
    """In a session of its own, as after `su -c`, there are no jobs, and the terminal is used as everywhere."""
    login = waiting(desk.cli.using("sh").on_terminal("-c", f"setsid --wait {LOGIN} --no-browser", env=desk.env), desk)
    query = login.consent()
    desk.canaries.plant("the pasted code", parse_qs(query)["code"][0])
    login.program.type(f"{query}\n")
    assert login.wait().returncode == 0


def test_a_pipe_keeps_its_data(desk: Desk) -> None:
    """Statement 32: without a terminal stdin is not read at all, so what a script has there is still there after."""
    program = desk.cli.using("sh").start("-c", f"printf data | ({LOGIN} --no-browser; cat)", env=desk.env)
    PendingLogin(program, program.stderr.line(r"^http\S+"), desk.port, "/").allow()
    assert program.wait().stdout == "data"


def test_without_a_terminal_nothing_counts(desk: Desk) -> None:
    """A log file gets lines, and each of them once."""
    login = desk.start()
    time.sleep(1.2)
    login.allow()
    finished = login.wait()
    assert "Waiting for you" not in finished.stderr
    assert "\r" not in finished.stderr


def test_the_line_counts_down_in_place(desk: Desk) -> None:
    """A person sees one line with the time left, and nothing of it once they are signed in."""
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
    """No line that counts is ever longer than the terminal is wide, so none is left behind."""
    line = f"stty cols {columns}; exec {LOGIN} --no-browser --timeout 0.3"
    finished = desk.cli.using("sh").on_terminal("-c", line, env=desk.env).wait()
    parts = re.findall(r"Waiting for you: [^\r\n]*", finished.screen)
    assert bool(parts) == (shown is not None)
    assert all(re.search(str(shown), part) and len(part) < columns for part in parts)


def test_paste_alone_never_listens(afar: Desk) -> None:
    """Statements 2 and 22: --paste logs in at an address that nothing here can listen on, and says to hurry."""
    login = on_terminal(afar, "--paste")
    query = login.consent()
    afar.canaries.plant("the pasted code", parse_qs(query)["code"][0])
    listening = Path(f"/proc/{login.program.pid}/net/tcp").read_text().splitlines()
    own = {str(link.readlink()) for link in Path(f"/proc/{login.program.pid}/fd").iterdir()}
    states = {f"socket:[{line.split()[9]}]": line.split()[3] for line in itertools.islice(listening, 1, None)}
    assert "0A" not in {states.get(link) for link in own}
    login.program.type(f"{HTTPS}?{query}\n")
    finished = login.wait()
    assert finished.returncode == 0
    assert "30 seconds" in finished.screen
    assert "Paste the browser's address and press Enter." in finished.screen
    assert afar.run("token").returncode == 0


def test_paste_alone_at_a_local_address(desk: Desk) -> None:
    """The port of the redirect URI stays closed, and may be another program's."""
    with socket.create_server(("127.0.0.1", desk.port)):
        login = on_terminal(desk, "--paste", "--profile", "Me")
        login.program.type(f"{desk.redirect_uri}/?{login.consent()}\n")
        finished = login.wait()
    assert finished.returncode == 0
    assert "Next: withings-auth token --profile me" in finished.screen


def test_paste_alone_and_another_person(afar: Desk) -> None:
    """Whose profile it is holds for a paste as for a callback."""
    for person, code in ((1, 0), (2, 1)):
        login = on_terminal(afar, "--paste")
        login.program.type(f"{login.consent(person=person)}\n")
        finished = login.wait()
        assert finished.returncode == code
    assert "nothing was saved" in finished.screen


def test_paste_alone_and_no_time_left(afar: Desk) -> None:
    """Statement 15: it ends by itself, and says what a person can do."""
    finished = afar.cli.on_terminal("login", "--paste", "--timeout", "0.5", env=afar.env).wait()
    assert finished.returncode == 1
    assert "the answer was not pasted within" in finished.screen


def test_paste_alone_and_the_end_of_the_input(afar: Desk) -> None:
    """Ctrl-D says that nothing will be pasted."""
    login = on_terminal(afar, "--paste")
    login.program.type("\x04")
    finished = login.wait()
    assert finished.returncode == 1
    assert "withings-auth: error: nothing was pasted" in finished.screen


def test_the_end_of_the_input_does_not_end_a_login_that_listens(desk: Desk) -> None:
    """Ctrl-D says that nothing will be pasted; the browser may still come."""
    login = on_terminal(desk)
    login.program.type("\x04")
    login.program.screen.expect("Waiting for you: ")
    login.allow()
    assert login.wait().returncode == 0


def test_paste_alone_in_the_sandbox(desk: Desk) -> None:
    """A trial can be pasted too."""
    login = on_terminal(desk, "--paste", "--sandbox")
    login.program.type(f"{login.consent()}\n")
    finished = login.wait()
    assert (finished.returncode, "Sandbox login: it cannot be renewed." in finished.screen) == (0, True)


@pytest.mark.parametrize("script", ["{login} --paste", "echo x | {login} --paste", "{login} --paste </dev/null"])
def test_paste_alone_needs_a_person(desk: Desk, script: str) -> None:
    """Statement 32: without a terminal there is nobody to wait for, and a pipe is not a person."""
    finished = desk.cli.using("sh")("-c", script.format(login=LOGIN), env=desk.env)
    assert finished.returncode == 2
    assert "--paste needs a terminal" in finished.stderr
    assert "hint: " in finished.stderr


@pytest.mark.parametrize("form", ["--paste {}", "--paste={}", "{}", "--no-browser={}", "--paste --code={}"])
def test_nothing_is_taken_from_the_command_line(desk: Desk, form: str) -> None:
    """Statements 22 and 23: an answer there is refused, and not repeated."""
    code = desk.canaries.plant("a code on the command line")
    answer = f"{desk.redirect_uri}/?code={code}&state=x"
    finished = desk.run("login", *form.format(answer).split())
    assert finished.returncode == 2
    assert "localhost" not in finished.stderr


def test_on_windows_keys_are_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a terminal cannot be waited for, each key is taken unseen as it comes, and nothing blocks."""
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
