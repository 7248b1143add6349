"""What happens to mum's login, and what a pasted command does about it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.support.logins import Desk

MUM = ("--profile", "mum")


def record(desk: Desk, profile: str = "mum") -> Path:
    return desk.directory / "token" / f"{profile}.json"


def app_record(desk: Desk) -> Path:
    return desk.directory / "app" / f"{desk.sandbox.client_id}.json"


def app(desk: Desk) -> dict[str, str]:
    """The variables of the app that both logins belong to."""
    return {"WITHINGS_CLIENT_ID": desk.sandbox.client_id, "WITHINGS_CLIENT_SECRET": desk.sandbox.client_secret}


def age(desk: Desk, seconds: int) -> None:
    """Makes the login look older."""
    content = json.loads(record(desk).read_text())
    content |= {name: content[name] - seconds for name in ("obtained_at", "expires_at")}
    record(desk).write_text(json.dumps(content))


def end(desk: Desk) -> None:
    """Withings ends the login, and the access token expires."""
    desk.sandbox.kill_refresh_token(json.loads(record(desk).read_text())["refresh_token"])
    age(desk, 10_800)


def spoil_secret(desk: Desk) -> None:
    """The saved client secret is wrong, and a renewal is due."""
    app_record(desk).write_text(app_record(desk).read_text().replace(desk.sandbox.client_secret, "wrong"))
    age(desk, 10_800)


def lose_secret(desk: Desk, text: str | None = None) -> None:
    """The client secret is gone, or its record is this text, and a renewal is due."""
    app_record(desk).unlink()
    if text is not None:
        app_record(desk).write_text(text)
        app_record(desk).chmod(0o600)
    age(desk, 10_800)


def works(desk: Desk, words: list[str]) -> None:
    """The command does what it says."""
    finished = desk.run(*words)
    assert finished.returncode == 0, finished.stderr


def never_mind(_: Desk, __: list[str]) -> None:
    """Another trouble has shown already where this command leads."""


def logs_in(desk: Desk, words: list[str]) -> None:
    """The command logs mum in, with the app that she had."""
    pending = desk.start(*words[1:], **app(desk))
    pending.allow(person=2)
    assert pending.wait().returncode == 0
    works(desk, ["token", *MUM])


def asks_for_the_secret(desk: Desk, words: list[str]) -> None:
    """The command asks for everything, and proposes the right app: Enter and the secret are enough."""
    program = desk.cli.on_terminal(*words, env=desk.env)
    program.screen.expect(re.escape(f"Client id [{desk.sandbox.client_id}]: "))
    program.type("\n")
    program.screen.expect("Client secret")
    program.type(f"{desk.sandbox.client_secret}\n")
    for _ in range(2):
        program.screen.expect(r"\]: ")
        program.type("\n")
    assert program.wait().returncode == 0
    works(desk, ["token", *MUM])


def removes(desk: Desk, words: list[str]) -> None:
    """The command removes mum's login."""
    works(desk, words)
    assert not record(desk).exists()


def removes_and_logs_in(desk: Desk, words: list[str]) -> None:
    """After the command a login works; with `NAME` in place of the profile it would be another one's."""
    removes(desk, words)
    logs_in(desk, ["login", *MUM])


def renews(desk: Desk, words: list[str]) -> None:
    """The command takes the rejected token from a pipe."""
    old = json.loads(record(desk).read_text())["access_token"]
    shown: list[str] = []
    finished = desk.cli(*words, stdin=f"{old}\n", env=desk.env, allow=shown)
    shown += desk.sandbox.live_access_tokens
    assert finished.returncode == 0, finished.stderr
    assert old not in finished.stdout


def imports(desk: Desk, words: list[str]) -> None:
    """The command reads standard input, into mum's profile."""
    pair = desk.sandbox.issue_pair(desk.sandbox.people[1])
    text = json.dumps({"access_token": "a", "refresh_token": pair.refresh_token, "userid": pair.userid})
    finished = desk.cli(*words, stdin=text, env={**desk.env, **app(desk)})
    assert finished.returncode == 0, finished.stderr
    works(desk, ["token", *MUM])


def takes_back(desk: Desk, words: list[str]) -> None:
    """The command takes the login back from the file of the program that renewed it."""
    pair = desk.sandbox.issue_pair(desk.sandbox.people[1])
    file = desk.directory.parent / "their file.json"
    file.write_text(json.dumps({"access_token": "a", "refresh_token": pair.refresh_token, "userid": pair.userid}))
    finished = desk.run(*(str(file) if word == "FILE" else word for word in words), **app(desk))
    assert finished.returncode == 0, finished.stderr
    works(desk, ["token", *MUM])


def asks_for_the_address(desk: Desk, words: list[str]) -> None:
    """On a terminal the command waits for the pasted address."""
    program = desk.cli.on_terminal(*words, env={**desk.env, **app(desk)})
    program.screen.expect("paste it here and press Enter")
    program.type("\x03")
    assert program.wait().returncode == 130
