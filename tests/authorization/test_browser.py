"""How a browser is started: which one, with which arguments and environment, and what remains of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.support.logins import Desk
from tests.support.visitor import VISITOR
from withings_auth.authorization.browser import NotStarted, choose, start
from withings_auth.authorization.environment import Machine, detect_environment

URL = "http://localhost:8000/start/abc"
LINUX = Machine(platform="linux")
WSL = Machine(platform="linux", kernel_release="5.15.153.1-microsoft-standard-WSL2")
MAC = Machine(platform="darwin")
WINDOWS = Machine(platform="win32")
RUNDLL32 = "rundll32.exe url.dll,FileProtocolHandler"
SPY = "import json, os, pathlib, sys; pathlib.Path({notes!r}).write_text(json.dumps([sys.argv[1:], dict(os.environ)]))"


def spy(notes: Path) -> str:
    """A browser that notes its arguments and its environment, as a command in BROWSER's syntax."""
    program = notes.with_suffix(".py")
    program.write_text(SPY.format(notes=str(notes)))
    return f"{sys.executable} {program}"


def noted(notes: Path) -> tuple[list[str], dict[str, str]]:
    """What the spy was given."""
    Desk.wait_for(lambda: notes.exists() and notes.read_text().endswith("]"))
    arguments, environ = json.loads(notes.read_text())
    return arguments, environ


@pytest.mark.parametrize(
    ("programs", "environ", "machine", "chosen"),
    [
        ((), {"BROWSER": "firefox"}, LINUX, ["firefox"]),
        ((), {"BROWSER": "firefox: links %s :"}, LINUX, ["firefox", "links %s"]),
        ((), {"BROWSER": "firefox", "SSH_TTY": "/dev/pts/1"}, LINUX, ["firefox"]),
        ((), {"BROWSER": "firefox"}, WSL, ["firefox"]),
        (("xdg-open", "firefox"), {"DISPLAY": ":0"}, LINUX, ["xdg-open", "firefox"]),
        (("xdg-open",), {"DISPLAY": ":0", "BROWSER": " "}, LINUX, ["xdg-open"]),
        (("wslview", "rundll32.exe", "explorer.exe"), {}, WSL, ["wslview", RUNDLL32, "explorer.exe"]),
        (("rundll32.exe", "xdg-open"), {"DISPLAY": ":0"}, WSL, [RUNDLL32, "xdg-open"]),
        (("rundll32.exe", "xdg-open"), {}, WSL, [RUNDLL32]),
        (("xdg-open",), {}, MAC, ["open"]),
        (("xdg-open",), {}, WINDOWS, ["startfile"]),
        (("open",), {"SSH_TTY": "/dev/ttys1"}, MAC, NotStarted("this is a session over SSH")),
        (("wslview",), {"DISPLAY": ":0"}, LINUX, NotStarted("none is installed")),
        (("xdg-open",), {}, LINUX, NotStarted("there is no display")),
        ((), {}, WSL, NotStarted("no way to open a Windows browser")),
    ],
)
def test_which_ones_are_tried(
    home: Path,
    programs: tuple[str, ...],
    environ: dict[str, str],
    machine: Machine,
    chosen: list[str] | NotStarted,
) -> None:
    """The named browser, or else what is installed and visible to the user, in that order."""
    for name in programs:
        (home / name).touch(mode=0o755)
    around = detect_environment(environ, machine)
    assert choose(None, {**environ, "PATH": str(home)}, around) == chosen
    assert choose("mine %s", {**environ, "PATH": str(home)}, around) == ["mine %s"]


@pytest.mark.parametrize(
    ("syntax", "arguments"),
    [
        ("{} --new", ["--new", URL]),
        ("{} --url=%s --new &", [f"--url={URL}", "--new"]),
        ("{} 'two words' %s", ["two words", URL]),
        ("{} ; touch $HOME/x #", [";", "touch", "$HOME/x", "#", URL]),
    ],
)
def test_an_argument_vector_without_a_shell(home: Path, syntax: str, arguments: list[str]) -> None:
    """Statement 20: `%s` is the URL, else it comes last; text that a shell would interpret is passed on unchanged."""
    notes = home / "notes"
    assert start(URL, named=syntax.format(spy(notes))) is None
    assert noted(notes)[0] == arguments


