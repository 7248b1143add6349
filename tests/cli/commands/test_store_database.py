"""A store in a real database, by the commands that its users type: most of them were printed by the one before."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest

from tests.support.profiles import put, what_is_left
from tests.support.stores import save_record
from withings_auth.config.settings import open_store
from withings_auth.store.keys import KEY_FILE_VARIABLE
from withings_auth.store.records import token_name
from withings_auth.store.sealed_store import SealedStore

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.logins import Desk
    from tests.support.postgresql import Server
    from tests.support.programs import Finished

WITHOUT_PSYCOPG = """
import sys
sys.modules.update(dict.fromkeys([name for name in sys.modules if name.endswith("database_store")] + ["psycopg"]))
from withings_auth.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def name(desk: Desk, postgresql: Server, home: Path) -> str:
    """The name of a store for which nothing has been made yet; its keys are kept in a file."""
    desk.keep_store()
    desk.env[KEY_FILE_VARIABLE] = str(home / "keys")
    desk.env["WITHINGS_CLIENT_ID"] = desk.env["WITHINGS_CLIENT_SECRET"] = None
    return postgresql.name(schema=f"s_{home.name}".lower())


def paste(desk: Desk, command: str, **env: str | None) -> Finished:
    """Runs a command as a shell would."""
    program, *words = shlex.split(command)
    assert program == "withings-auth"
    return desk.run(*words, **env)


def ok(finished: Finished) -> list[str]:
    """Returns what a command that succeeded has told."""
    assert finished.returncode == 0, finished.stderr
    return finished.stderr.splitlines()


def bring_key(desk: Desk, line: str, **there: str) -> None:
    """Runs `… store key --show | ssh HOST … store key --add`, its second half on the other machine."""
    show, _, add = line.strip().partition(" | ssh HOST ")
    (add,) = shlex.split(add) if add.startswith('"') else (add,)
    shown: list[str] = []
    secret = desk.cli(*shlex.split(show)[1:], env=desk.env, allow=shown)
    shown.append(secret.stdout.strip())
    assert re.fullmatch("withings-auth-key-1:[\\w-]{43}", shown[0])
    desk.canaries.plant("the key", shown[0])
    ok(desk.cli(*shlex.split(add)[1:], env={**desk.env, **there}, stdin=secret.stdout))


def test_from_nothing_to_a_login_on_two_machines(desk: Desk, name: str, home: Path) -> None:
    grant = put(desk)
    first, key, _, bring, configure, move = ok(desk.run("store", "init", "--store", name))
    assert first.startswith("Made the tables of the PostgreSQL database 127.0.0.1:")
    assert re.fullmatch(rf"Made the key [0-9a-f]{{16}}, which seals .* It is in {home}/keys[.]", key)
    told = ok(paste(desk, move.partition(": ")[2]))
    assert told[0].startswith(f"Moved profile default (user {grant.userid}) from files in {desk.directory} to ")
    assert (what_is_left(desk), configure) == (set(), told[2])
    assert ok(paste(desk, configure.removeprefix("Next: ")))[-1] == (
        "Profile default stays logged in. Next: withings-auth token"
    )
    token = desk.run("token", "--renew")
    assert token.returncode == 0

    there = {"HOME": str(home / "there"), KEY_FILE_VARIABLE: str(home / "keys there")}
    refused = paste(desk, configure.removeprefix("Next: "), **there)
    assert refused.returncode == 5
    assert f" | withings-auth store key --store {shlex.quote(name)} --add;" in refused.stderr
    bring_key(desk, bring, **there)
    ok(paste(desk, configure.removeprefix("Next: "), **there))
    assert desk.run("token", **there).stdout == token.stdout
    again = ok(desk.run("store", "init", **there))
    assert again[0].startswith("Nothing to make: there is the PostgreSQL database ")
    assert again[-1] == "Profile default stays logged in. Next: withings-auth token"


def test_a_new_key_reaches_every_machine_before_it_is_used(desk: Desk, name: str, home: Path) -> None:
    ok(desk.run("store", "init", "--store", name))
    desk.env["WITHINGS_AUTH_STORE"] = name
    first = desk.run("store", "key").stdout
    assert first.endswith(f"  seals 0 records, seals what is saved next, kept in {home}/keys\n")
    _, bring, rekey = ok(desk.run("store", "key", "--new"))
    there = {KEY_FILE_VARIABLE: str(home / "keys there")}
    bring_key(desk, bring, **there)
    lines = desk.run("store", "key", **there).stdout.splitlines()
    assert sorted(line.split(", ")[-1] for line in lines) == ["MISSING on this machine", f"kept in {home}/keys there"]
    new = rekey.rpartition(" ")[2]
    assert ok(paste(desk, rekey.partition(": ")[2]))[0] == f"The key {new} seals what is saved: 0 records sealed anew."
    old = first.split()[0]
    assert ok(desk.run("store", "key", "--remove", old)) == [f"Removed it from {home}/keys."]
    assert ok(desk.run("store", "key", "--remove", old)) == [f"There is no such key in {home}/keys."]
    assert desk.run("store", "key", "--remove", new).returncode == 2
    assert desk.run("store", "key").stdout.startswith(f"{new}  ")


