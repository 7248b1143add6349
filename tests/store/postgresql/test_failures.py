"""What each failure of a real server becomes: worth another try, or something for an administrator to mend."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.canaries import Canaries
from tests.support.ports import free_port
from tests.support.postgresql import DATABASE, Server
from tests.support.stores import save_record
from tests.support.waiting import wait_until
from withings_auth.errors import ConfigurationError, LockLost, StoreNotDurable, StoreUnavailable, WithingsAuthError
from withings_auth.store.postgresql import connection, failures, tables
from withings_auth.store.postgresql.address import parse_address
from withings_auth.store.postgresql.database_store import PostgresStore
from withings_auth.store.postgresql.schema import initialise

NAME = "token/default"
ADDRESS = parse_address("postgresql://db.example.org/withings")


def open_store(name: str) -> PostgresStore:
    return PostgresStore(parse_address(name))


def failure(name: str) -> WithingsAuthError:
    """Returns the error of a load."""
    with pytest.raises(WithingsAuthError) as failed:
        open_store(name).load(NAME)
    assert failed.value.__cause__ is None
    return failed.value


@pytest.fixture(scope="module")
def guarded(postgresql: Server) -> Iterator[Server]:
    """A server on which some users need a password, and some may do nothing."""
    rules = Path(postgresql.data, "pg_hba.conf")
    before = rules.read_text(encoding="utf-8")
    rules.write_text(f"host all anna 127.0.0.1/32 scram-sha-256\nhost all ben 127.0.0.1/32 reject\n{before}")
    postgresql.execute("CREATE ROLE anna LOGIN PASSWORD 'r1ght-s3cr3t'")
    for role in ("ben LOGIN", "guest LOGIN", "nobody NOLOGIN"):
        postgresql.execute(f"CREATE ROLE {role}")
    postgresql.execute("SELECT pg_reload_conf()")
    wait_until(lambda: isinstance(failure(postgresql.name(user="ben", schema="none")), StoreUnavailable))
    yield postgresql
    rules.write_text(before)
    postgresql.execute("SELECT pg_reload_conf()")
    for role in ("anna", "ben", "guest", "nobody"):
        postgresql.execute(f"DROP OWNED BY {role}")
        postgresql.execute(f"DROP ROLE {role}")


class TestNobodyAnswers:
    @pytest.mark.parametrize(
        ("where", "words"),
        [
            ("owner@127.0.0.1:{port}/logins", "Connection refused"),
            ("owner@127.0.0.1:{port},127.0.0.1:{port}/logins", "Connection refused"),
            ("/logins?host=/nowhere/at/all", "No such file or directory"),
            ("db.invalid/logins", "Name or service not known"),
        ],
    )
    def test_the_server_is_away(self, where: str, words: str) -> None:
        """Nobody listens there, or nobody knows where that is: that may be over in a minute."""
        away = failure(f"postgresql://{where.format(port=free_port())}")
        assert isinstance(away, LockLost)
        assert words in str(away)
        assert (away.exit_code, away.temporary) == (4, True)
        assert "ask again" in away.hint

    def test_it_shuts_down_or_starts(self, postgresql: Server) -> None:
        """An orderly end waits for those who are connected, and refuses everybody else for the moment."""
        name = postgresql.new_store()
        store = open_store(name)
        store.load(NAME)
        os.kill(postgresql.pid, signal.SIGTERM)
        try:
            wait_until(lambda: refused_for_now(name))
            assert store.load(NAME) is None
        finally:
            postgresql.restart()
        assert open_store(name).load(NAME) is None

    @pytest.mark.parametrize(
        "words",
        [
            "FATAL:  the database system is starting up",
            "FATAL:  the database system is not yet accepting connections",
            "FATAL:  the database system is in recovery mode",
            "FATAL:  sorry, too many clients already",
            "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
            "FATAL:  terminating connection due to administrator command",
            "SSL SYSCALL error: Connection reset by peer",
            "SSL error: unexpected eof while reading",
            "server closed the connection unexpectedly",
            "",
        ],
    )
    def test_words_about_a_moment(self, words: str) -> None:
        """A connection that was refused has no code, only words."""
        prefix = 'connection failed: connection to server at "192.0.2.1", port 5432 failed: '
        error = failures.explain_connecting(psycopg.OperationalError(prefix + words), ADDRESS)
        assert isinstance(error, LockLost)
        assert str(error).endswith(words.removeprefix("FATAL:  "))

    @pytest.mark.parametrize("words", ["SSL error: wrong version number", "FATAL: was nun?", "invalid socket", ""])
    def test_an_open_connection_without_a_code_is_lost(self, words: str) -> None:
        """Whatever the words are: who was let in before needs no administrator."""
        assert isinstance(failures.explain(psycopg.OperationalError(words), ADDRESS), LockLost)


def test_this_process_may_open_no_more_files(postgresql: Server) -> None:
    """Then nobody can open a connection, nor tell whether an idle one still works, whose descriptor another may get."""
    resource = pytest.importorskip("resource")
    name = postgresql.new_store()
    store, idle = open_store(name), open_store(name)
    idle.load(NAME)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        with pytest.raises(LockLost, match="out of reach"):
            store.load(NAME)
        with contextlib.suppress(LockLost):
            assert idle.load(NAME) is None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert store.load(NAME) is None


def refused_for_now(name: str) -> bool:
    """Whether the server lets nobody in now, and calls that temporary."""
    try:
        open_store(name).load(NAME)
    except LockLost as error:
        return "the database system is shutting down" in str(error)
    return False


def test_the_server_has_no_connection_left_for_long(guarded: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked again for a while: others end soon, as a rule."""
    monkeypatch.setattr(connection, "_ROOM_SECONDS", 0.3)
    guarded.execute("ALTER ROLE guest CONNECTION LIMIT 0")
    full = failure(guarded.name(user="guest"))
    guarded.execute("ALTER ROLE guest CONNECTION LIMIT -1")
    assert isinstance(full, LockLost)
    assert 'too many connections for role "guest"' in str(full)


