"""Reading and removing our records: what is missing, damaged, newer or another app's, and what the log says of it."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable

import pytest

from tests.support.stores import Busy, Wrapped, save_record
from tests.test_model import APP, GRANT
from withings_auth.errors import ConfigurationError, LockBusy, LoginRequired, StoreCorrupt
from withings_auth.store.base import SecretStore
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.records import (
    all_profiles,
    app_name,
    clear_unused_app,
    load_grant,
    load_grant_with_stamp,
    load_secret,
    only_app,
    profiles,
    saved_apps,
    sound_app,
    sound_grant,
    stored_app,
    stored_grant,
    token_name,
)

ID = APP.client_id
OTHER_ID = "d" * 64
DAMAGED, NEWER = "{", '{"version":2}'
SOUND: list[Callable[[SecretStore], object]] = [
    lambda store: sound_grant(store, "default"),
    lambda store: sound_app(store, ID),
]


@pytest.fixture
def store() -> SecretStore:
    return MemoryStore()


@pytest.fixture
def filled(store: SecretStore) -> SecretStore:
    """A store with a login and its app."""
    save_record(store, "token/default", GRANT.to_record())
    save_record(store, f"app/{ID}", APP.to_record())
    return store


def test_a_record_is_read_under_its_name(filled: SecretStore) -> None:
    assert (token_name("default"), app_name(ID)) == ("token/default", f"app/{ID}")
    assert stored_grant(filled, "default") == load_grant(filled, "default") == sound_grant(filled, "default") == GRANT
    assert stored_app(filled, ID) == sound_app(filled, ID) == APP
    assert load_secret(filled, ID) == APP.client_secret
    assert load_grant_with_stamp(filled, "default") == (GRANT, filled.stamp("token/default"))


def test_the_usual_profile_is_one_of_all(filled: SecretStore) -> None:
    assert all_profiles(filled, "zoe") == ["default", "zoe"]
    assert all_profiles(filled, "anna") == ["anna", "default"]
    assert all_profiles(filled, "default") == ["default"]


def test_what_is_missing(store: SecretStore) -> None:
    """None, or an error that says what to do."""
    assert [stored_grant(store, "mum"), sound_grant(store, "mum")] == [None, None]
    assert [stored_app(store, ID), sound_app(store, ID)] == [None, None]
    for load in (load_grant, load_grant_with_stamp):
        with pytest.raises(LoginRequired) as nobody:
            load(store, "mum")
        assert str(nobody.value) == "nobody is logged in as profile mum"
        assert nobody.value.hint == "log in: withings-auth login --profile mum"
    with pytest.raises(ConfigurationError) as gone:
        load_secret(store, ID)
    assert str(gone.value) == "the client secret of this login's app is no longer saved"
    assert gone.value.hint.startswith("save it again, without a new login: withings-auth configure; or set WITHINGS_")


@pytest.mark.parametrize("read", SOUND)
def test_a_damaged_record_may_be_replaced_but_not_a_newer_one(
    store: SecretStore, read: Callable[[SecretStore], object]
) -> None:
    for text in (DAMAGED, NEWER):
        for name in ("token/default", f"app/{ID}"):
            save_record(store, name, text)
        if text is DAMAGED:
            assert read(store) is None
        else:
            with pytest.raises(StoreCorrupt, match="newer"):
                read(store)


def test_an_app_under_another_ones_name_is_refused(store: SecretStore) -> None:
    """Statement 38: its secret would be sent with a client id that is not its own."""
    save_record(store, f"app/{OTHER_ID}", APP.to_record())
    with pytest.raises(StoreCorrupt) as refused:
        stored_app(store, OTHER_ID)
    assert str(refused.value) == "the stored app record belongs to another app"
    assert refused.value.hint == "to replace it, without a new login: withings-auth configure"


def test_profiles_and_apps_are_listed_apart(filled: SecretStore) -> None:
    save_record(filled, "token/app", GRANT.to_record())
    save_record(filled, "note/default", "of another program")
    assert (profiles(filled), saved_apps(filled)) == (["app", "default"], [ID])


@pytest.mark.parametrize(
    ("saved", "api_url", "only"),
    [
        ([], "https://wbsapi.withings.net", None),
        ([ID], "https://wbsapi.withings.net", ID),
        ([ID, OTHER_ID], "https://wbsapi.withings.net", None),
        ([ID, "sandbox-1"], "https://wbsapi.withings.net", ID),
        (["sandbox-1"], "https://wbsapi.withings.net", None),
        (["sandbox-1"], "http://localhost:1", "sandbox-1"),
        ([ID, "sandbox-1"], "http://localhost:1", None),
        (["no id"], "https://wbsapi.withings.net", None),
    ],
)
def test_the_only_app(store: SecretStore, saved: list[str], api_url: str, only: str | None) -> None:
    """A practice login's counts only in practice."""
    for client_id in saved:
        save_record(store, app_name(client_id), "{}")
    assert only_app(store, api_url) == only


class TestUnusedApp:
    def test_no_login_needs_it(self, filled: SecretStore) -> None:
        """Another app's login does not keep it; a second time there is nothing to remove."""
        save_record(filled, "token/default", dataclasses.replace(GRANT, client_id=OTHER_ID).to_record())
        assert clear_unused_app(filled, ID) is True
        assert filled.names() == ["token/default"]
        assert clear_unused_app(filled, ID) is False

    @pytest.mark.parametrize("text", [GRANT.to_record(), DAMAGED, NEWER], ids=["its own", "damaged", "newer"])
    def test_a_login_needs_it_or_may(self, filled: SecretStore, text: str) -> None:
        save_record(filled, "token/anna", dataclasses.replace(GRANT, client_id=OTHER_ID).to_record())
        save_record(filled, "token/default", text)
        assert clear_unused_app(filled, ID) is False
        assert stored_app(filled, ID) == APP

    def test_a_login_that_goes_meanwhile_does_not(self, store: SecretStore) -> None:
        class Leaving(Wrapped):
            def names(self) -> list[str]:
                return ["token/just-gone"]

        save_record(store, f"app/{ID}", APP.to_record())
        assert clear_unused_app(Leaving(store), ID) is True

    def test_the_app_is_locked_meanwhile(self, filled: SecretStore) -> None:
        """A login that is about to save it goes first; the wait is longer than nearly all renewals."""
        with pytest.raises(LockBusy, match=f"app/{ID} is held for 120"):
            clear_unused_app(Busy(filled), ID)


def test_the_log_says_what_was_found(
    filled: SecretStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of the function that looked, by the store's clock, and with no secret."""
    monkeypatch.setattr(time, "time", lambda: GRANT.expires_at - 3660.4)
    monkeypatch.setattr(filled, "clock_offset", lambda: 3600.0, raising=False)
    stored_grant(filled, "default")
    load_grant_with_stamp(filled, "default")
    stored_grant(filled, "mum")
    assert [(each.name, each.funcName, each.levelno, each.getMessage()) for each in caplog.records] == [
        ("withings_auth.store.records", "_read_grant", logging.DEBUG, text)
        for text in (
            *["token/default: user 12345678, access token for 60 s more, in this program's memory"] * 2,
            "token/mum: nothing in this program's memory",
        )
    ]
