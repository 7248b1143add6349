"""Whoever has the records of a sealed store can neither read, nor change, nor exchange one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from keyring.errors import KeyringLocked

from tests.store.keyrings import FailingKeyring, Keyrings
from tests.support.canaries import Canaries
from tests.support.fuzzing import all_of
from tests.support.programs import Cli
from tests.support.sealing import Machine, SealableMemory, WrappedSealable, sealed_files, sealed_memory
from tests.support.stores import clear_record, save_record, save_record_without_lock
from withings_auth.errors import StoreCorrupt, StoreError, StoreUnavailable
from withings_auth.model import App
from withings_auth.store import sealed_store
from withings_auth.store.base import HeldName, latest_note
from withings_auth.store.keys import KeyRecord, make_key
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.ownership import prove_writable
from withings_auth.store.records import app_name
from withings_auth.store.rekeying import add_new_key, prepare_key, rekey
from withings_auth.store.sealed_store import SealedStore
from withings_auth.store.sealing import seal

TOKEN, OTHER = "token/default", "token/other"
SECRET = "the text"


@pytest.fixture
def store() -> Machine:
    """A sealed store in which something is saved."""
    store = sealed_memory()
    save_record(store, TOKEN, SECRET)
    return store


def raw(store: Machine, name: str = TOKEN) -> str:
    """The record as who has the database sees it."""
    return store.inner.load(name) or ""


def plant(store: Machine, text: str, name: str = TOKEN) -> None:
    """Puts a record there, as who has the database can."""
    save_record_without_lock(store.inner, name, text)


def test_nothing_of_a_record_can_be_read_in_the_files(tmp_path: Path, record: str) -> None:
    """Nor anything of the key; a key's file has the key and nothing else."""
    store = sealed_files(tmp_path)
    save_record(store, TOKEN, record)
    (key,) = store.keys.load()
    everything = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
    for secret in (*record.split('"')[3::4], key.text, key.text[20:]):
        assert len(secret) < 3 or secret.encode() not in everything
    assert (tmp_path / "keys").read_text() == f"{key.text}\n"
    assert sealed_files(tmp_path).load(TOKEN) == record