class TestAnAdministratorIsNeeded:
    @pytest.mark.parametrize(
        ("user", "where", "words"),
        [
            ("anna", "", "no password supplied"),
            ("anna:wr0ng-s3cr3t", "", 'password authentication failed for user "anna"'),
            ("ben", "", "pg_hba.conf rejects connection"),
            ("stranger", "", 'role "stranger" does not exist'),
            ("nobody", "", 'role "nobody" is not permitted to log in'),
            ("owner", "sslmode=verify-full", "server does not support SSL, but SSL was required"),
            ("owner", "sslmode=perhaps", 'invalid sslmode value: "perhaps"'),
        ],
    )
    def test_to_let_the_user_in(self, guarded: Server, user: str, where: str, words: str) -> None:
        refused = failure(guarded.name(where, user=user))
        assert isinstance(refused, StoreUnavailable)
        assert words in str(refused)
        assert refused.exit_code == 5
        assert "s3cr3t" not in f"{refused} {refused.hint} {refused!r}"

    def test_to_make_the_database(self, guarded: Server) -> None:
        refused = failure(f"postgresql://owner@{guarded.host}/nowhere")
        assert str(refused) == f'the database {guarded.host}/nowhere refuses: database "nowhere" does not exist'
        assert isinstance(refused, StoreUnavailable)

    def test_to_make_the_tables(self, guarded: Server) -> None:
        """The hint is the command for it, whether the schema or a table is missing."""
        for schema in ("not_there", "pg_catalog"):
            refused = failure(guarded.name(schema=schema))
            assert isinstance(refused, StoreUnavailable)
            assert refused.hint.endswith("withings-auth store init")

    def test_to_make_the_tables_again(self, postgresql: Server) -> None:
        """They have vanished under a program that lives on."""
        name = postgresql.new_store()
        store = open_store(name)
        store.load(NAME)
        postgresql.execute(f"DROP SCHEMA {parse_address(name).schema} CASCADE")
        with pytest.raises(StoreUnavailable, match="does not exist") as refused:
            store.load(NAME)
        assert refused.value.hint.endswith("withings-auth store init")

    def test_to_grant_privileges(self, guarded: Server) -> None:
        """A user who may do nothing, and one who may read, are told what is missing before anything is lost."""
        name = guarded.new_store().replace("//owner@", "//guest@")
        schema = parse_address(name).schema
        refused = failure(name)
        assert isinstance(refused, StoreUnavailable)
        assert f"permission denied for schema {schema}" in str(refused)
        assert "store init --print" in refused.hint
        guarded.execute(f"GRANT USAGE ON SCHEMA {schema} TO guest")
        guarded.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO guest")
        store = open_store(name)
        assert store.load(NAME) is None
        with pytest.raises(StoreNotDurable, match="permission denied for table record") as unsaved:
            save_record(store, NAME, "text")
        assert "store init --print" in unsaved.value.hint

    def test_a_password_that_is_right_is_shown_nowhere(self, guarded: Server, canaries: Canaries) -> None:
        """libpq takes it from the name, and everything that follows does without it."""
        canaries.plant("password", "r1ght-s3cr3t")
        name = guarded.name(user="anna:r1ght-s3cr3t", schema="not_there")
        refused = failure(name)
        assert f"{guarded.host}/{DATABASE}/not_there refuses: " in str(refused)
        assert "s3cr3t" not in f"{refused} {refused.hint} {refused!r} {open_store(name).description}"

    def test_to_name_the_primary_server(self, postgresql: Server) -> None:
        """A real standby can be read; what would be saved there is refused in time."""
        name = postgresql.new_store()
        standby = Path(postgresql.data, "standby.signal")
        standby.touch()
        postgresql.restart()
        try:
            store = open_store(name)
            assert store.load(NAME) is None
            with store.lock(NAME, 1) as held, pytest.raises(StoreUnavailable, match="read-only") as refused:
                held.notes.note("a note")
            assert "name the primary server" in refused.value.hint
        finally:
            standby.unlink()
            postgresql.restart()

    def test_to_upgrade_the_program(self, postgresql: Server) -> None:
        """Tables of a newer version are left alone."""
        name = postgresql.new_store()
        newer = tables.SCHEMA_VERSION + 1
        postgresql.execute(f"UPDATE {parse_address(name).schema}.store SET version = {newer}")  # noqa: S608  it is ours
        with pytest.raises(StoreUnavailable, match="newer version"):
            raise failure(name)
        with pytest.raises(StoreUnavailable, match="newer version"):
            initialise(parse_address(name))

    @pytest.mark.parametrize(
        "place", ["db.example.org/withings?color=blue", "db..org/withings", f"{'a' * 64}/withings"]
    )
    def test_to_correct_the_name(self, place: str) -> None:
        """libpq's own words are not shown: they may quote the name, with its password."""
        refused = failure(f"postgresql://anna:s3cr3t@{place}")
        assert isinstance(refused, ConfigurationError)
        assert place.partition("?")[0] in str(refused)
        assert "s3cr3t" not in f"{refused} {refused.hint}"

    def test_another_error_of_the_server(self, postgresql: Server) -> None:
        """What no administrator foresaw is in the server's log; a full disk needs room."""
        name = postgresql.new_store()
        schema = parse_address(name).schema
        for code, hint in {"XX000": "look at the server's log", "53100": "make room on the server"}.items():
            postgresql.execute(raising(schema, code))
            with pytest.raises(StoreNotDurable, match="it cannot be") as failed:
                save_record(open_store(name), NAME, "text")
            assert failed.value.hint == hint
            assert open_store(name).load(NAME) is None


def raising(schema: str, code: str) -> str:
    """SQL that makes every change of a record fail with this code."""
    return f"""
        CREATE OR REPLACE FUNCTION {schema}.fail() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'it cannot be' USING ERRCODE = '{code}'; END $$;
        CREATE OR REPLACE TRIGGER fail BEFORE INSERT OR UPDATE ON {schema}.record EXECUTE FUNCTION {schema}.fail()
    """