def test_a_record_that_cannot_be_sealed_anew_is_named(desk: Desk, name: str) -> None:
    """The rest is; the exit code tells."""
    put(desk)
    ok(desk.run("store", "init", "--store", name))
    ok(desk.run("store", "copy", f"file:{desk.directory}", name))
    desk.env["WITHINGS_AUTH_STORE"] = name
    database = open_store(name)
    assert isinstance(database, SealedStore)
    save_record(database.inner, token_name("mum"), put(desk, "mum", person=2).to_record())
    assert desk.run("store", "key").stdout.splitlines()[1:] == ["----------------  1 not sealed"]
    refused = desk.run("store", "rekey")
    assert refused.returncode == 5
    assert " seals what is saved: 2 records sealed anew." in refused.stderr
    assert "error: token/mum was not sealed anew: " in refused.stderr


def test_the_sql_for_an_administrator(desk: Desk, name: str, postgresql: Server) -> None:
    """It is printed and nothing is done, even without a database; a user who may make nothing can use what it makes."""
    bare = desk.cli.by(WITHOUT_PSYCOPG)
    for arguments, schema in (((), "withings_auth"), (("--store", name), name.partition("schema=")[2])):
        printed = bare("store", "init", "--print", *arguments, env=desk.env)
        assert (printed.returncode, printed.stderr) == (0, "")
        assert f"CREATE SCHEMA IF NOT EXISTS {schema};" in printed.stdout
    refused = bare("store", "init", "--store", name, env=desk.env)
    assert refused.returncode == 2
    assert "hint: install it: " in refused.stderr
    plain = name.replace("owner@", "plain@")
    schema = re.findall("schema=(.*)", name)[0]
    postgresql.execute("DO $$ BEGIN CREATE ROLE plain LOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
    refused = desk.run("store", "init", "--store", plain)
    assert refused.returncode == 5
    assert f"what withings-auth store init --store {shlex.quote(plain)} --print shows" in refused.stderr
    postgresql.execute(desk.run("store", "init", "--print", "--store", plain).stdout)
    postgresql.execute(f"GRANT USAGE ON SCHEMA {schema} TO plain")
    postgresql.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO plain")
    postgresql.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO plain")
    assert ok(desk.run("store", "init", "--store", plain))[0].startswith("Nothing to make: ")


def test_what_has_no_keys(desk: Desk, name: str) -> None:
    """Neither files nor a database whose records are not sealed."""
    for arguments in (("store", "key"), ("store", "rekey")):
        refused = desk.run(*arguments)
        assert refused.returncode == 2
        assert "error: nothing in files in " in refused.stderr
    ok(desk.run("store", "init", "--store", f"{name}&sealed=off"))
    assert desk.run("store", "key", "--store", f"{name}&sealed=off").returncode == 2
    refused = desk.run("store", "init")
    assert refused.returncode == 2
    assert "error: the store is “file:" in refused.stderr
    (none,) = ok(desk.run("store", "key", "--store", name))
    assert none == f"There is no key yet. Next: withings-auth store init --store {shlex.quote(name)}"


def test_a_key_is_typed_unseen(desk: Desk, name: str, home: Path) -> None:
    """On a terminal; what is no key is refused, and not repeated."""
    running = desk.cli.on_terminal("store", "key", "--add", "--store", name, env=desk.env)
    running.screen.expect(r"Key \(it is not shown\): $")
    running.type("not-a-key\n")
    finished = running.wait()
    assert finished.returncode == 2
    assert "not-a-key" not in finished.screen
    assert not (home / "keys").exists()


def test_a_password_stays_in_the_environment(desk: Desk, name: str, home: Path) -> None:
    """Statement 25: it is used, and neither saved nor shown, not even by -v."""
    ok(desk.run("store", "init", "--store", name))
    secret = desk.canaries.plant("the password")
    desk.env["WITHINGS_AUTH_STORE"] = name.replace("owner@", f"owner:{secret}@")
    desk.leave_unproved()
    given = ("--client-id", "an-app", "--secret-stdin")
    told = ok(desk.cli("configure", *given, env=desk.env, stdin=desk.canaries.plant("the client secret")))
    assert "config.toml does not name the store, because its name in WITHINGS_AUTH_STORE has a password" in told[-3]
    assert told[-2:] == [f"  withings-auth configure --store {shlex.quote(name)}", "Next: withings-auth login"]
    assert "postgresql" not in (home / ".config/withings-auth/config.toml").read_text()
    assert f'"store": "{name}"' in desk.run("-v", "status", "--json").stdout
    assert desk.run("doctor", "--offline").stdout.count("ok       Store ") == 2