SPOILED: dict[str, Callable[[Machine], str]] = {
    "changed": lambda store: raw(store)[:-4] + "AAA=",
    "cut": lambda store: raw(store)[:-8],
    "of another name": lambda store: raw(store, OTHER),
    "with another key": lambda store: seal(make_key(), TOKEN, SECRET).replace(":", f":{raw(store)[23:39]}:", 1),
    "not sealed": lambda _: SECRET,
    "of nothing": lambda _: "",
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_a_record_that_somebody_has_changed_is_refused(store: Machine, spoil: Callable[[Machine], str]) -> None:
    """Statement 53: it is left as it is, until a login replaces it, or a logout removes it."""
    save_record(store, OTHER, "of the other")
    plant(store, spoiled := spoil(store))
    for again in (store, Machine(store.inner)):
        if again is not store:
            again.follow(store)
        with pytest.raises(StoreCorrupt) as failed:
            again.load(TOKEN)
        assert not failed.value.newer
        assert "withings-auth login --replace" in failed.value.hint
        assert SECRET not in all_of(failed.value)
    assert raw(store) == spoiled
    assert store.load(OTHER) == "of the other"
    save_record(store, TOKEN, "anew")
    assert store.load(TOKEN) == "anew"
    plant(store, spoiled)
    assert clear_record(store, TOKEN) is True


def test_the_words_say_what_is_wrong(store: Machine) -> None:
    plant(store, SECRET)
    with pytest.raises(StoreCorrupt, match="token/default is not sealed, but its store is"):
        store.load(TOKEN)
    plant(store, "withings-auth-sealed-2:whatever")
    with pytest.raises(StoreCorrupt, match="sealed by a newer withings-auth") as failed:
        store.load(TOKEN)
    assert failed.value.newer
    assert "git pull && pipx install" in failed.value.hint
    for name, remedy in ((TOKEN, "withings-auth login"), ("token/a/b", "withings-auth login"), ("x/a", "; remove it")):
        plant(store, "withings-auth-sealed-1:whatever", name)
        with pytest.raises(StoreCorrupt, match="was changed or cut, or belongs under another name") as failed:
            store.load(name)
        assert failed.value.hint.startswith("it was left in place; ")
        assert remedy in failed.value.hint


def test_a_machine_without_the_key_is_told_which_one_to_bring(store: Machine) -> None:
    """Statement 53: meanwhile it neither finds, nor saves, nor replaces anything."""
    (needed,) = store.keys.load()
    machine = Machine(store.inner)
    before = raw(store)
    app = App(client_id="an-app", client_secret="s" * 40)
    for has, key in (("none", None), ("only ", make_key())):
        if key is not None:
            machine.keys.add(key)
            machine.look_for_keys()
        words = f"the key {needed.id} is needed, but this program's memory has {has}{key.id if key else ''}"
        for use in (
            lambda: machine.load(TOKEN),
            lambda: save_record(machine, TOKEN, "theirs"),
            lambda: save_record(machine, OTHER, "theirs"),
            lambda: prove_writable(machine, app),
            lambda: prepare_key(machine),
            lambda: rekey(machine),
        ):
            with pytest.raises(StoreCorrupt, match=words) as failed:
                use()
            assert failed.value.newer
            assert f"ssh HOST withings-auth store key --show {needed.id} | " in failed.value.hint
    with machine.lock(TOKEN, 1) as held, pytest.raises(StoreCorrupt):
        held.notes.note("a request is about to be sent")  # whose answer could not be saved
    assert latest_note(store, TOKEN) is None
    with machine.lock(TOKEN, 1) as held:
        held.notes.note(None)
    assert (raw(store), store.names(), store.inner.sealing_key()) == (before, [TOKEN], needed.id)
    with pytest.raises(StoreCorrupt):
        Machine(store.inner).load("token/nobody")  # None would mean that somebody has to log in
    nobody = Machine(store.inner)
    with pytest.raises(StoreCorrupt, match="is needed"):
        nobody.load_all([])
    nobody.keys.add(make_key())
    assert nobody.load("token/nobody") is None
    machine.follow(store)
    assert machine.load(TOKEN) == SECRET


def test_how_soon_a_key_that_was_missing_is_looked_for_again(store: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(sealed_store, "time", SimpleNamespace(monotonic=lambda: now[0]))
    machine = Machine(store.inner)
    machine.keys.add(make_key())
    for seconds, is_found in ((0, False), (0.9, False), (1, False), (1.5, True)):
        now[0] = 100.0 + seconds
        if is_found:
            assert machine.load(TOKEN) == SECRET
        else:
            with pytest.raises(StoreCorrupt):
                machine.load(TOKEN)
            machine.keys.add(store.keys.load()[0])


def test_a_key_that_is_brought_is_noticed(store: Machine) -> None:
    """By a program that runs for long: it looks again, but not for each of hundreds of records."""
    looks = []

    class Looked(MemoryStore):
        def load(self, name: str) -> str | None:
            looks.append(name)
            return super().load(name)

    machine = SealedStore(store.inner, KeyRecord(Looked(), "key/here"))
    machine.keys.add(make_key())
    for _ in range(100):
        with pytest.raises(StoreCorrupt):
            machine.load(TOKEN)
    assert len(looks) < 50
    assert {str(error)[:8] for error in machine.load_all([TOKEN, OTHER]).values()} == {"the key "}
    machine.keys.add(store.keys.load()[0])
    machine._missed_at.clear()  # as if that were some seconds ago
    assert machine.load(TOKEN) == SECRET


def test_a_store_without_a_key_is_refused() -> None:
    """Nothing is saved unsealed because nobody has made a key."""
    store = Machine(SealableMemory())
    for use in (store.load, lambda name: save_record(store, name, SECRET)):
        with pytest.raises(StoreUnavailable, match="has no key yet") as failed:
            use(TOKEN)
        assert "withings-auth store init" in failed.value.hint
    assert store.names() == []


def test_keys_that_cannot_be_read_are_an_error(store: Machine, tmp_path: Path) -> None:
    """As in a locked keyring."""
    keyring = Keyrings(tmp_path, FailingKeyring(KeyringLocked))()
    machine = SealedStore(store.inner, KeyRecord(keyring, "key/here"))
    for use in (machine.load, lambda name: save_record(machine, name, "theirs")):
        with pytest.raises(StoreUnavailable, match=r"^no keys for the sealed store: .* locked") as failed:
            use(TOKEN)
        assert "keep the keys in a file: let WITHINGS_AUTH_STORE_KEY_FILE name one" in failed.value.hint
    assert store.load(TOKEN) == SECRET


def test_a_damaged_app_is_replaced_but_not_one_whose_key_is_elsewhere(store: Machine) -> None:
    """A login that somebody starts must not take a secret away from those who have the key."""
    app, name = App(client_id="an-app", client_secret="s" * 40), app_name("an-app")
    save_record(store, name, app.to_record())
    plant(store, raw(store, name)[:-8], name)
    prove_writable(store, app)
    assert store.load(name) == app.to_record()
    plant(store, elsewhere := seal(make_key(), name, app.to_record()), name)
    with pytest.raises(StoreCorrupt, match="is needed"):
        prove_writable(store, app)
    assert raw(store, name) == elsewhere


def test_a_save_that_a_rekeying_overtakes_is_sealed_with_the_new_key(store: Machine) -> None:
    """The rekeying may have listed the names before this one was there."""
    new = add_new_key(store)

    class Overtaken(WrappedSealable):
        def save(self, held: HeldName, name: str, text: str) -> None:
            super().save(held, name, text)
            self.set_sealing_key(new.id)

    save_record(SealedStore(Overtaken(store.inner), store.keys), OTHER, "theirs")
    assert f":{new.id}:" in raw(store, OTHER)
    assert store.load(OTHER) == "theirs"


def test_a_save_counts_whatever_becomes_of_the_last_look(store: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([store.inner.sealing_key()])

    def sealing_key() -> str | None:
        for answer in answers:
            return answer
        raise StoreUnavailable("it is gone")

    monkeypatch.setattr(store.inner, "sealing_key", sealing_key)
    save_record(store, TOKEN, "saved")
    assert store.load(TOKEN) == "saved"
    with pytest.raises(StoreError, match="it is gone"):
        save_record(store, TOKEN, "not saved")
    assert store.load(TOKEN) == "saved"


def test_neither_key_nor_text_is_shown(canaries: Canaries, store: Machine) -> None:
    (key,) = store.keys.load()
    for name, secret in (("key", key.text), ("half of it", key.text[40:]), ("bytes", key.secret.hex())):
        canaries.plant(name, secret)
    save_record(store, TOKEN, text := canaries.plant("text"))
    with store.lock(TOKEN, 1) as held:
        canaries.hear("reprs", f"{store!r} {held!r} {store.keys!r} {vars(store)!r}")
    for spoiled in (text, raw(store)[:-8], raw(store).replace(key.id, "0" * 16)):
        plant(store, spoiled)
        with pytest.raises(StoreCorrupt) as failed:
            store.load(TOKEN)
        canaries.hear("an error", all_of(failed.value))


def test_a_missing_library_is_explained(cli: Cli) -> None:
    ran = cli.using(sys.executable, "-c")(
        "import sys; sys.modules['cryptography'] = None\n"
        "from withings_auth.errors import ConfigurationError\n"
        "try:\n    import withings_auth.store.sealed_store\n"
        "except ConfigurationError as error:\n    print(error, '|', error.hint)"
    )
    assert ran.stdout == (
        "a sealed store needs the package cryptography, which is not installed | install it:"
        f" {sys.executable} -m pip install 'psycopg[binary]>=3.2.3' 'cryptography>=44'\n"
    ), ran.stderr
