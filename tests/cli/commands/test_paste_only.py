"""`login --paste`: nothing listens, and the pasted address is the only way back."""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.cli.commands.on_terminal import LOGIN, on_terminal
from tests.support import logins
from tests.support.logins import Desk

HTTPS = "https://me.example/withings"


@pytest.fixture
def afar(desk: Desk, home: Path) -> Iterator[Desk]:
    """A desk whose redirect URI leads to another machine."""
    with logins.Sandbox(redirect_uris=[HTTPS]) as sandbox:
        yield logins.set_up_desk(desk.cli, desk.canaries, home, sandbox, HTTPS, desk.port)


def test_paste_alone_never_listens(afar: Desk) -> None:
    """Statements 2 and 22: --paste needs no address to listen on, and says how long the code lives."""
    login = on_terminal(afar, "--paste")
    query = login.consent()
    afar.canaries.plant("the pasted code", parse_qs(query)["code"][0])
    listening = Path(f"/proc/{login.program.pid}/net/tcp").read_text().splitlines()
    own: set[str] = set()
    for link in Path(f"/proc/{login.program.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            own.add(str(link.readlink()))
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
    desk.keep_store()
    with socket.create_server(("127.0.0.1", desk.port)):
        login = on_terminal(desk, "--paste", "--profile", "Me")
        login.program.type(f"{desk.redirect_uri}/?{login.consent()}\n")
        finished = login.wait()
    assert finished.returncode == 0
    assert "withings-auth token --profile me\n" in finished.screen


def test_paste_alone_and_another_person(afar: Desk) -> None:
    """A paste cannot replace another user's login either."""
    for person, code in ((1, 0), (2, 1)):
        login = on_terminal(afar, "--paste")
        login.program.type(f"{login.consent(person=person)}\n")
        finished = login.wait()
        assert finished.returncode == code
    assert "nothing was saved" in finished.screen


def test_paste_alone_and_no_time_left(afar: Desk) -> None:
    """Statement 15: it ends by itself, and says what to do."""
    finished = afar.cli.on_terminal("login", "--paste", "--timeout", "0.5", env=afar.env).wait()
    assert finished.returncode == 1
    assert "the answer was not pasted within" in finished.screen


def test_paste_alone_and_the_end_of_the_input(afar: Desk) -> None:
    """Ctrl-D means that nothing will be pasted."""
    login = on_terminal(afar, "--paste")
    login.program.type("\x04")
    finished = login.wait()
    assert finished.returncode == 1
    assert "withings-auth: error: nothing was pasted" in finished.screen


def test_paste_alone_in_the_sandbox(desk: Desk) -> None:
    """A sandbox login can be pasted too."""
    login = on_terminal(desk, "--paste", "--sandbox")
    login.program.type(f"{login.consent()}\n")
    finished = login.wait()
    assert (finished.returncode, "The sandbox stops now, and the login with it." in finished.screen) == (0, True)


@pytest.mark.parametrize("script", ["{login} --paste", "echo x | {login} --paste", "{login} --paste </dev/null"])
def test_paste_alone_needs_a_person(desk: Desk, script: str) -> None:
    """Statement 32: without a terminal, or with a pipe, there is nobody to wait for."""
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
