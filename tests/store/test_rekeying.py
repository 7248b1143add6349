"""Who makes, brings, removes and replaces a key, and who is told about it; kills have tests of their own."""

from __future__ import annotations

import re
import threading
from typing import NoReturn

import pytest

from tests.support.canaries import Canaries
from tests.support.sealing import NAMES, Machine, SealableMemory, fill, is_whole, sealed_memory, sealing
from tests.support.stores import save_record, save_record_without_lock
from withings_auth.errors import ConfigurationError, LockBusy, StoreCorrupt, StoreUnavailable
from withings_auth.store import rekeying
from withings_auth.store.keys import Key, make_key
from withings_auth.store.rekeying import (
    UNSEALED,
    Prepared,
    add_new_key,
    bring_key,
    look_at_keys,
    prepare_key,
    rekey,
    remove_key,
    show_key,
)
from withings_auth.store.sealing import seal


@pytest.fixture
def store() -> Machine:
    """A sealed store with three records."""
    return fill(sealed_memory())


# The first key


def test_the_first_machine_makes_the_key_and_the_others_bring_it(canaries: Canaries) -> None:
    inner = SealableMemory()
    first, second = Machine(inner), Machine(inner)
    made = prepare_key(first)
    assert made.made
    assert (prepare_key(first).key_id, prepare_key(first).made) == (made.key_id, False)
    with pytest.raises(StoreCorrupt, match=made.key_id):
        prepare_key(second)
    assert second.keys.load() == ()
    canaries.plant("key", show_key(first).text)
    canaries.hear("what is shown of them", f"{show_key(first)!r} {look_at_keys(first)!r} {made!r}")
    assert bring_key(second, show_key(first).text).id == made.key_id
    assert second.load("token/nobody") is None
    assert prepare_key(second).made is False
    save_record(second, "token/a", "of the second")
    assert first.load("token/a") == "of the second"


def test_a_key_that_was_brought_before_becomes_the_first() -> None:
    """As an administrator may provide it."""
    store, key = Machine(SealableMemory()), make_key()
    bring_key(store, key.text)
    assert prepare_key(store).made is False
    assert sealing(store) == key.id


