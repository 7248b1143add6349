"""A whole login over SSH, under WSL, in a container and on a desktop.

The command runs on a machine that claims to be another one: its kernel's release and the marks of a container are what
a test says, and its environment and the programs on its PATH are made for the purpose.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.logins import Desk
from tests.support.programs import Program
from tests.support.visitor import VISITOR, visit

WSL_KERNEL = "5.15.153.1-microsoft-standard-WSL2"
SSH = {"SSH_CONNECTION": "198.51.100.4 50312 192.0.2.7 22", "LOGNAME": "alice"}

# `withings-auth` with os.uname and the two files as the first two arguments say.
ELSEWHERE = """
import os, pathlib, runpy, sys
release, mark = sys.argv[1:3]
del sys.argv[1:3]
uname, exists = os.uname(), pathlib.Path.exists
os.uname = lambda: os.uname_result((uname[0], uname[1], release, *uname[3:]))
marks = {"/.dockerenv", "/run/.containerenv"}
pathlib.Path.exists = lambda path: str(path) == mark if str(path) in marks else exists(path)
runpy.run_module("withings_auth", run_name="__main__", alter_sys=True)
"""

# A program on the PATH: it notes its arguments, makes a noise, and does what the test wants.
PROGRAM = """#!{python}
import http.client, json, pathlib, subprocess, sys, urllib.parse
pathlib.Path({notes!r}).write_text(json.dumps(sys.argv))
print("noise")
print("noise", file=sys.stderr)
{action}
"""
VISIT = f"sys.exit(subprocess.call([*{shlex.split(VISITOR)!r}, sys.argv[-1]]))"
LOOK_FIRST = """
parts = urllib.parse.urlsplit(sys.argv[-1])
first = http.client.HTTPConnection(parts.netloc, timeout=60)
first.request("HEAD", parts.path)
first.getresponse().read()
"""


@dataclass(slots=True, kw_only=True)
class Place:
    """A desk on another machine."""

    desk: Desk
    bin: Path
    kernel: str = "6.1.0-generic"
    mark: str = "nowhere"
    env: dict[str, str | None] = field(default_factory=dict)

    def install(self, name: str, action: str = VISIT) -> None:
        """Puts a program on the PATH, which is empty otherwise."""
        program = self.bin / name
        program.write_text(PROGRAM.format(python=sys.executable, notes=str(self._notes(name)), action=action))
        program.chmod(0o755)

    def arguments(self, name: str) -> list[str] | None:
        """What the program was called with, without its own name; None if it was not called."""
        notes = self._notes(name)
        return json.loads(notes.read_text())[1:] if notes.exists() else None

    def _notes(self, name: str) -> Path:
        return self.bin.parent / f"{name}.called"

    def log_in(self, *flags: str) -> Program:
        """Starts a login there."""
        env = {**self.desk.env, "PATH": str(self.bin), **self.env}
        return self.desk.cli.by(ELSEWHERE).start(self.kernel, self.mark, "login", *flags, env=env)


@pytest.fixture
def place(desk: Desk, home: Path) -> Place:
    """A plain Linux machine without a display or a browser."""
    (home / "bin").mkdir()
    return Place(desk=desk, bin=home / "bin", env={"LOGNAME": "somebody", "USER": "somebody"})


def told(program: Program) -> str:
    """What a login printed that a browser completed."""
    finished = program.wait()
    assert finished.returncode == 0, finished.stderr
    assert "noise" not in finished.stdout + finished.stderr
    assert finished.stdout == ""
    return finished.stderr


def by_hand(program: Program, why: str) -> str:
    """The login says why no browser was opened, and the address opens by hand; returns all that was told."""
    program.stderr.expect(f"^No browser was opened \\({why}\\)\\.\n")
    visit(program.stderr.line(r"^http\S+"))
    return told(program)


def sandbox_port(desk: Desk) -> str:
    """What `ssh -L` forwards besides: this Withings is on the same machine."""
    port = urlsplit(desk.sandbox.url).port
    return f"{port}:127.0.0.1:{port}"


class TestSsh:
    def test_the_command_to_copy_is_shown(self, place: Place) -> None:
        """The command has a line to itself before the address, and no browser is tried, despite a forwarded display."""
        place.env |= {**SSH, "DISPLAY": "localhost:10.0"}
        place.install("xdg-open")
        said = by_hand(place.log_in(), "this is a session over SSH").splitlines()
        line = f"ssh -L {place.desk.port}:localhost:{place.desk.port} -L {sandbox_port(place.desk)} alice@192.0.2.7"
        assert said.index("Then open this address in the browser there:") > said.index(line)
        assert "on that computer" in " ".join(said[: said.index(line)])
        assert place.arguments("xdg-open") is None

    def test_it_is_shown_without_browser_too(self, place: Place) -> None:
        """--no-browser over SSH leaves the same problem, so it gets the same help."""
        place.env |= SSH
        program = place.log_in("--no-browser")
        program.stderr.expect(f"(?m)^ssh -L {place.desk.port}:localhost:{place.desk.port} -L .* alice@192.0.2.7$")
        visit(program.stderr.line(r"^http\S+"))
        told(program)

    def test_a_named_browser_is_tried(self, place: Place) -> None:
        """An editor's remote terminal names a browser that opens on the user's side, so nothing else is printed."""
        place.env |= {**SSH, "BROWSER": "helper"}
        place.install("helper")
        assert "ssh -L" not in told(place.log_in())
        assert place.arguments("helper") is not None

    def test_a_named_browser_that_fails(self, place: Place) -> None:
        """If the named browser fails, the user gets the command and the address after all."""
        place.env |= {**SSH, "BROWSER": "helper"}
        place.install("helper", "sys.exit(3)")
        program = place.log_in()
        program.stderr.expect(r"The browser ended with an error\.")
        program.stderr.expect(r"(?m)^ssh -L \d+:localhost:\d+ -L \S+ alice@192.0.2.7$")
        visit(program.stderr.line(r"^http\S+"))
        told(program)

    def test_a_hostile_environment_steers_no_terminal(self, place: Place) -> None:
        """Statement 35: names and addresses that would steer a terminal or a shell do not reach it."""
        place.env |= {"SSH_CONNECTION": "a b \x1b]0;x\x07 22", "LOGNAME": "$(id)\x1b[2J", "USER": "`id`"}
        said = by_hand(place.log_in(), "this is a session over SSH")
        line = f"ssh -L {place.desk.port}:localhost:{place.desk.port} -L {sandbox_port(place.desk)} USER@HOST\n"
        assert line in said
        assert "\x1b" not in said
        assert "id)" not in said


class TestWsl:
    @pytest.fixture(autouse=True)
    def windows(self, place: Place) -> None:
        place.kernel = WSL_KERNEL
        place.env["WSL_DISTRO_NAME"] = "Debian"

    def test_wslview_comes_first(self, place: Place) -> None:
        """Statements 20 and 21: one argument, our short address; the HEAD that wslview asks first uses nothing up."""
        place.install("wslview", LOOK_FIRST + VISIT)
        place.install("rundll32.exe")
        said = told(place.log_in())
        assert "Opening your browser" in said
        arguments = place.arguments("wslview") or []
        assert [argument.rpartition("/")[0] for argument in arguments] == [f"http://localhost:{place.desk.port}/start"]
        assert place.arguments("rundll32.exe") is None

    def test_else_the_windows_side_without_a_shell(self, place: Place) -> None:
        """Statements 20 and 25: an argument vector for Windows' own opener; no `state` in it, and no shell between."""
        for name in ("rundll32.exe", "explorer.exe", "cmd.exe", "powershell.exe"):
            place.install(name)
        told(place.log_in())
        arguments = place.arguments("rundll32.exe") or []
        assert arguments[0] == "url.dll,FileProtocolHandler"
        assert arguments[1].startswith(f"http://localhost:{place.desk.port}/start/")
        assert len(arguments) == 2
        assert [place.arguments(name) for name in ("explorer.exe", "cmd.exe", "powershell.exe")] == [None] * 3

    def test_the_exit_code_of_explorer_means_nothing(self, place: Place) -> None:
        """explorer.exe ends with 1 at once, whatever it did: no failure is reported, and the browser comes later."""
        place.install(
            "explorer.exe",
            f"later = 'sleep 1; exec {VISITOR} $0'\n"
            "subprocess.Popen(['/bin/sh', '-c', later, sys.argv[-1]], env={'PATH': '/bin'}, stdout=-3, stderr=-3)\n"
            "sys.exit(1)",
        )
        said = told(place.log_in())
        assert "error" not in said
        assert "Open this address" not in said

    def test_a_way_that_fails_is_noticed(self, place: Place) -> None:
        """If Windows cannot be reached after all, the address is printed at once."""
        place.install("wslview", "sys.exit(1)")
        program = place.log_in()
        program.stderr.expect(r"The browser ended with an error\.")
        visit(program.stderr.line(r"^http\S+"))
        told(program)

    def test_without_a_way_to_windows(self, place: Place) -> None:
        """Neither wslview nor Windows' own programs on the PATH: the address is printed with that reason."""
        place.install("xdg-open")  # which would open a browser of Linux that nobody sees
        by_hand(place.log_in(), "no way to open a Windows browser")
        assert place.arguments("xdg-open") is None

    def test_a_browser_of_linux_is_better_than_none(self, place: Place) -> None:
        """With a display, and no way to Windows, the desktop's own opener is tried."""
        place.env["DISPLAY"] = ":0"
        place.install("xdg-open")
        told(place.log_in())
        assert place.arguments("xdg-open") is not None


