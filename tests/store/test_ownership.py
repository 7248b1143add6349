"""Logins are saved with their app, a profile stays its owner's, and no working secret is lost to a refused login."""

from __future__ import annotations

import dataclasses
import logging
from contextlib import AbstractContextManager

import pytest

from tests.support.stores import Busy, Unsavable, Wrapped, save_record
from tests.test_model import APP, GRANT
from withings_auth.errors import LockBusy, StoreCorrupt, StoreUnavailable, WithingsAuthError, WrongAccount
from withings_auth.model import App, Grant
from withings_auth.store.base import HeldName, SecretStore
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.ownership import (
    WAYS_ON,
    forget_refused,
    prove_writable,
    refuse_other_owner,
    refuse_second_profile,
    save_login,
)
from withings_auth.store.records import app_name, stored_app, stored_grant

OTHER_ID = "d" * 64
OTHER_URL = "http://localhost:8000/v2/oauth2"
OTHER_SECRET = dataclasses.replace(APP, client_secret="another")
DAMAGED, NEWER = "{", '{"version":2}'


@pytest.fixture
def store() -> SecretStore:
    return MemoryStore()


def login(**changes: str) -> Grant:
    return dataclasses.replace(GRANT, **changes)  # type: ignore[arg-type]  # only texts are changed


def put(store: SecretStore, profile: str, grant: Grant) -> None:
    save_record(store, f"token/{profile}", grant.to_record())


