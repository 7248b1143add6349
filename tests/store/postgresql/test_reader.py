"""A reader: a database user who gets tokens of some profiles through us, and nothing else, whatever it tries."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.support.profiles import put
from tests.support.stores import save_record
from withings_auth.config.places import state_directory
from withings_auth.errors import LockBusy, StoreUnavailable
from withings_auth.store import open_named_store
from withings_auth.store.base import SecretStore, is_read_only
from withings_auth.store.file_store import FileStore
from withings_auth.store.keys import KEY_FILE_VARIABLE
from withings_auth.store.postgresql.address import parse_address
from withings_auth.store.postgresql.database_store import PostgresStore
from withings_auth.store.postgresql.tables import schema_sql
from withings_auth.store.records import app_name, load_grant, token_name
from withings_auth.store.rekeying import prepare_key
from withings_auth.store.sealed_store import SealedStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.logins import Desk
    from tests.support.postgresql import Server

pytestmark = pytest.mark.usefixtures("unmeasured")

MINE, OTHER = "anna", "ben"


class Place:
    """A store with two logins, and users of the database who may do what the printed SQL grants."""

    def __init__(self, desk: Desk, server: Server, parameters: str = "sealed=off") -> None:
        self.desk = desk
        self.server = server
        self.name = server.new_store(parameters)
        self.schema = parse_address(self.name).schema
        self.store = opened(self.name)
        if isinstance(self.store, SealedStore):
            prepare_key(self.store)
        self.put(MINE)
        self.put(OTHER)

    def put(self, profile: str, *, age: int = 600) -> None:
        """Saves a login of this age, and the app's credentials."""
        put(self.desk, profile, age=age)
        files = FileStore(self.desk.directory)
        for name in (app_name(self.desk.sandbox.client_id), token_name(profile)):
            save_record(self.store, name, files.load(name) or "")

    def user(self, kind: str, *, profile: str = MINE) -> str:
        """Makes a user as `store init --print` shows; returns the name of the store for it."""
        role = f"{kind}_{self.schema}"
        self.server.execute(f"CREATE ROLE {role} LOGIN")
        for grant in re.findall(rf"(?m)^--   (.*\ba_{kind}\b.*;)$", schema_sql(self.schema)):
            self.server.execute(grant.replace(f"a_{kind}", role).replace("'default'", f"'{profile}'"))
        return self.name.replace("owner@", f"{role}@")

    def run(self, name: str, *command: str) -> Any:
        """Runs a command with the store of this name, without the app's credentials in the environment."""
        return self.desk.run(*command, WITHINGS_AUTH_STORE=name, WITHINGS_CLIENT_ID=None, WITHINGS_CLIENT_SECRET=None)


@pytest.fixture
def place(desk: Desk, postgresql: Server) -> Place:
    return Place(desk, postgresql)


def opened(name: str) -> SecretStore:
    return open_named_store(name, state_directory())


def test_it_gets_the_tokens_of_its_profiles_only(place: Place) -> None:
    """Others look as if they were not there, and so does the app."""
    name = place.user("reader")
    got = place.run(name, "token", "--profile", MINE)
    assert (got.returncode, got.stdout.strip()) == (0, load_grant(place.store, MINE).access_token), got.stderr
    refused = place.run(name, "token", "--profile", OTHER)
    assert (refused.returncode, refused.stdout) == (3, "")
    assert f"nobody is logged in as profile {OTHER}" in refused.stderr
    listed = place.run(name, "status", "--all", "--json")
    assert [profile["profile"] for profile in json.loads(listed.stdout)["profiles"]] == [MINE]
    assert opened(name).names() == [token_name(MINE)]
    assert listed.returncode == place.run(name, "status", "--profile", MINE).returncode == 0


def test_it_never_sends_a_refresh_that_it_could_not_save(place: Place) -> None:
    """Statement 54: the token is handed out while it lives; after that, the error says who must renew."""
    reader, writer = place.user("reader"), place.user("writer")
    place.put(MINE, age=10_800 - 30)
    assert place.run(reader, "token", "--profile", MINE, "--min-valid", "60").returncode == 0
    place.put(MINE, age=11_000)
    for command in (("token",), ("token", "--renew"), ("status", "--check")):
        refused = place.run(reader, *command, "--profile", MINE)
        assert refused.returncode == 4, refused.stderr
        assert f"the login of profile {MINE} must be renewed by somebody else: the PostgreSQL dat" in refused.stderr
        hint = f"as by a timer that runs: withings-auth token --profile {MINE} --min-valid 3600"
        assert hint in refused.stderr
    assert place.desk.sandbox.counters.refreshes == 0
    status = place.run(reader, "status", "--profile", MINE)
    assert status.returncode == 0
    assert "expired; somebody else must renew it" in status.stdout
    renewed = place.run(writer, "token", "--profile", MINE)
    assert renewed.returncode == 0, renewed.stderr
    assert place.run(reader, "token", "--profile", MINE).stdout == renewed.stdout
    assert place.desk.sandbox.counters.refreshes == 1


