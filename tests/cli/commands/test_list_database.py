"""Hundreds of profiles in a database: one query for all of them, and one for a token."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.profiles import put
from tests.support.stores import clear_record, save_record
from withings_auth.config.places import state_directory
from withings_auth.model import Grant
from withings_auth.store import open_named_store
from withings_auth.store.base import SecretStore
from withings_auth.store.file_store import FileStore
from withings_auth.store.looks import look_at
from withings_auth.store.records import app_name, token_name
from withings_auth.store.rekeying import prepare_key
from withings_auth.store.sealed_store import SealedStore
from withings_auth.tokens.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.logins import Desk
    from tests.support.postgresql import Server

PROFILES = [f"patient-{number:03}" for number in range(12)]


@pytest.fixture(params=["", "sealed=off"], ids=["sealed", "open"])
def name(
    desk: Desk, postgresql: Server, home: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> str:
    """The name of a store with these profiles, and the app's credentials; `withings-auth` uses it."""
    monkeypatch.setenv("WITHINGS_AUTH_STORE_KEY_FILE", str(home / "keys"))
    name = postgresql.new_store(request.param)
    store = opened(name)
    if isinstance(store, SealedStore):
        prepare_key(store)
    put(desk)
    (desk.directory / "app").mkdir(exist_ok=True)
    files = FileStore(desk.directory)
    for record in (app_name(desk.sandbox.client_id), token_name("default")):
        save_record(store, record, files.load(record) or "")
    for profile in PROFILES:
        save_record(store, token_name(profile), files.load(token_name("default")) or "")
    clear_record(store, token_name("default"))
    desk.env["WITHINGS_AUTH_STORE"] = name
    desk.env["WITHINGS_AUTH_STORE_KEY_FILE"] = str(home / "keys")
    desk.env["WITHINGS_CLIENT_SECRET"] = None
    return name


def opened(name: str) -> SecretStore:
    return open_named_store(name, state_directory())


def queries(desk: Desk, postgresql: Server, name: str, *command: str) -> list[str]:
    """Runs a command; returns the statements about records that it has sent."""
    with postgresql.listening() as (user, heard):
        finished = desk.run(*command, WITHINGS_AUTH_STORE=name.replace("owner@", f"{user}@"))
        assert finished.returncode == 0, finished.stderr
    assert len(heard) > 1  # it has connected
    return [statement for statement in heard if '"record"' in statement]


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(
    ("command", "number"),
    [
        (("list",), 1),
        (("status", "--all", "--json"), 1),
        (("token", "--profile", PROFILES[7]), 1),
        (("status", "--profile", PROFILES[7]), 2),  # the login, and whether its app's client secret is saved
    ],
)
def test_one_query_for_a_list_and_one_row_for_a_token(
    desk: Desk, postgresql: Server, name: str, command: tuple[str, ...], number: int
) -> None:
    asked = queries(desk, postgresql, name, *command)
    assert len(asked) == number, asked


@pytest.mark.usefixtures("name", "unmeasured")
def test_status_of_all_is_what_list_prints(desk: Desk) -> None:
    listed = desk.run("list", "--json")
    found = json.loads(listed.stdout)["profiles"]
    assert [profile["profile"] for profile in found] == PROFILES
    assert all(profile["usable"] and profile["client_secret_known"] for profile in found)
    assert desk.run("status", "--all", "--json").stdout == listed.stdout
    assert desk.run("status", "--all").stdout.startswith("PROFILE ")
    single = json.loads(desk.run("status", "--json", "--profile", PROFILES[3]).stdout)
    assert found[3].items() <= single.items()
    assert desk.run("status", "--profile", "nobody").returncode == 3


@pytest.mark.usefixtures("unmeasured")
def test_what_is_under_way_refused_unknown_or_damaged_shows(desk: Desk, postgresql: Server, name: str) -> None:
    """As with one query for each; nobody is waited for."""
    store = opened(name)
    refused, unknown, damaged, held = PROFILES[:4]
    for profile in (refused, unknown):
        with store.lock(token_name(profile), 1) as lock:
            Journal(lock.notes, Grant.from_record(store.load(token_name(profile)) or "")).begin(time.time() - 60)
            if profile == refused:
                note = json.loads(lock.notes.recall() or "")
                note |= {"unknown_since": None, "refusal": {"at": 100.0, "words": "invalid refresh_token"}}
                lock.notes.note(json.dumps(note))
    schema = name.partition("schema=")[2].partition("&")[0]
    damage = "UPDATE {}.record SET text = 'x' WHERE name = %s"
    postgresql.execute(damage.format(schema), (token_name(damaged),))
    with store.lock(token_name(held), 1):
        listed = desk.run("list", "--json")
    found = {profile.pop("profile"): profile for profile in json.loads(listed.stdout)["profiles"]}
    assert listed.returncode == 5
    assert found[refused]["renewal_refused_at"] == 100
    assert found[unknown]["renewal_unknown_until"] > time.time()
    assert found[damaged]["usable"] is False
    assert "error" in found[damaged]
    assert [profile for profile, fields in found.items() if fields.get("renewal_under_way")] == [held]


def test_a_look_at_some_names_finds_only_them(name: str) -> None:
    store = opened(name)
    looks = look_at(store, [token_name(PROFILES[0]), token_name("nobody")])
    assert looks is not None
    assert list(looks) == [token_name(PROFILES[0])]
    assert looks[token_name(PROFILES[0])].text == store.load(token_name(PROFILES[0]))
    assert "access_token" not in repr(looks)
