"""Whoever waits for the lock looks at what is saved in the meantime, and leaves as soon as it will do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest

from tests.support.stores import Wrapped, clear_record, save_record
from tests.tokens.scene import LIFE, Scene, refusal
from withings_auth.errors import LockBusy, LoginRequired, StoreUnavailable
from withings_auth.model import Grant
from withings_auth.store.base import HeldName, SecretStore
from withings_auth.store.records import token_name

NAME = token_name("default")
SLICES = 20


class BusyWhile(Wrapped):
    """Somebody else holds the lock for so many slices, and does something during one of them."""

    def __init__(self, inner: SecretStore, during: int, act: Callable[[], object]) -> None:
        super().__init__(inner)
        self.slices = 0
        self.reads = 0
        self._during = during
        self._act = act

    def load(self, name: str) -> str | None:
        self.reads += name == NAME
        return super().load(name)

    def lock(self, name: str, timeout: float) -> AbstractContextManager[HeldName]:
        if self.slices == SLICES:
            return super().lock(name, timeout)
        self.slices += 1
        if self.slices == self._during:
            self._act()
        raise LockBusy(f"{name} is held for more than {timeout} seconds")


class Stampless(BusyWhile):
    """A store that cannot tell whether it has changed."""

    def stamp(self, name: str) -> None:
        """Says so."""


class Unreadable(BusyWhile):
    """Nothing can be read while somebody else holds the lock."""

    def load(self, name: str) -> str | None:
        if self.slices < SLICES:
            raise StoreUnavailable("the keyring is being restarted")
        return super().load(name)


def renewed(old: Grant, **changes: object) -> Grant:
    """What another program saves, as it says."""
    fresh = {"obtained_at": old.expires_at, "expires_at": old.expires_at + LIFE, "access_token": "the-successor"}
    return replace(old, **{**fresh, **changes})  # type: ignore[arg-type]  # fields of a grant


def test_a_token_that_will_do_is_returned_at_once(scene: Scene) -> None:
    """Statement 28: nothing is sent, and the lock is not waited for any longer."""
    old = scene.log_in()
    store = BusyWhile(scene.store, 5, lambda: scene.save(renewed(old)))
    assert scene.renew(store=store) == renewed(old)
    assert (store.slices, store.reads, scene.sent) == (5, 2, [])


def test_one_that_was_saved_before_the_first_look_is_seen(scene: Scene) -> None:
    """The caller may have read the record before that."""
    old = scene.log_in()
    store = BusyWhile(scene.store, 1, lambda: scene.save(renewed(old)))
    assert scene.renew(store=store) == renewed(old)
    assert store.slices == 1


def test_one_that_was_rejected_or_does_not_last_will_not_do(scene: Scene) -> None:
    """The lock is waited for, as before."""
    old = scene.log_in()
    useless = renewed(old, access_token="rejected")
    store = BusyWhile(scene.store, 5, lambda: scene.save(useless))
    assert scene.renew(store=store, rejected="rejected").access_token != "rejected"
    assert store.slices == SLICES
    assert len(scene.sent) == 1


def test_a_refusal_meanwhile_ends_the_wait(scene: Scene) -> None:
    """Statement 49: whoever waits behind the program that Withings has refused leaves at once, and sends nothing."""
    scene.log_in()
    dead = refusal(503, "Invalid Params: invalid refresh_token")

    def be_refused() -> None:
        with pytest.raises(LoginRequired):
            scene.renew(post=scene.script(dead))

    store = BusyWhile(scene.store, 5, be_refused)
    with pytest.raises(LoginRequired, match="refused on"):
        scene.renew(store=store)
    assert (store.slices, len(scene.sent)) == (5, 1)


def test_without_a_stamp_the_record_is_read_after_each_slice(scene: Scene) -> None:
    """As on a file system that others share: it cannot say whether the record has changed."""
    old = scene.log_in()
    store = Stampless(scene.store, 5, lambda: scene.save(renewed(old)))
    assert scene.renew(store=store) == renewed(old)
    assert (store.slices, scene.sent) == (5, [])


def test_nothing_is_read_as_long_as_the_stamp_stays(scene: Scene) -> None:
    """A crowd of waiting programs leaves a busy keyring alone."""
    scene.log_in()
    store = BusyWhile(scene.store, 0, lambda: None)
    scene.renew(store=store)
    assert (store.slices, store.reads) == (SLICES, 2)  # once while waiting, once under the lock


def test_only_under_the_lock_is_nobody_logged_in(scene: Scene) -> None:
    """Whoever holds the lock may be about to save a new login."""
    old = scene.log_in()

    def log_in_anew() -> None:
        clear_record(scene.store, NAME)
        store._act = lambda: save_record(scene.store, NAME, renewed(old).to_record())
        store._during = 7

    store = BusyWhile(scene.store, 5, log_in_anew)
    assert scene.renew(store=store) == renewed(old)
    assert store.slices == 7
    store = BusyWhile(scene.store, 5, lambda: clear_record(scene.store, NAME))
    with pytest.raises(LoginRequired, match="nobody is logged in"):
        scene.renew(store=store, rejected="the-successor")
    assert store.slices == SLICES


def test_a_store_that_cannot_be_read_meanwhile_is_waited_for(scene: Scene) -> None:
    """It is asked again under the lock."""
    old = scene.log_in()
    store = Unreadable(scene.store, 0, lambda: None)
    assert scene.renew(store=store).refresh_token != old.refresh_token
    assert store.slices == SLICES
