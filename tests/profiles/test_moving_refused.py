"""`store copy`: what must not move stays in both stores as it was, and says why; the rest moves."""

from __future__ import annotations

import dataclasses

import pytest

from tests.profiles.moves import MUM, OTHER_APP, move, put
from tests.support.ports import free_port
from tests.support.stores import Busy, Wrapped, save_record
from tests.test_model import APP, GRANT
from withings_auth.errors import ConfigurationError, LockBusy, StoreCorrupt, StoreUnavailable, WrongAccount
from withings_auth.model import Grant
from withings_auth.store.base import HeldName, SecretStore
from withings_auth.store.records import app_name, stored_app, stored_grant, token_name

NEWER_VERSION = '{"version":2}'


class TestRefusals:
    @pytest.mark.parametrize(
        ("owner", "says"),
        [
            (MUM, f"profile default belongs to user 7, not to user {GRANT.userid}"),
            (dataclasses.replace(GRANT, client_id="d" * 64), "profile default belongs to another app (client id)"),
            (
                dataclasses.replace(GRANT, token_url="http://localhost:8000/v2/oauth2"),
                "profile default belongs to another service (http://localhost:8000)",
            ),
        ],
        ids=["user", "app", "service"],
    )
    def test_another_login_under_the_profile(
        self, source: SecretStore, target: SecretStore, owner: Grant, says: str
    ) -> None:
        """It is replaced only if that was asked for; its app goes if nobody needs it."""
        put(target, "default", owner)
        save_record(target, app_name(OTHER_APP.client_id), OTHER_APP.to_record())
        told, (error,) = move(source, target)
        assert (type(error), str(error)) == (WrongAccount, f"in {target.description}, {says}: it was not moved")
        assert isinstance(error, WrongAccount)
        assert (error.userid, error.owner) == (GRANT.userid, owner.userid)
        assert error.hint == (
            'to replace that login: replace=True profile="default"; to remove it first:'
            " TO withings-auth logout --profile default"
        )
        assert told == []
        assert (stored_grant(source, "default"), stored_grant(target, "default")) == (GRANT, owner)
        assert stored_app(source, APP.client_id) == APP, "the login that stays needs it"
        assert move(source, target, replace=True)[1] == []
        assert (source.names(), stored_grant(target, "default")) == ([], GRANT)
        assert (stored_app(target, OTHER_APP.client_id) is None) is (owner.client_id == OTHER_APP.client_id)

    def test_the_same_login_under_another_profile(self, source: SecretStore, target: SecretStore) -> None:
        """The two might log each other out; the other logins move."""
        put(source, "mum", MUM)
        put(target, "dad", GRANT)
        _, (error,) = move(source, target, replace=True)
        assert isinstance(error, WrongAccount)
        assert str(error) == (
            f"in {target.description}, user {GRANT.userid} is already logged in to this app, as profile dad: profile"
            " default was not moved"
        )
        assert error.hint == "to remove that one first: TO withings-auth logout --profile dad"
        assert (stored_grant(source, "default"), stored_grant(target, "mum")) == (GRANT, MUM)

    def test_a_login_that_was_replaced_a_moment_ago_does_not_count(
        self, store: SecretStore, target: SecretStore
    ) -> None:
        put(store, "a", MUM)
        put(store, "b", GRANT)
        put(target, "a", GRANT)
        assert move(store, target, replace=True)[1] == []
        assert (stored_grant(target, "a"), stored_grant(target, "b")) == (MUM, GRANT)

    def test_another_client_secret(self, source: SecretStore, target: SecretStore) -> None:
        """Nobody knows which is right, so nothing is replaced unless that was asked for."""
        other = dataclasses.replace(APP, client_secret="another")
        save_record(target, app_name(APP.client_id), other.to_record())
        told, (error,) = move(source, target)
        assert isinstance(error, ConfigurationError)
        assert str(error).startswith(f"{target.description} has another client secret of app {APP.client_id}: ")
        assert error.hint.endswith("; to correct it: TO withings-auth configure")
        assert told == [f"Profile default stays in {source.description}: its app was not moved."]
        assert (stored_app(source, APP.client_id), stored_app(target, APP.client_id)) == (APP, other)
        assert move(source, target, replace=True)[1] == []
        assert (source.names(), stored_app(target, APP.client_id)) == ([], APP)

    def test_an_app_with_the_same_secret_is_not_written(self, source: SecretStore, target: SecretStore) -> None:
        other = dataclasses.replace(APP, redirect_uri="http://localhost:9000/other")
        save_record(target, app_name(APP.client_id), other.to_record())
        assert move(source, target)[1] == []
        assert (source.names(), stored_app(target, APP.client_id)) == ([], other)

    @pytest.mark.parametrize("name", [token_name("default"), app_name(APP.client_id)])
    @pytest.mark.parametrize("damage", ["{", NEWER_VERSION])
    def test_a_damaged_record_in_the_old_store_stays(
        self, source: SecretStore, target: SecretStore, name: str, damage: str
    ) -> None:
        save_record(source, name, damage)
        put(source, "mum", MUM)
        _, (error,) = move(source, target)
        assert isinstance(error, StoreCorrupt)
        assert str(error).startswith(f"in {source.description}, the stored ")
        command = "login --profile default" if name.startswith("token/") else "configure"
        anew = f"it stays there; to start anew: TO withings-auth {command}"
        assert error.hint == (
            anew if damage == "{" else "upgrade it in its checkout: git pull && pipx install --force ."
        )
        assert source.load(name) == damage

    @pytest.mark.parametrize("name", [token_name("default"), app_name(APP.client_id)])
    @pytest.mark.parametrize("damage", ["{", NEWER_VERSION])
    def test_a_damaged_record_in_the_new_store_is_replaced_only_on_demand(
        self, source: SecretStore, target: SecretStore, name: str, damage: str
    ) -> None:
        """One of a newer version never."""
        save_record(target, name, damage)
        for replace in (False, True):
            _, failures = move(source, target, replace=replace)
            if replace and damage == "{":
                assert (failures, source.names()) == ([], [])
                assert target.load(name) in {GRANT.to_record(), APP.to_record()}
            else:
                assert [type(error) for error in failures] == [StoreCorrupt]
                assert str(failures[0]).startswith(f"in {target.description}, the stored ")
                assert ("replace=True" in failures[0].hint) is (damage == "{")
                assert (target.load(name), stored_grant(source, "default")) == (damage, GRANT)

    def test_a_login_that_is_locked_stays(self, source: SecretStore, target: SecretStore) -> None:
        class BusyToken(Wrapped):
            def lock(self, name: str, timeout: float):  # type: ignore[no-untyped-def]  # as `Wrapped` has it
                return (Busy(target) if name == "token/default" else target).lock(name, timeout)

        put(source, "mum", MUM)
        _, (error,) = move(source, BusyToken(target))
        assert isinstance(error, LockBusy)
        assert (stored_grant(source, "default"), stored_grant(target, "mum")) == (GRANT, MUM)

    def test_practice_that_has_ended(self, store: SecretStore, target: SecretStore) -> None:
        ended = dataclasses.replace(GRANT, token_url=f"http://localhost:{free_port()}/v2/oauth2")
        put(store, "sandbox", ended)
        told, failures = move(store, target)
        assert (told, failures) == ([f"Profile sandbox stays in {store.description}: its sandbox has stopped."], [])
        assert stored_grant(store, "sandbox") is not None

    @pytest.mark.parametrize("side", ["source", "target"])
    def test_a_store_that_fails_ends_the_move(self, source: SecretStore, target: SecretStore, side: str) -> None:
        """Nothing is lost, and the same command can be given again."""

        class Failing(Wrapped):
            def save(self, held: HeldName, name: str, text: str) -> None:
                if name.startswith("token/"):
                    raise StoreUnavailable("it broke", hint="mend it")
                super().save(held, name, text)

            def clear(self, held: HeldName, name: str) -> bool:
                raise StoreUnavailable(f"it broke when {name} was to be removed, {held.notes}", hint="mend it")

        stores = (Failing(source), target) if side == "source" else (source, Failing(target))
        with pytest.raises(StoreUnavailable, match="it broke") as broken:
            move(*stores)
        assert stored_grant(source, "default") == GRANT
        if side == "source":
            assert str(broken.value).startswith(f"the login is saved in {target.description}, but {source.description}")
            assert broken.value.hint.endswith("; mend it")
        assert move(source, target)[1] == []
        assert (source.names(), stored_grant(target, "default")) == ([], GRANT)
