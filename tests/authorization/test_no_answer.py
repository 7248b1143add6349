"""A login that gets no answer says what may be wrong at Withings, whose error pages never lead back to it."""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path

import pytest

from tests.support.logins import Desk
from withings_auth import App, login, login_sync
from withings_auth.authorization import flow
from withings_auth.errors import LoginTimeout
from withings_auth.store.memory_store import MemoryStore


def last_line(text: str) -> str:
    return text.splitlines()[-1]


@pytest.mark.parametrize(
    ("ending", "place"),
    [("time-out", "--client-id"), ("time-out", "config.toml"), ("Ctrl-C", "the app that is saved in files")],
)
def test_the_hint_names_where_the_client_id_stands(desk: Desk, home: Path, place: str, ending: str) -> None:
    """With the flag, the file or the store that has it; the time-out and Ctrl-C have the same hint."""
    desk.put_login()
    desk.env |= {"WITHINGS_CLIENT_ID": None, "WITHINGS_CLIENT_SECRET": None}
    flags = ["--client-id", desk.sandbox.client_id] if place == "--client-id" else []
    if place == "config.toml":
        place = f"“client_id” in {home}/.config/withings-auth/config.toml"
        (home / ".config" / "withings-auth").mkdir(parents=True, mode=0o700)
        (home / ".config" / "withings-auth" / "config.toml").write_text(f"client_id = '{desk.sandbox.client_id}'")
    if ending == "time-out":
        finished = desk.run("login", "--no-browser", "--timeout", "0.1", *flags)
    else:
        login = desk.start(*flags)
        login.program.signal(signal.SIGINT)
        finished = login.wait()
        assert finished.stderr.splitlines()[-2] == "withings-auth: error: interrupted"
    hint = last_line(finished.stderr)
    assert hint.startswith("hint: click Allow in the browser; if Withings showed “redirect_uri_mismatch”, register")
    assert f"; if it showed “Invalid clientid”, check {place}" in hint
    assert hint.endswith("; then log in: withings-auth login")


def test_a_program_that_is_interrupted_shows_the_hint_as_one(desk: Desk) -> None:
    """Its traceback has the hint as that of an error does."""

    async def interrupted() -> list[str]:
        counting = asyncio.Event()
        app = App(client_id="id", client_secret="hush", redirect_uri=desk.redirect_uri)
        waiting = asyncio.ensure_future(
            login(app, store=MemoryStore(), open_browser=False, tell=lambda _: None, show=lambda _: counting.set())
        )
        await counting.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await waiting
        return caught.value.__notes__

    (note,) = asyncio.run(interrupted())
    assert note.startswith("hint: click Allow in the browser; ")


def test_ctrl_c_during_a_trial_leads_to_another_trial(desk: Desk) -> None:
    """The sandbox's profile cannot be logged in to in another way, and nobody has registered anything for it."""
    login = desk.start("--sandbox", "--keep")
    login.program.signal(signal.SIGINT)
    hint = "hint: click Allow in the browser; then log in: withings-auth login --sandbox --keep"
    assert last_line(login.wait().stderr) == hint
    login = desk.start("--sandbox")
    login.program.signal(signal.SIGTERM)
    assert last_line(login.wait().stderr) == hint.removesuffix(" --keep")
    with socket.create_server(("127.0.0.1", desk.port)):
        hint = last_line(desk.run("login", "--sandbox").stderr)
    assert hint.endswith("; or use another port: --redirect-uri http://localhost:PORT")


def test_after_a_while_a_line_says_it_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, while the login goes on waiting; a Python program has its client id in the App."""
    assert flow.PATIENCE_SECONDS == 20
    monkeypatch.setattr(flow, "PATIENCE_SECONDS", 0.01)
    told: list[str] = []
    app = App(client_id="id", client_secret="hush", redirect_uri=desk.redirect_uri)
    with pytest.raises(LoginTimeout, match="did not come back"):
        login_sync(app, store=MemoryStore(), open_browser=False, timeout=0.5, tell=told.append)
    assert told[-1] == (
        f"Still waiting: if Withings shows “redirect_uri_mismatch”, register exactly {desk.redirect_uri}; if it shows"
        " “Invalid clientid”, check the client_id of the App."
    )
    assert sum("Still waiting" in line for line in told) == 1