class TestApp:
    @pytest.mark.parametrize(
        ("earlier", "kept"),
        [(None, OTHER_SECRET), (APP.to_record(), APP), (DAMAGED, OTHER_SECRET)],
        ids=["none", "a working one", "a damaged one"],
    )
    def test_a_store_is_proved_with_the_secret_that_may_work(
        self, store: SecretStore, earlier: str | None, kept: App, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is really written, and no earlier secret is lost before Withings has seen the new one."""
        if earlier is not None:
            save_record(store, app_name(APP.client_id), earlier)
        stamp = store.stamp(app_name(APP.client_id))
        prove_writable(store, OTHER_SECRET)
        assert stored_app(store, APP.client_id) == kept
        assert store.stamp(app_name(APP.client_id)) != stamp
        assert [(each.name, each.getMessage()) for each in caplog.records] == [
            ("withings_auth.store.ownership", "this program's memory can be written")
        ]

    def test_a_newer_programs_is_not_replaced(self, store: SecretStore) -> None:
        save_record(store, app_name(APP.client_id), NEWER)
        with pytest.raises(StoreCorrupt, match="newer"):
            prove_writable(store, APP)
        assert store.load(app_name(APP.client_id)) == NEWER

    @pytest.mark.parametrize("needed", [True, False])
    @pytest.mark.parametrize("saved", [APP, OTHER_SECRET, None])
    def test_only_what_was_refused_is_forgotten(self, store: SecretStore, saved: App | None, needed: bool) -> None:
        """Not the secret that another program has saved meanwhile, nor one that a login needs."""
        if saved is not None:
            save_record(store, app_name(APP.client_id), saved.to_record())
        if needed:
            put(store, "default", GRANT)
        forget_refused(store, APP)
        assert stored_app(store, APP.client_id) == (None if saved is APP and not needed else saved)


class TestSaving:
    @pytest.mark.parametrize("replace", [True, False])
    @pytest.mark.parametrize("saved", [None, APP, OTHER_SECRET])
    def test_both_records_are_saved(
        self, store: SecretStore, saved: App | None, replace: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The app's only if it has changed; the profile may have been the same user's."""
        if saved is not None:
            save_record(store, app_name(APP.client_id), saved.to_record())
        put(store, "mum", login(access_token="earlier"))
        stamp = store.stamp(app_name(APP.client_id))
        caplog.clear()
        save_login(store, "mum", APP, GRANT, replace=replace)
        assert (stored_grant(store, "mum"), stored_app(store, APP.client_id)) == (GRANT, APP)
        assert (store.stamp(app_name(APP.client_id)) == stamp) is (saved is APP)
        assert "saved and read back: profile mum, in this program's memory" in caplog.messages
        assert {each.levelno for each in caplog.records} == {logging.DEBUG}

    @pytest.mark.parametrize(
        ("owner", "says"),
        [
            (login(client_id=OTHER_ID), "profile default belongs to another app (client id)"),
            (login(token_url=OTHER_URL), "profile default belongs to another service (http://localhost:8000)"),
            (login(userid="7"), "user 12345678 signed in, but profile default belongs to user 7: nothing was saved"),
        ],
        ids=["app", "service", "user"],
    )
    def test_another_owners_profile_is_refused_until_it_is_replaced(
        self, store: SecretStore, owner: Grant, says: str
    ) -> None:
        put(store, "default", owner)
        with pytest.raises(WrongAccount) as refused:
            save_login(store, "default", APP, GRANT, replace=False)
        assert str(refused.value) == says
        assert refused.value.hint.startswith(WAYS_ON)
        if owner.userid != GRANT.userid:
            assert (refused.value.userid, refused.value.owner) == ("12345678", "7")
            assert "or sign in as user 7 (with switch_user=True Withings asks who you are)" in refused.value.hint
        assert (store.names(), stored_grant(store, "default")) == (["token/default"], owner)
        save_login(store, "default", APP, GRANT, replace=True)
        assert stored_grant(store, "default") == GRANT

    def test_a_damaged_record_is_replaced_only_if_that_is_wanted(self, store: SecretStore) -> None:
        save_record(store, "token/default", DAMAGED)
        with pytest.raises(StoreCorrupt):
            save_login(store, "default", APP, GRANT, replace=False)
        assert (store.names(), store.load("token/default")) == (["token/default"], DAMAGED)
        save_login(store, "default", APP, GRANT, replace=True)
        assert stored_grant(store, "default") == GRANT

    @pytest.mark.parametrize("needed", [True, False])
    def test_the_app_of_a_replaced_login_goes_if_no_other_needs_it(self, store: SecretStore, needed: bool) -> None:
        other = dataclasses.replace(APP, client_id=OTHER_ID)
        save_login(store, "default", other, login(client_id=OTHER_ID), replace=False)
        if needed:
            save_login(store, "dad", other, login(client_id=OTHER_ID, userid="7"), replace=False)
        save_login(store, "default", APP, GRANT, replace=True)
        assert (stored_app(store, OTHER_ID) == other) is needed
        assert stored_app(store, APP.client_id) == APP

    def test_a_login_to_the_same_app_looks_for_no_app_to_remove(self, store: SecretStore) -> None:
        locked: list[str] = []

        class Watched(Wrapped):
            def lock(self, name: str, timeout: float) -> AbstractContextManager[HeldName]:
                locked.append(name)
                return super().lock(name, timeout)

        put(store, "default", login(access_token="earlier"))
        save_login(Watched(store), "default", APP, GRANT, replace=True)
        assert locked == ["token/default", app_name(APP.client_id)]

    @pytest.mark.parametrize("error", [LockBusy("held"), StoreUnavailable("gone")])
    def test_a_login_counts_though_the_replaced_ones_app_stays(
        self, store: SecretStore, error: WithingsAuthError
    ) -> None:
        """Whoever holds that app's lock, or whatever the store says."""

        class Stays(Wrapped):
            def lock(self, name: str, timeout: float) -> AbstractContextManager[HeldName]:
                if name == app_name(OTHER_ID):
                    raise error
                return super().lock(name, timeout)

        put(store, "default", login(client_id=OTHER_ID))
        save_login(Stays(store), "default", APP, GRANT, replace=True)
        assert stored_grant(store, "default") == GRANT

    def test_the_waits_are_longer_than_a_renewal(self, store: SecretStore) -> None:
        with pytest.raises(LockBusy, match="token/default is held for 120"):
            save_login(Busy(store), "default", APP, GRANT, replace=False)
        with pytest.raises(LockBusy, match=f"app/{APP.client_id} is held for 120"):
            prove_writable(Busy(store), APP)

    def test_a_save_that_fails_is_an_error(self, store: SecretStore) -> None:
        with pytest.raises(StoreUnavailable, match="full"):
            save_login(Unsavable(store, StoreUnavailable("full")), "default", APP, GRANT, replace=False)
        assert store.names() == []


class TestSecondProfile:
    @pytest.mark.parametrize(
        ("profile", "other"),
        [
            ("default", GRANT),
            ("mum", login(userid="7")),
            ("mum", login(client_id=OTHER_ID)),
            ("mum", login(token_url=OTHER_URL)),
            ("two words", GRANT),
        ],
        ids=["the same", "another user", "another app", "another service", "no profile"],
    )
    def test_it_is_none(self, store: SecretStore, profile: str, other: Grant) -> None:
        put(store, profile, other)
        refuse_second_profile(store, "default", GRANT)

    def test_nor_is_one_that_goes_meanwhile(self, store: SecretStore) -> None:
        class Leaving(Wrapped):
            def names(self) -> list[str]:
                return ["token/just-gone"]

        refuse_second_profile(Leaving(store), "default", GRANT)

    @pytest.mark.parametrize(
        ("profile", "way_on"),
        [
            ("default", "to sign in as somebody else: withings-auth login --switch-user; or "),
            ("dad", "to sign in as somebody else: withings-auth login --profile dad --switch-user; or "),
        ],
    )
    @pytest.mark.parametrize("replace", [True, False])
    def test_it_is_refused(self, store: SecretStore, profile: str, way_on: str, replace: bool) -> None:
        """Wherever it is in the list, beside records that cannot be read or named."""
        for name, text in (("a", DAMAGED), ("b", NEWER), ("c d", GRANT.to_record()), ("dad", login(userid="7"))):
            save_record(store, f"token/{name}", text if isinstance(text, str) else text.to_record())
        store_of_profile = store.load(f"token/{profile}")
        put(store, "mum", GRANT)
        with pytest.raises(WrongAccount, match="as profile mum: nothing was saved") as refused:
            save_login(store, profile, APP, GRANT, replace=True if profile == "dad" else replace)
        use = 'use profile="mum", or log it out first: withings-auth logout --profile mum'
        assert (refused.value.args[0], refused.value.hint) == (
            "user 12345678 is already logged in to this app, as profile mum: nothing was saved",
            way_on + use,
        )
        assert (store.load(f"token/{profile}"), stored_app(store, APP.client_id)) == (store_of_profile, None)
        with pytest.raises(WrongAccount) as refused:
            refuse_second_profile(store, profile, GRANT)
        assert refused.value.hint == use


def test_an_owner_is_compared_without_the_user() -> None:
    """An import learns the user only later."""
    refuse_other_owner("default", login(userid="7"), GRANT.client_id, GRANT.token_url)
