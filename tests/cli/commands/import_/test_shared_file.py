"""Files that hold more than one login, or other things besides."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.commands.import_.steps import NO_APP, import_file, saved_login
from tests.support.logins import Desk


@pytest.fixture
def entries(desk: Desk, home: Path) -> Path:
    """Home Assistant's file, with the logins of two people and much else."""
    withings = [
        {"domain": "withings", "title": name, "data": {"token": {**vars_of(desk, number), "expires_at": 1.5}}}
        for number, name in enumerate(("Anna", "Ben"))
    ]
    others = [{"domain": "mqtt", "title": "x" * 1000, "data": {}}] * 200
    path = home / "core.config_entries"
    path.write_text(json.dumps({"key": "core.config_entries", "data": {"entries": [*others, *withings]}}))
    return path


def vars_of(desk: Desk, person: int) -> dict[str, object]:
    """A new login of the person, as Withings names its fields."""
    pair = desk.sandbox.issue_pair(desk.sandbox.people[person])
    return {"access_token": pair.access_token, "refresh_token": pair.refresh_token, "userid": pair.userid}


def test_on_a_terminal_one_is_chosen(desk: Desk, entries: Path) -> None:
    """By its number; the file is kept without a question, because it holds everything else too."""
    before = entries.read_bytes()
    program = desk.cli.on_terminal("import", str(entries), "--profile", "ben", env=desk.env)
    program.screen.expect("The file holds 2 logins:")
    program.screen.expect(rf"1\. Anna \(user {desk.sandbox.people[0].userid}\)")
    program.screen.expect(rf"2\. Ben \(user {desk.sandbox.people[1].userid}\)")
    program.screen.expect(re.escape("Number of the one to import: "))
    program.type("3\n")
    program.screen.expect("Invalid answer: enter a number from 1 to 2.")
    program.type("2\n")
    finished = program.wait()
    assert finished.returncode == 0, finished.screen
    assert "File format: Home Assistant." in finished.screen
    assert f"Kept {entries}, which holds more." in finished.screen
    assert entries.read_bytes() == before
    assert saved_login(desk, "ben")["userid"] == str(desk.sandbox.people[1].userid)


def test_without_a_terminal_none_is_chosen(desk: Desk, entries: Path) -> None:
    """Exit 2, with their names; nothing is sent."""
    for finished in (import_file(desk, entries), desk.cli("import", "-", stdin=entries.read_text(), env=desk.env)):
        assert finished.returncode == 2
        assert re.search(r"the file holds 2 logins: Anna \(user \d+\), Ben \(user \d+\)", finished.stderr)
        assert "in a terminal you can choose one: withings-auth import " in finished.stderr
    flags = ["--profile", "ben", "--replace", "--keep", "--client-id", desk.sandbox.client_id]
    command = f"withings-auth import {' '.join(flags)} {entries}\n"
    assert command in import_file(desk, entries, *flags).stderr
    assert desk.sandbox.counters.token_requests == 0


def test_it_is_not_removed(desk: Desk, home: Path, entries: Path) -> None:
    """Not even with --remove, which is refused before anything is asked or sent."""
    assert f"{entries} holds more than this login" in import_file(desk, entries, "--remove").stderr
    file = home / ".env"
    token = vars_of(desk, 0)["refresh_token"]
    app = f"WITHINGS_CLIENT_ID={desk.sandbox.client_id}\nWITHINGS_CLIENT_SECRET={desk.sandbox.client_secret}\n"
    file.write_text(f"{app}WITHINGS_REFRESH_TOKEN={token}\n")
    refused = import_file(desk, file, "--replace", "--remove", **NO_APP)
    assert refused.returncode == 2
    assert f"{file} holds more than this login, so it must not be removed" in refused.stderr
    assert f"leave out --remove: withings-auth import --replace {file}" in refused.stderr
    assert desk.sandbox.counters.token_requests == 0
    finished = import_file(desk, file, **NO_APP)
    assert finished.returncode == 0, finished.stderr
    assert f"Kept {file}, which holds more." in finished.stderr
    assert desk.run("token", **NO_APP).returncode == 0


def test_what_powershell_writes_is_imported(desk: Desk, home: Path) -> None:
    """Withings' answer, saved with `>`."""
    file = home / "answer.json"
    answer = {"status": 0, "body": {**vars_of(desk, 0), "scope": "user.info,user.metrics", "expires_in": 10800}}
    file.write_text(json.dumps(answer), encoding="utf-16")
    assert import_file(desk, file, "--remove").returncode == 0
    assert not file.exists()
