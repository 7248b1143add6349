"""Which login a program gets: the one that it names, or else the one that a command would take."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.logins import Desk
from tests.support.visitor import VISITOR
from withings_auth import App, AsyncTokenSource, TokenSource, login_sync
from withings_auth.config.places import config_directory
from withings_auth.config.settings import read_settings
from withings_auth.errors import LoginRequired
from withings_auth.store.records import load_grant


@pytest.fixture
def family(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """One person's login as profile default, another's as mum; programs find the store, and no profile is set."""
    desk.put_login()
    desk.put_login("mum", person=2)
    monkeypatch.setenv("WITHINGS_AUTH_STORE", f"file:{desk.directory}")
    desk.env["WITHINGS_AUTH_PROFILE"] = None
    return desk


def users(*profile: str) -> set[str]:
    """Returns whose token each kind of source returns."""
    return {TokenSource(*profile).token().userid, asyncio.run(AsyncTokenSource(*profile).token()).userid}


def test_it_is_the_commands_choice(family: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing set, `profile` in config.toml, WITHINGS_AUTH_PROFILE, a name: each comes before those above it."""
    default, mum, *_ = (str(person.userid) for person in family.sandbox.people)
    assert users() == {default}
    config_directory().mkdir(parents=True)
    (config_directory() / "config.toml").write_text('profile = "Mum"')
    assert users() == {mum}
    assert f'"userid": "{mum}"' in family.run("token", "--json").stdout
    assert users("default") == {default}
    monkeypatch.setenv("WITHINGS_AUTH_PROFILE", "default")
    assert users() == {default}
    monkeypatch.setenv("WITHINGS_AUTH_PROFILE", "MUM")
    assert users() == {mum}
    assert users("default") == {default}


@pytest.mark.usefixtures("family")
def test_the_hint_names_the_profile_that_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WITHINGS_AUTH_PROFILE", "dad")
    with pytest.raises(LoginRequired) as caught:
        TokenSource().token()
    assert caught.value.hint == "log in: withings-auth login --profile dad"


def test_a_login_goes_there_too(family: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that logs somebody in saves it where its sources look."""
    sandbox = family.sandbox
    app = App(client_id=sandbox.client_id, client_secret=sandbox.client_secret, redirect_uri=family.redirect_uri)
    family.run("logout")
    monkeypatch.setenv("WITHINGS_AUTH_PROFILE", "dad")
    token = login_sync(app, endpoints=sandbox.endpoints, browser=VISITOR, tell=lambda _: None, timeout=60)
    assert load_grant(read_settings().open_store(), "dad").token == token == TokenSource().token()
