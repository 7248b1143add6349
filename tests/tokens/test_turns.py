"""Who comes while another is at it waits its turn, and then looks again: a login and a logout, in each other's way.

In `test_races` real programs do this, in any order; here each one waits at the worst possible moment.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import pytest

from tests.support.stores import Wrapped, save_record
from tests.tokens.scene import LIFE, START
from withings_auth.errors import WithingsAuthError, WrongAccount
from withings_auth.model import ALL_SCOPES, App, Grant
from withings_auth.profiles.logout import Logout
from withings_auth.store.base import HeldName, SecretStore
from withings_auth.store.ownership import save_login
from withings_auth.store.records import app_name, clear_unused_app, load_grant, stored_app, token_name

NAME = token_name("default")
APP = App(client_id="an-app", client_secret="the-secret-of-the-app")
GRANT = Grant(
    access_token="access-1",
    refresh_token="refresh-1",
    obtained_at=int(START),
    expires_at=int(START) + LIFE,
    scopes=ALL_SCOPES,
    userid="1",
    client_id=APP.client_id,
    token_url="https://withings.example/v2/oauth2",
)
RENEWED = replace(GRANT, access_token="access-2", refresh_token="refresh-2")
NEW_LOGIN = replace(GRANT, access_token="access-3", refresh_token="refresh-3")


class Watched(Wrapped):
    """A store that tells which locks it was asked for."""

    def __init__(self, inner: SecretStore) -> None:
        super().__init__(inner)
        self.asked: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def lock(self, name: str, timeout: float) -> AbstractContextManager[HeldName]:
        self.asked.put(name)
        return super().lock(name, timeout)


@contextmanager
def in_the_way_of(
    store: SecretStore, name: str, act: Callable[[SecretStore], object]
) -> Iterator[tuple[HeldName, list[object]]]:
    """Holds a name and lets somebody act until they ask for it; they go on at the end. Lists the results."""
    watched, came = Watched(store), list[object]()

    def acting() -> None:
        try:
            came.append(act(watched))
        except WithingsAuthError as error:
            came.append(error)
        watched.asked.put(None)

    thread = threading.Thread(target=acting, daemon=True)
    with store.lock(name, 5) as held:
        thread.start()
        while watched.asked.get(timeout=60) not in {name, None}:  # None: they did it all without asking
            pass
        yield held, came
    thread.join(60)
    assert not thread.is_alive()


@pytest.fixture
def with_login(store: SecretStore) -> SecretStore:
    save_record(store, app_name(APP.client_id), APP.to_record())
    save_record(store, NAME, GRANT.to_record())
    return store


def log_in(store: SecretStore) -> None:
    save_login(store, "default", APP, NEW_LOGIN, replace=False)


def log_out(store: SecretStore) -> None:
    logout = Logout(store, tell=lambda _: None)
    logout.remove_profile("default")
    logout.remove_apps(None, every=False)
    assert logout.failures == []


def test_a_logout_takes_away_what_a_renewal_is_about_to_save(with_login: SecretStore) -> None:
    """Otherwise the renewal would bring back the login that the user has just ended."""
    with in_the_way_of(with_login, NAME, log_out) as (held, _):
        held.save(RENEWED.to_record())
    assert with_login.names() == []


def test_a_login_stays_though_a_renewal_was_about_to_save(with_login: SecretStore) -> None:
    """Otherwise the renewal would put a pair that is dead in the place of the new one."""
    with in_the_way_of(with_login, NAME, log_in) as (held, _):
        held.save(RENEWED.to_record())
    assert load_grant(with_login, "default") == NEW_LOGIN


def test_a_login_is_compared_with_the_one_that_is_there_in_its_turn(store: SecretStore) -> None:
    """Two users log in to a profile that was nobody's: the later one is refused, and replaces nothing."""
    other = replace(GRANT, userid="2")
    with in_the_way_of(store, NAME, log_in) as (held, came):
        held.save(other.to_record())
    assert [type(one) for one in came] == [WrongAccount]
    assert load_grant(store, "default") == other


def test_an_app_stays_that_a_login_is_about_to_need(store: SecretStore) -> None:
    """Who removes an app without logins looks for them in its turn, and finds the one that was made meanwhile."""
    save_record(store, app_name(APP.client_id), APP.to_record())
    with in_the_way_of(store, app_name(APP.client_id), lambda watched: clear_unused_app(watched, APP.client_id)) as (
        _,
        came,
    ):
        save_record(store, NAME, NEW_LOGIN.to_record())
    assert came == [False]
    assert stored_app(store, APP.client_id) == APP


def test_a_login_brings_the_app_back_that_a_logout_is_about_to_remove(with_login: SecretStore) -> None:
    """A login without its app could not be renewed."""
    with in_the_way_of(with_login, app_name(APP.client_id), log_in) as (held, _):
        held.clear()
    assert stored_app(with_login, APP.client_id) == APP
    assert load_grant(with_login, "default") == NEW_LOGIN