def test_it_can_neither_lock_nor_save_nor_remove(place: Place) -> None:
    """Before anything is asked or changed: exit 5, and what an administrator can do."""
    name = place.user("reader")
    store = opened(name)
    with pytest.raises(StoreUnavailable, match="lets this user only read") as refused, store.lock(token_name(MINE), 5):
        pass
    assert "withings-auth store init --print" in refused.value.hint
    assert is_read_only(store)
    assert not is_read_only(place.store)
    before = place.store.load(token_name(MINE))
    out = place.run(name, "logout", "--profile", MINE)
    assert (out.returncode, "lets this user only read" in out.stderr) == (5, True)
    assert place.store.load(token_name(MINE)) == before


def test_the_doctor_examines_what_a_reader_has(place: Place) -> None:
    """It needs neither lock nor app."""
    examined = place.run(place.user("reader"), "doctor", "--offline", "--profile", MINE)
    assert examined.returncode == 0, examined.stdout
    assert "Store works   this user only reads: somebody else must renew in time" in examined.stdout
    assert re.search(r"(?m)^skipped +App +somebody else renews$", examined.stdout)
    assert re.search(r"(?m)^ok +Login +user .* lasts until", examined.stdout)


def test_a_star_is_every_profile_and_a_role_lends_its_rights(place: Place) -> None:
    """A role that was dropped is in nobody's way."""
    name = place.user("reader", profile="*")
    member = f"member_{place.schema}"
    place.server.execute(f"CREATE ROLE {member} LOGIN IN ROLE reader_{place.schema}")
    insert = "INSERT INTO {}.reader VALUES ('nobody', '*')"
    place.server.execute(insert.format(place.schema))
    for named in (name, place.name.replace("owner@", f"{member}@")):
        assert opened(named).names() == [token_name(MINE), token_name(OTHER)]
        assert place.run(named, "token", "--profile", OTHER).returncode == 0