def test_machines_that_begin_at_once_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one waits, and then makes no key."""
    inner = SealableMemory()
    first, second = Machine(inner), Machine(inner)
    errors: list[StoreCorrupt] = []

    def prepare_second() -> None:
        try:
            prepare_key(second)
        except StoreCorrupt as error:
            errors.append(error)

    thread = threading.Thread(target=prepare_second, daemon=True)

    def make() -> Key:
        thread.start()
        return make_key()

    monkeypatch.setattr(rekeying, "make_key", make)
    made = prepare_key(first)
    thread.join(60)
    assert [made.key_id in str(error) for error in errors] == [True]
    assert (sealing(first), second.keys.load()) == (made.key_id, ())


def test_a_key_that_was_missing_a_moment_ago_is_found(store: Machine) -> None:
    """Another program has brought it meanwhile."""
    (key,) = store.keys.load()

    def machine_that_missed_it() -> Machine:
        machine = Machine(store.inner)
        machine.keys.add(make_key())
        with pytest.raises(StoreCorrupt, match="is needed"):
            machine.load("token/a")
        return machine

    machine = machine_that_missed_it()
    machine.keys.add(key)
    assert prepare_key(machine).key_id == key.id
    machine = machine_that_missed_it()
    machine.keys.add(key)
    with pytest.raises(ConfigurationError, match="has keys that do not seal"):
        rekey(machine)
    machine = machine_that_missed_it()
    bring_key(machine, key.text)
    assert is_whole(machine)


class ReadOnly(SealableMemory):
    """As a database is for its readers."""

    def is_read_only(self) -> bool:
        return True

    def lock(self, name: str, timeout: float) -> NoReturn:  # noqa: ARG002  as in every store
        raise StoreUnavailable(f"no lock for {name}")


def test_a_reader_takes_no_lock() -> None:
    inner, key = ReadOnly(), make_key()
    store = Machine(inner)
    store.keys.add(key)
    with pytest.raises(StoreUnavailable, match="no lock for key/sealing"):
        prepare_key(store)
    inner.set_sealing_key(key.id)
    assert prepare_key(store) == Prepared(key_id=key.id, made=False)


# What there is


def test_the_state_of_the_keys(store: Machine) -> None:
    old, new = sealing(store), add_new_key(store)
    save_record_without_lock(store.inner, "token/planted", "unsealed")
    save_record_without_lock(store.inner, "token/a", seal(new, "token/a", "x"))
    state = look_at_keys(store)
    assert (state.sealing, state.here, state.where) == (old, (old, new.id), "this program's memory")
    assert state.in_use == {old: 2, new.id: 1, UNSEALED: 1}
    assert UNSEALED == ""
    assert show_key(store) == new
    assert show_key(store, old).id == old
    with pytest.raises(ConfigurationError, match="no key 00 in") as failed:
        show_key(store, "00")
    assert failed.value.hint == "to see which keys there are: withings-auth store key"
    with pytest.raises(ConfigurationError, match="no key in this program's memory"):
        show_key(Machine(store.inner))


def test_what_cannot_be_read_may_need_any_key(monkeypatch: pytest.MonkeyPatch, store: Machine) -> None:
    unreadable = StoreUnavailable("this one cannot be read")
    monkeypatch.setattr(store.inner, "load_all", lambda names: dict.fromkeys(names, unreadable), raising=False)
    with pytest.raises(StoreUnavailable, match="this one cannot be read"):
        look_at_keys(store)


def test_only_a_key_that_nobody_needs_is_removed(store: Machine) -> None:
    old, new = sealing(store), add_new_key(store)
    with pytest.raises(ConfigurationError, match="is the key that seals") as failed:
        remove_key(store, old)
    assert failed.value.hint == "make another one seal first: withings-auth store rekey"
    store.inner.set_sealing_key(new.id)
    needed_by = r"still needed, by app/an-app, token/a, token/b\n"
    with pytest.raises(ConfigurationError, match=needed_by) as failed:
        remove_key(store, old)
    assert failed.value.hint.endswith(f"withings-auth store rekey {new.id}")
    save_record_without_lock(store.inner, "token/c", seal(show_key(store, old), "token/c", "x"))
    with pytest.raises(ConfigurationError, match="token/b and others"):
        remove_key(store, old)
    rekey(store, new.id)
    assert (remove_key(store, old), remove_key(store, old)) == (True, False)
    assert [key.id for key in store.keys.load()] == [new.id]
    assert is_whole(store)
    save_record_without_lock(store.inner, "token/a", re.sub(new.id, old, store.inner.load("token/a") or ""))
    with pytest.raises(StoreCorrupt, match=f"the key {old} is needed, but this program's memory has only {new.id}"):
        store.load("token/a")


# Another key


def test_a_rekeying_makes_a_key_and_seals_everything_anew(store: Machine) -> None:
    old, told = sealing(store), list[str]()
    done = rekey(store, tell=told.append)
    assert done.resealed == told == NAMES
    assert (done.earlier, done.left) == (old, {})
    assert sealing(store) == done.key_id != old
    assert look_at_keys(store).in_use == {done.key_id: 3}
    assert is_whole(store)
    with pytest.raises(ConfigurationError, match=f"this program's memory has keys that do not seal: {old}"):
        rekey(store)  # it is over


def test_a_key_that_was_brought_to_all_machines_cuts_nobody_off(store: Machine) -> None:
    """A machine that has it reads and saves before, during and after the rekeying; one without it is told."""
    other, without = Machine(store.inner), Machine(store.inner)
    without.follow(store)
    new = add_new_key(store)
    other.follow(store)
    seen: list[bool] = []

    def use(name: str) -> None:
        save_record(other, "token/of-the-other", f"after {name}")
        seen.append(is_whole(other) and store.load("token/of-the-other") == f"after {name}")

    use("nothing")
    with pytest.raises(ConfigurationError, match=new.id) as failed:
        rekey(store)
    assert f"withings-auth store rekey {new.id}" in failed.value.hint
    rekey(store, new.id, tell=use)
    use("everything")
    assert seen == [True] * len(seen)
    assert look_at_keys(other).in_use == {new.id: 4}
    with pytest.raises(StoreCorrupt, match=f"the key {new.id} is needed"):
        without.load("token/a")
    with pytest.raises(StoreCorrupt, match=f"the key {new.id} is needed"):
        save_record(without, "token/a", "theirs")
    assert is_whole(store)


def test_what_cannot_be_sealed_anew_is_left_and_reported(store: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later rekeying without a key's name goes on with it."""
    monkeypatch.setattr(rekeying, "LOCK_PATIENCE_SECONDS", 0)
    save_record_without_lock(store.inner, "token/a", "unsealed")
    with store.inner.lock("token/b", 1):
        done = rekey(store)
    assert done.resealed == ["app/an-app"]
    assert list(done.left) == ["token/a", "token/b"]
    assert isinstance(done.left["token/a"], StoreCorrupt)
    assert isinstance(done.left["token/b"], LockBusy)
    again = rekey(store)
    assert (again.key_id, again.earlier, again.resealed) == (done.key_id, done.key_id, ["token/b"])
    assert list(again.left) == ["token/a"]
    assert store.inner.load("token/a") == "unsealed"
    save_record(store, "token/a", "of token/a")
    assert rekey(store).left == {}
    assert is_whole(store)


def test_a_lost_key_is_given_up_by_naming_another(store: Machine) -> None:
    """Only a person can know that no machine has it any more."""
    machine = Machine(store.inner)
    new = add_new_key(machine)
    with pytest.raises(StoreCorrupt, match=sealing(store)):
        rekey(machine)
    done = rekey(machine, new.id)
    assert (done.resealed, list(done.left)) == ([], NAMES)
    save_record(machine, "token/a", "anew")
    assert machine.load("token/a") == "anew"


def test_a_store_without_a_key_has_nothing_to_replace() -> None:
    with pytest.raises(StoreUnavailable, match="has no key yet"):
        rekey(Machine(SealableMemory()))


def test_a_rekeying_ends_when_another_key_is_chosen(store: Machine) -> None:
    """As by a program that got the lock because this one has lost it: otherwise both would seal in turn."""
    new = add_new_key(store)
    with pytest.raises(StoreUnavailable, match="another key") as failed:
        rekey(store, new.id, tell=lambda _: store.inner.set_sealing_key(show_key(store, None).id[::-1]))
    assert failed.value.hint == "let it finish, then look: withings-auth store key"
    assert is_whole(store)


def test_one_program_at_a_time_chooses(store: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rekeying, "LOCK_PATIENCE_SECONDS", 0)
    key = add_new_key(store)
    with store.inner.lock("key/sealing", 1):
        for use in (prepare_key, rekey, lambda store: remove_key(store, key.id)):
            with pytest.raises(LockBusy):
                use(store)


def test_one_rekeying_at_a_time(store: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rekeying, "LOCK_PATIENCE_SECONDS", 0)
    second = Machine(store.inner)
    second.follow(store)
    refused: list[str] = []

    def rekey_too(name: str) -> None:
        with pytest.raises(LockBusy):
            rekey(second)
        refused.append(name)

    rekey(store, tell=rekey_too)
    assert refused == NAMES
