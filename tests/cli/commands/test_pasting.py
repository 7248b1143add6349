"""At a terminal the address can be pasted while the login listens: it counts like the callback."""

from __future__ import annotations

import socket
from urllib.parse import parse_qs

import pytest

from tests.cli.commands.on_terminal import on_terminal, what_stays
from tests.support.logins import Desk


@pytest.mark.parametrize("form", ["{redirect_uri}/?{query}", "{query}", "?{query}", "https://127.0.0.1/?{broken}"])
def test_the_address_is_pasted(desk: Desk, form: str) -> None:
    """Statements 22 and 23: the address or its query logs in, spoiled or not, and the code is never on the screen."""
    login = on_terminal(desk)
    query = login.consent()
    desk.canaries.plant("the pasted code", parse_qs(query)["code"][0])
    broken = f"{query[:30]}\n{query[30:]}".replace("&", "&amp;")
    login.program.type(form.format(redirect_uri=desk.redirect_uri, query=query, broken=broken) + "\n")
    finished = login.wait()
    assert finished.returncode == 0
    assert "Thank you; getting the tokens from Withings.\nSigned in as" in "\n".join(what_stays(finished.screen))
    assert desk.run("token").returncode == 0


def test_wrong_pastes_are_explained_and_the_right_one_counts(desk: Desk) -> None:
    """Statements 22, 23 and 35: a wrong paste is explained in fixed text and never shown, and you can try again."""
    login = on_terminal(desk)
    screen, code = login.program.screen, desk.canaries.plant("a code of another login")
    for pasted, told in (
        ("", "Nothing was pasted yet"),
        (code, "a code without the state"),
        (f"code={code}", "a code without the state"),
        (f"code={code}&state={'x' * 43}", "the answer to another login"),
        (f"{desk.redirect_uri}/?state={login.state}", "That has no code in it"),
        (login.authorize_url, "an address of Withings itself"),
        (f"https://evil.example/?code={code}", "the address of another page"),
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
    """Statement 13: the same answer again changes nothing, another one is refused; there is one exchange."""
    login = on_terminal(desk)
    desk.sandbox.fail_next("slow", seconds=3.0)
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
    """Statement 13: a browser with the same answer gets the page of the one exchange."""
    login = on_terminal(desk)
    desk.sandbox.fail_next("slow", seconds=3.0)
    query = login.consent()
    login.program.type(f"{query}\n")
    desk.wait_for(lambda: desk.sandbox.counters.faults == 1)
    assert login.get(f"code=another&state={login.state}").status == 410
    assert "You are signed in" in login.get(query).body
    assert login.wait().returncode == 0
    assert desk.sandbox.counters.exchanges == 1
