"""`list`: every profile on the machine in one table, whatever its status."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.profiles import DAY, YEAR, move_to_keyring, put
from tests.support.stores import clear_record
from withings_auth.store.file_store import FileStore
from withings_auth.store.records import app_name

if TYPE_CHECKING:
    from tests.support.keyring_daemon import SecretService
    from tests.support.logins import Desk

MOMENT = r"[\d-]{10} \d\d:\d\d"


def test_a_file_that_no_command_can_name_gets_no_command(desk: Desk) -> None:
    """Somebody else put it there; a remedy without its name would be about another profile."""
    put(desk, "first")
    theirs = desk.directory / "token" / "$(touch x).json"
    theirs.write_text("not JSON")
    theirs.chmod(0o600)
    finished = desk.run("list")
    assert finished.returncode == 5
    assert "profile $(touch x): the stored token record" in finished.stderr
    assert "withings-auth log" not in finished.stderr


def test_the_table_is_aligned(desk: Desk) -> None:
    """One line for each profile, sorted by name, with the columns under their headings."""
    put(desk, "second", person=2, age=11_000)
    put(desk, "a-rather-long-name")
    finished = desk.run("list")
    assert (finished.returncode, finished.stderr) == (0, "")
    head, first, second = finished.stdout.splitlines()
    assert re.fullmatch(r"PROFILE +USER +ACCESS TOKEN +LOGIN", head)
    assert re.fullmatch(rf"a-rather-long-name  38210457  valid for 2 h \d+ min  until {MOMENT}", first)
    assert re.fullmatch(rf"second              38210461  expired +until {MOMENT}", second)
    assert head.index("ACCESS TOKEN") == first.index("valid for") == second.index("expired")


def test_one_that_cannot_be_read_does_not_hide_the_rest(desk: Desk) -> None:
    """Its line says so, its error names the profile, and the exit code is that of the store."""
    put(desk, "first")
    put(desk, "second", person=2)
    (desk.directory / "token" / "second.json").write_text("not JSON at all")
    finished = desk.run("list")
    assert finished.returncode == 5
    assert re.search(r"(?m)^second +\? +cannot be read +\?$", finished.stdout)
    assert re.search(r"(?m)^first +38210457 ", finished.stdout)
    assert "error: profile second: the stored token record is not one that withings-auth wrote" in finished.stderr


def test_a_file_with_a_hostile_name_reaches_no_terminal(desk: Desk) -> None:
    """Statement 22: file names are text from outside."""
    put(desk)
    (desk.directory / "token" / "\x1b[2Jowned.json").write_text("{}")
    finished = desk.run("list")
    assert finished.returncode == 5
    assert "\x1b" not in finished.stdout + finished.stderr
    assert "\\x1b[2Jowned" in finished.stdout


@pytest.mark.parametrize(("age", "code", "login"), [(YEAR - DAY, 0, "until "), (YEAR + DAY, 3, "log in again")])
def test_the_exit_code_is_that_of_the_worst_login(desk: Desk, age: int, code: int, login: str) -> None:
    """One login that has ended is enough for 3."""
    put(desk)
    put(desk, "old", person=2, age=age)
    finished = desk.run("list")
    assert finished.returncode == code
    assert re.search(rf"(?m)^old .*  {login}", finished.stdout)


@pytest.mark.parametrize(("age", "code"), [(600, 0), (10_900, 3)])
def test_a_lost_client_secret(desk: Desk, age: int, code: int) -> None:
    """The line says to save it again, before and after the access token has expired."""
    desk.env["WITHINGS_CLIENT_SECRET"] = None
    put(desk, age=age)
    clear_record(FileStore(desk.directory), app_name(desk.sandbox.client_id))
    finished = desk.run("list")
    assert finished.returncode == code
    assert finished.stdout.rstrip().endswith("no client secret: configure")


def test_nobody(desk: Desk) -> None:
    """An empty answer, exit 3, and a hint."""
    finished = desk.run("list")
    assert (finished.returncode, finished.stdout) == (3, "")
    assert "hint: log in: withings-auth login" in finished.stderr
    assert json.loads(desk.run("list", "--json").stdout) == {"format_version": 1, "profiles": []}


def test_as_json(desk: Desk) -> None:
    """The fields of `status` for each, or the error of one that cannot be read; no secret in either."""
    put(desk, "first")
    put(desk, "second", person=2)
    (desk.directory / "token" / "second.json").write_text("not JSON at all")
    finished = desk.run("list", "--json")
    first, second = json.loads(finished.stdout)["profiles"]
    assert (first["profile"], first["userid"], first["usable"]) == ("first", "38210457", True)
    assert second == {
        "profile": "second",
        "usable": False,
        "error": "the stored token record is not one that withings-auth wrote",
    }
    assert finished.returncode == 5


def test_a_keyring_whose_index_is_lost(desk: Desk, secret_service: SecretService) -> None:
    """The configured profile is looked for anyway, so `list` finds what `token` finds."""
    put(desk)
    move_to_keyring(desk, secret_service)
    finished = desk.run("list")
    assert finished.returncode == 0, finished.stderr
    assert re.search(r"(?m)^default +38210457 ", finished.stdout)
