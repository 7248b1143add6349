"""What the doctor says about a store in a database: nothing about a keyring that it does not need."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.stores import save_record
from withings_auth.config.places import state_directory
from withings_auth.doctor import cron, database, storage
from withings_auth.doctor.results import Verdict, ok, run_check, skipped
from withings_auth.store import open_named_store
from withings_auth.store.base import SecretStore
from withings_auth.store.postgresql import queries
from withings_auth.store.rekeying import prepare_key
from withings_auth.store.sealed_store import SealedStore

if TYPE_CHECKING:
    from tests.support.postgresql import Server
    from tests.support.programs import Cli


def opened(name: str) -> SecretStore:
    return open_named_store(name, state_directory())


def sealed(name: str) -> SealedStore:
    store = opened(name)
    assert isinstance(store, SealedStore)
    prepare_key(store)
    return store


@pytest.fixture(params=["sealed with a key in a file", "not sealed"])
def store(
    request: pytest.FixtureRequest, postgresql: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SecretStore:
    monkeypatch.setenv("WITHINGS_AUTH_STORE_KEY_FILE", str(tmp_path / "keys"))
    return opened(postgresql.new_store()) if request.param == "not sealed" else sealed(postgresql.new_store(""))


def test_it_is_tried_out(store: SecretStore) -> None:
    """A record is saved, read and removed, and a lock is taken."""
    server = database.check_server(store)
    assert (server.verdict, server.remedy) == (Verdict.OK, "")
    assert re.fullmatch(
        rf"{re.escape(store.description)}; PostgreSQL \d+\S* .*, psycopg 3[.0-9]+, no TLS", server.words
    )
    assert storage.check_round_trip(store, state_directory()).verdict is Verdict.OK
    words = f"a lock in {store.description} keeps others out, on other machines, too"
    assert storage.check_locks(store, state_directory()) == ok(words)
    also = "; a cron job needs WITHINGS_AUTH_STORE_KEY_FILE, too" if isinstance(store, SealedStore) else ""
    assert cron.check_session_bus(store, works=True) == skipped(f"no keyring is used{also}")
    assert store.names() == []


def test_whether_its_records_are_sealed_and_the_keys_here(
    postgresql: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WITHINGS_AUTH_STORE_KEY_FILE", str(tmp_path / "keys"))
    name = postgresql.new_store("")
    found = database.check_keys(opened(name))
    assert (found.verdict, found.remedy) == (Verdict.FAILED, "make one: withings-auth store init")
    store = sealed(name)
    save_record(store, "token/default", "{}")
    (key,) = store.keys.load()
    assert database.check_keys(store) == ok(f"1 record, sealed; the key {key.id} is in {tmp_path}/keys")
    save_record(store.inner, "token/mum", "{}")
    found = database.check_keys(store)
    assert (found.verdict, found.words) == (Verdict.FAILED, "records that are not sealed: 1")
    found = database.check_keys(opened(postgresql.new_store()))
    assert (found.verdict, "whoever can read the table can use the logins" in found.words) == (Verdict.WARNING, True)
    monkeypatch.setenv("WITHINGS_AUTH_STORE_KEY_FILE", str(tmp_path / "others"))
    found = database.check_keys(opened(name))
    assert (found.verdict, found.words) == (
        Verdict.FAILED,
        f"{tmp_path}/others does not have the key {key.id}, which is needed",
    )
    assert f"withings-auth store key --show {key.id} | withings-auth store key --add" in found.remedy


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"now": 7230.0}, "; its clock is 2 h ahead of this machine's"),
        ({"now": -90.0}, "; its clock is 1 min 30 s behind this machine's"),
        ({"is_local": False}, ": others in the network can read it"),
        ({"is_local": False, "tls": "TLSv1.3"}, None),
    ],
)
def test_a_server_that_deserves_a_look(
    store: SecretStore, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], words: str | None
) -> None:
    """Its clock differs by more than a minute, or it can be reached in the clear through a network."""
    row = {"version": "15", "tls": None, "is_local": True, "now": 0.0, **change}
    parts = [f"{row['now']} + {{now}}" if key == "now" else _literal(value) for key, value in row.items()]
    monkeypatch.setattr(queries, "SERVER", f"SELECT {', '.join(parts)}")
    found = database.check_server(store)
    assert found.verdict is (Verdict.OK if words is None else Verdict.WARNING)
    assert found.words.endswith(words or ", TLSv1.3")


def _literal(value: object) -> str:
    return "NULL" if value is None else f"'{value}'" if isinstance(value, str) else str(value).lower()


@pytest.mark.parametrize("offline", ["postgresql://plain@db.example.org:1/x", "postgresql://127.0.0.1:1/x?sealed=off"])
def test_the_report_of_one_that_is_away(cli: Cli, offline: str) -> None:
    """It names neither its host nor its user, and what depends on it is skipped."""
    report = cli("doctor", "--offline", env={"WITHINGS_AUTH_STORE": offline})
    assert report.returncode == 1
    assert re.search(
        r"(?m)^FAILED   Store         the database (HOST|127[.]0[.]0[.]1):1/x is out of reach: ", report.stdout
    )
    assert report.stdout.count("skipped  ") > 5
    assert "the database cannot be used" in report.stdout
    assert "example.org" not in report.stdout
    assert "plain" not in report.stdout


def test_the_report_of_one_that_works(cli: Cli, postgresql: Server) -> None:
    name = postgresql.new_store("sealed=off")
    report = cli("doctor", "--offline", env={"WITHINGS_AUTH_STORE": name})
    found = re.findall(r"(?m)^(\w+) +(Store works|Store|Permissions|Lock|Session bus)  ", report.stdout)
    verdicts = {name: verdict for verdict, name in found}
    assert verdicts == {
        "Store": "ok",
        "Store works": "ok",
        "Permissions": "warning",
        "Lock": "ok",
        "Session bus": "skipped",
    }
    assert report.stdout.count("no keyring is used\n") == 1
    refused = cli("doctor", "--offline", env={"WITHINGS_AUTH_STORE": name.replace("owner@", "stranger@")})
    assert 'refuses: role "USER" does not exist' in refused.stdout


def test_a_server_without_a_keyring_hears_what_else_keeps_the_keys(postgresql: Server) -> None:
    """Its remedy is not to choose another store."""
    store = opened(postgresql.new_store(""))
    found = run_check(lambda: database.check_keys(store))
    assert found.verdict is Verdict.FAILED
    assert "no keys for the sealed store: no usable keyring" in found.words
    assert "let WITHINGS_AUTH_STORE_KEY_FILE name one" in found.remedy
    assert "WITHINGS_AUTH_STORE_KEY_FILE" in cron.check_session_bus(store, works=False).remedy