def test_the_url_is_one_argument(home: Path) -> None:
    """Statement 20: nothing in a URL can become a command or a second argument."""
    notes, url = home / "notes", "http://localhost:8000/start/a?b=c&d=$(touch x);e 'f' %PATH%"
    assert start(url, named=spy(notes)) is None
    assert noted(notes)[0] == [url]


def test_the_next_one_is_tried(home: Path) -> None:
    """If BROWSER lists several, those that cannot be started are skipped."""
    notes = home / "notes"
    assert start(URL, environ={"BROWSER": f"/nowhere/browser:{spy(notes)}"}) is None
    assert noted(notes)[0] == [URL]


@pytest.mark.parametrize("named", ["/nowhere/browser", "/", "&", " ", "'", "\x1b[2J", "a\x00b", "é\udcff"])
def test_what_cannot_be_started_is_named(named: str) -> None:
    """Statement 35: the name may be anything; what a terminal would interpret is escaped."""
    trouble = start(URL, named=named)
    assert isinstance(trouble, NotStarted)
    assert trouble.why.endswith(" cannot be started")
    assert trouble.why.isprintable()


def test_it_gets_no_secret(home: Path) -> None:
    """Statement 25: the client secret is not in a browser's environment, but all other variables are."""
    notes = home / "notes"
    environ = {**os.environ, "WITHINGS_CLIENT_SECRET": "a-secret", "KEPT": "kept", "BROWSER": spy(notes)}
    assert start(URL, environ=environ) is None
    arguments, given = noted(notes)
    assert given["KEPT"] == "kept"
    assert "a-secret" not in json.dumps([arguments, given])


@pytest.mark.parametrize(
    ("name", "code", "fails"),
    [("browser", 0, False), ("browser", 1, True), ("explorer.exe", 1, False), ("Explorer.EXE", 1, False)],
)
def test_a_failure_is_reported_once_and_nothing_stays(home: Path, name: str, code: int, fails: bool) -> None:
    """A browser that ends with an error is reported, however it was named, and no zombie process is left."""
    program = home / name
    program.write_text(f"#!/bin/sh\necho $$ > {home}/number\nexit {code}\n")
    program.chmod(0o755)
    told = threading.Semaphore(0)
    assert start(URL, named=str(program), on_failure=told.release) is None
    number = home / "number"
    Desk.wait_for(lambda: number.exists() and number.read_text().endswith("\n"))
    Desk.wait_for(lambda: not Path(f"/proc/{number.read_text().strip()}").exists())
    assert told.acquire(timeout=60 if fails else 0.1) == fails
    assert not told.acquire(blocking=False)


@pytest.mark.parametrize(
    ("command", "seconds"),
    [("true", 0.3), ("false", 0.3), ("sh -c 'sleep 90'", 0.3), ("sh -c 'sleep 90'", 0), ("true", 0), ("/nowhere", 0)],
)
def test_a_program_that_ends_leaves_quietly(command: str, seconds: float) -> None:
    """Statement 21: whether the browser has ended or not, Python has nothing to warn about, and does not wait."""
    program = f"import time; from withings_auth.authorization.browser import start; start({URL!r}, named={command!r})"
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", f"{program}; time.sleep({seconds})"],
        capture_output=True,
        check=False,
        timeout=80,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
    assert time.monotonic() - began < 60


def test_it_cannot_write_to_the_terminal(desk: Desk) -> None:
    """Statement 21: neither a browser's output nor what it writes to the terminal itself appears between our lines."""
    noise = "echo noise; echo noise >&2; echo noise > /dev/tty; exec 3<&0; read line"
    browser = f"sh -c '{noise}; exec {VISITOR} $0'"
    program = desk.cli.on_terminal("login", env={**desk.env, "BROWSER": browser})
    finished = program.wait()
    assert finished.returncode == 0
    assert "Signed in as" in finished.screen
    assert "noise" not in finished.screen


def test_one_that_is_still_open_does_not_keep_the_login(desk: Desk, home: Path) -> None:
    """Statement 21: the login ends while its browser stays, which holds none of our streams."""
    number = home / "number"
    browser = f"sh -c 'echo $$ > {number}; {VISITOR} $0; exec sleep 60'"
    finished = desk.run("login", BROWSER=browser, PYTHONDEVMODE="1", PYTHONWARNINGS="error")
    try:
        assert finished.returncode == 0
        assert finished.seconds < 50
        assert "Warning" not in finished.stderr
        os.kill(int(number.read_text()), 0)  # it is there
    finally:
        os.kill(int(number.read_text()), 9)
