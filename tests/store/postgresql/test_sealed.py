"""A store in PostgreSQL is sealed, unless its name says otherwise: the database never holds a secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from tests.support.stores import save_record
from withings_auth.config.places import state_directory
from withings_auth.errors import LockLost, StoreCorrupt, StoreUnavailable
from withings_auth.store import open_named_store
from withings_auth.store.base import SecretStore
from withings_auth.store.keys import KeyFile, make_key
from withings_auth.store.rekeying import look_at_keys, prepare_key, rekey
from withings_auth.store.sealed_store import SealedStore
from withings_auth.testing import SecretStorePromises

if TYPE_CHECKING:
    from tests.support.keyring_daemon import SecretService
    from tests.support.postgresql import Server

TOKEN = "token/default"
MOVE = "INSERT INTO {schema}.record (name, text) SELECT 'token/b', text FROM {schema}.record"
PLANT = "INSERT INTO {schema}.record (name, text) VALUES ('token/c', %s)"


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyFile:
    """The file that the variable names."""
    monkeypatch.setenv("WITHINGS_AUTH_STORE_KEY_FILE", str(tmp_path / "keys"))
    return KeyFile(tmp_path / "keys")


def open_sealed(name: str) -> SealedStore:
    store = open_named_store(name, state_directory())
    assert isinstance(store, SealedStore)
    return store


@pytest.mark.usefixtures("unmeasured")
class TestSealedPostgres(SecretStorePromises):
    """What the threads of a program see. Processes and machines meet in the database, which has no other locks."""

    without: ClassVar = {
        "opening": "the locks are those of the database under it, and so are the notes",
        "forgetful": "the database under it has tests of its own",
    }

    @pytest.fixture
    def name(self, postgresql: Server, key_file: KeyFile) -> str:
        assert key_file.load() == ()
        name = postgresql.new_store("")
        prepare_key(open_sealed(name))
        return name

    @pytest.fixture
    def store(self, name: str) -> SecretStore:
        return open_sealed(name)

    @pytest.fixture
    def another(self, name: str) -> Callable[[], SecretStore]:
        return lambda: open_sealed(name)

    @pytest.fixture
    def unavailable(self, postgresql: Server, key_file: KeyFile) -> SecretStore:
        key_file.add(make_key())
        return open_sealed(postgresql.name(schema="never_made"))


def in_database(postgresql: Server, name: str, statement: str, *parameters: object) -> str:
    """Runs a statement, in which {schema} is the store's, as who has the database; returns what it finds."""
    return repr(postgresql.execute(statement.format(schema=name.partition("schema=")[2]), parameters))


def test_the_database_never_holds_a_secret(postgresql: Server, key_file: KeyFile, record: str) -> None:
    """Statement 53: not in any table of the schema, nor the key."""
    name = postgresql.new_store("")
    store = open_sealed(name)
    with pytest.raises(StoreUnavailable, match="has no key yet"):
        save_record(store, TOKEN, record)
    made = prepare_key(store)
    save_record(store, TOKEN, record)
    assert open_sealed(name).load(TOKEN) == record
    rows = in_database(postgresql, name, "SELECT * FROM {schema}.record, {schema}.store")
    assert f"withings-auth-sealed-1:{made.key_id}:" in rows
    (key,) = key_file.load()
    for secret in (key.text[20:], json.loads(record)["access_token"], json.loads(record)["refresh_token"]):
        assert secret not in rows


def test_a_machine_that_seals_nothing_is_kept_out(postgresql: Server, key_file: KeyFile, record: str) -> None:
    """Or its next login would be there for all to read, and be refused by every other machine."""
    assert key_file.load() == ()
    name = postgresql.new_store("")
    unsealed = open_named_store(f"{name}&sealed=off", state_directory())
    assert unsealed.load(TOKEN) is None
    prepare_key(open_sealed(name))
    again = open_named_store(f"{name}&sealed=off", state_directory())
    for use in (again.load, lambda one: save_record(again, one, record)):
        with pytest.raises(StoreUnavailable, match="is sealed, but the store's name says sealed=off"):
            use(TOKEN)
    assert open_sealed(name).names() == []


def test_who_has_the_database_cannot_plant_a_login(postgresql: Server, key_file: KeyFile, record: str) -> None:
    """Statement 53: neither one that is not sealed, nor one that was moved from another name."""
    assert key_file.load() == ()
    name = postgresql.new_store("")
    store = open_sealed(name)
    prepare_key(store)
    save_record(store, TOKEN, record)
    in_database(postgresql, name, MOVE)
    in_database(postgresql, name, PLANT, record)
    for planted in ("token/b", "token/c"):
        with pytest.raises(StoreCorrupt):
            store.load(planted)
    assert store.load(TOKEN) == record


def test_a_rekeying_that_lost_its_connections_is_finished_by_the_next(postgresql: Server, key_file: KeyFile) -> None:
    """The server ends all of them after the second record; nothing is lost, and two keys are enough for everybody."""
    name = postgresql.new_store("")
    store, other = open_sealed(name), open_sealed(name)
    prepare_key(store)
    names = [f"token/{number}" for number in range(5)]
    for one in names:
        save_record(store, one, f"of {one}")

    def end(one: str) -> None:
        if one == names[1]:
            postgresql.end_sessions()

    with pytest.raises(LockLost):
        rekey(store, tell=end)
    assert [other.load(one) for one in names] == [f"of {one}" for one in names]
    done = rekey(other)
    assert (done.key_id, done.left) == (done.earlier, {})
    assert look_at_keys(store).in_use == {done.key_id: 5}
    assert [store.load(one) for one in names] == [f"of {one}" for one in names]
    assert [key.id for key in key_file.load()].index(done.key_id) == 1


def test_the_key_is_in_the_keyring(
    postgresql: Server, secret_service: SecretService, monkeypatch: pytest.MonkeyPatch, record: str
) -> None:
    """If no variable names a file: in a service that is called after the database, in a real keyring."""
    secret_service.enter(monkeypatch)
    name = postgresql.new_store("")
    store = open_sealed(name)
    assert prepare_key(store).made
    save_record(store, TOKEN, record)
    again = open_sealed(name)
    assert again.load(TOKEN) == record
    assert look_at_keys(again).where == "the keyring of this desktop (Secret Service)"
    first = rekey(again)
    assert (first.resealed, first.left) == ([TOKEN], {})
    assert store.load(TOKEN) == open_sealed(name).load(TOKEN) == record