class TestContainer:
    @pytest.mark.parametrize("mark", ["/.dockerenv", "/run/.containerenv"])
    def test_none_is_tried(self, place: Place, mark: str) -> None:
        """In a container no browser is tried, even with a display and on a WSL kernel."""
        place.mark, place.kernel = mark, WSL_KERNEL
        place.env["DISPLAY"] = ":0"
        for name in ("xdg-open", "wslview", "rundll32.exe"):
            place.install(name)
        said = by_hand(place.log_in(), "this is a container")
        assert "--listen 0.0.0.0:PORT; or use --paste" in said  # since the browser is outside
        assert "Open this address in a browser:" in said
        assert [place.arguments(name) for name in ("xdg-open", "wslview", "rundll32.exe")] == [None] * 3

    @pytest.mark.parametrize("flags", [(), ("--browser", "helper")])
    def test_unless_it_was_named(self, place: Place, flags: tuple[str, ...]) -> None:
        """A browser that was named is tried, by `BROWSER` or by --browser."""
        place.mark = "/.dockerenv"
        place.env["BROWSER"] = None if flags else "helper"
        place.install("helper")
        told(place.log_in(*flags))
        assert place.arguments("helper") is not None


class TestDesktop:
    def test_without_a_display_none_is_tried(self, place: Place) -> None:
        """The address is printed with the reason."""
        place.install("xdg-open")
        by_hand(place.log_in(), "there is no display")
        assert place.arguments("xdg-open") is None

    def test_with_a_display_the_desktop_opens_it(self, place: Place) -> None:
        """Statement 20: the desktop's opener gets the short address and nothing else."""
        place.env["WAYLAND_DISPLAY"] = "wayland-0"
        place.install("xdg-open")
        place.install("firefox")
        told(place.log_in())
        assert len(place.arguments("xdg-open") or []) == 1
        assert place.arguments("firefox") is None

    def test_with_a_display_and_no_browser(self, place: Place) -> None:
        """A desktop without any browser says so."""
        place.env["DISPLAY"] = ":0"
        by_hand(place.log_in(), "none is installed")


@pytest.mark.parametrize("path", ["", "/cb"])
def test_a_literal_of_ipv6_works_over_ssh_too(make_desk: Callable[..., Desk], home: Path, path: str) -> None:
    """The command fits the registered address, whichever loopback one it is."""
    desk = make_desk(host="[::1]", path=path)
    (home / "bin").mkdir()
    program = Place(desk=desk, bin=home / "bin", env={**SSH}).log_in()
    program.stderr.expect(rf"(?m)^ssh -L {desk.port}:\[::1\]:{desk.port} -L \S+ alice@192.0.2.7$")
    visit(program.stderr.line(r"^http\S+"))
    told(program)