def test_it_needs_the_key_of_sealed_logins_which_shows_it_their_refresh_tokens(
    desk: Desk, postgresql: Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is a limit."""
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(home / "keys"))
    place = Place(desk, postgresql, "")
    name = place.user("reader")
    desk.env[KEY_FILE_VARIABLE] = str(home / "none")
    refused = place.run(name, "token", "--profile", MINE)
    assert (refused.returncode, refused.stdout) == (5, "")
    assert "the key " in refused.stderr
    desk.env[KEY_FILE_VARIABLE] = str(home / "keys")
    assert place.run(name, "token", "--profile", MINE).returncode == 0
    assert load_grant(opened(name), MINE) == load_grant(place.store, MINE)


@pytest.fixture
def session(place: Place) -> Iterator[psycopg.Connection[Any]]:
    """What a malicious reader has."""
    with psycopg.connect(parse_address(place.user("reader")).conninfo, autocommit=True) as session:
        yield session


FORBIDDEN = """
SELECT text FROM {0}.record
SELECT count(*) FROM {0}.record
COPY {0}.record TO STDOUT
TABLE {0}.reader
INSERT INTO {0}.reader VALUES (current_user, '*')
UPDATE {0}.reader SET profile = '*'
UPDATE {0}.record SET text = NULL
UPDATE {0}.readable SET text = NULL
DELETE FROM {0}.readable
INSERT INTO {0}.readable VALUES ('token/mallory', 'x', NULL, 1)
SELECT FROM {0}.readable FOR UPDATE
UPDATE {0}.store SET key_id = 'mine'
TRUNCATE {0}.record
DO 'BEGIN LOCK TABLE {0}.record IN ACCESS SHARE MODE; END'
SELECT nextval('{0}.changes')
CREATE TABLE {0}.mine ()
CREATE OR REPLACE VIEW {0}.readable AS SELECT name, text, note, version FROM {0}.record
ALTER VIEW {0}.readable RESET (security_barrier)
GRANT SELECT ON {0}.record TO current_user
SET ROLE owner
SET SESSION AUTHORIZATION owner
GRANT owner TO current_user
ALTER ROLE current_user SUPERUSER
CREATE FUNCTION pg_temp.leak(text) RETURNS boolean LEAKPROOF LANGUAGE sql AS 'SELECT true'
"""


def test_the_server_refuses_what_it_may_not(place: Place, session: psycopg.Connection[Any]) -> None:
    """Statement 54."""
    for statement in FORBIDDEN.strip().splitlines():
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement.format(place.schema).encode())


def test_no_trick_shows_it_another_row(place: Place, session: psycopg.Connection[Any]) -> None:
    """Statement 54: no functions and tables in front of the view's, no condition that looks at each row."""
    readable = b"SELECT name FROM %s.readable" % place.schema.encode()
    for statement in (
        "CREATE TEMP TABLE reader AS SELECT current_user::text AS role, '*' AS profile",
        "CREATE TEMP TABLE pg_roles AS SELECT oid, rolname FROM pg_catalog.pg_roles",
        "CREATE FUNCTION pg_temp.pg_has_role(oid, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
        "CREATE FUNCTION pg_temp.starts_with(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
        "SET search_path = pg_temp, pg_catalog",
        "SET row_security = off",
    ):
        session.execute(statement.encode())
        assert session.execute(readable).fetchall() == [(token_name(MINE),)], statement
    seen: list[str] = []
    session.add_notice_handler(lambda notice: seen.append(notice.message_primary or ""))
    session.execute(
        "CREATE FUNCTION pg_temp.leak(name text) RETURNS boolean COST 0.0000001 LANGUAGE plpgsql"
        " AS 'BEGIN RAISE NOTICE ''%'', name; RETURN true; END'"
    )
    session.execute(readable + b" WHERE pg_temp.leak(name)")
    assert seen == [token_name(MINE)]
    assert session.execute(readable + b" WHERE 1 / (length(name) - length('token/ben')) > 1").fetchall() == []


def test_a_lock_that_it_takes_by_hand_only_holds_others_up(place: Place, session: psycopg.Connection[Any]) -> None:
    """Which is a limit. Tokens are still handed out, and nothing is sent without the lock."""
    with place.store.lock(token_name(OTHER), 1):
        locks = "SELECT classid::bigint, objid::bigint FROM pg_locks WHERE locktype = 'advisory'"
        ((high, low),) = place.server.execute(locks)
    session.execute("SELECT pg_advisory_lock((%s::bigint << 32) | %s::bigint)", (high, low))
    with pytest.raises(LockBusy), place.store.lock(token_name(OTHER), 0):
        pass
    assert place.run(place.name, "token", "--profile", OTHER).returncode == 0
    assert place.run(place.name, "status", "--profile", OTHER).returncode == 0
    session.close()
    with place.store.lock(token_name(OTHER), 20):
        pass


def test_who_may_do_nothing_is_sent_to_the_administrator(place: Place) -> None:
    role = f"nobody_{place.schema}"
    place.server.execute(f"CREATE ROLE {role} LOGIN")
    refused = place.run(place.name.replace("owner@", f"{role}@"), "token", "--profile", MINE)
    assert refused.returncode == 5
    assert "withings-auth store init --print" in refused.stderr


def test_a_writer_does_everything(place: Place) -> None:
    """With no more than what is granted to it."""
    store = opened(place.user("writer"))
    assert isinstance(store, PostgresStore)
    with store.lock("token/new", 5) as held:
        held.save("text")
        held.notes.note("a note")
        assert (store.load("token/new"), held.notes.recall()) == ("text", "a note")
        assert held.clear()
    assert not is_read_only(store)
    store.set_sealing_key("0" * 16)
    assert place.server.execute(f"TABLE {place.schema}.store")[0][-1] == "0" * 16


def test_its_machine_is_set_up_by_the_same_commands(
    home: Path, desk: Desk, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(home / "keys"))
    desk.env[KEY_FILE_VARIABLE] = str(home / "keys")
    place = Place(desk, postgresql, "")
    reader = place.user("reader")
    unset = {"WITHINGS_AUTH_STORE": None, "WITHINGS_CLIENT_ID": None, "WITHINGS_CLIENT_SECRET": None}
    for command in (["store", "init"], ["configure"]):
        done = desk.run(*command, "--store", reader, **unset)
        assert done.returncode == 0, done.stderr
    assert desk.run("token", "--profile", MINE, **unset).returncode == 0
