"""The settings of a source: how long a token must be valid, which app and service, which secret."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.support.stores import Wrapped, clear_record, save_record
from tests.tokens.source.watched import (
    LIFE,
    WatchedStore,
    log_in,
)
from withings_auth.errors import ConfigurationError, LoginRequired, ProviderUnavailable
from withings_auth.model import App, Grant
from withings_auth.sandbox import Sandbox
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.records import app_name, token_name
from withings_auth.tokens.source import TokenSource


class TestMinValid:
    @pytest.mark.parametrize("seconds", [9001, 10800, -1, math.inf, -math.inf, math.nan])
    def test_what_no_token_can_promise_is_a_usage_error(self, seconds: float) -> None:
        """Above 9,000 seconds a fresh token would soon not do either."""
        with pytest.raises(ConfigurationError, match="a token cannot be required to be valid") as caught:
            TokenSource(min_valid=seconds, store=MemoryStore())
        assert caught.value.exit_code == 2

    @pytest.mark.parametrize("seconds", [0, 0.5, 60, 9000])
    def test_everything_else_is_granted(self, sandbox: Sandbox, seconds: float) -> None:
        store = MemoryStore()
        grant = log_in(store, sandbox)
        assert TokenSource(min_valid=seconds, store=store).token() == grant.token

    @pytest.mark.parametrize("min_valid", [0, 60, 9000])
    def test_too_little_life_is_renewed(self, sandbox: Sandbox, min_valid: float) -> None:
        store = MemoryStore()
        grant = log_in(store, sandbox, age=LIFE - int(min_valid))
        assert TokenSource(min_valid=min_valid, store=store).token() != grant.token

    def test_not_even_0_hands_out_a_dead_token(self, sandbox: Sandbox) -> None:
        store = MemoryStore()
        log_in(store, sandbox, age=LIFE)
        assert TokenSource(min_valid=0, store=store).token().expires_at > time.time()


class TestContradiction:
    """Statement 38: a variable that differs from the record is exit 2, not obeyed; nothing is sent anywhere."""

    @pytest.mark.parametrize(
        ("variables", "words"),
        [
            ({"WITHINGS_CLIENT_ID": "another-app"}, "belongs to another app than WITHINGS_CLIENT_ID"),
            ({"WITHINGS_AUTH_API_URL": "https://evil.example"}, "another service than WITHINGS_AUTH_API_URL"),
            ({"WITHINGS_AUTH_API_URL": "http://127.0.0.1:1"}, "another service than WITHINGS_AUTH_API_URL"),
        ],
    )
    @pytest.mark.parametrize("age", [60, LIFE])
    def test_a_variable_that_differs_is_not_obeyed(
        self,
        sandbox: Sandbox,
        monkeypatch: pytest.MonkeyPatch,
        variables: Mapping[str, str],
        words: str,
        age: int,
    ) -> None:
        """Whether the token is good or has to be renewed."""
        store = MemoryStore()
        log_in(store, sandbox, age=age)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        requests = sandbox.counters.token_requests
        with pytest.raises(ConfigurationError, match=words) as caught:
            TokenSource(store=store).token()
        assert caught.value.exit_code == 2
        assert "unset" in caught.value.hint
        assert sandbox.counters.token_requests == requests

    def test_variables_that_agree_are_fine(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        store = MemoryStore()
        log_in(store, sandbox, age=LIFE)
        for name, value in sandbox.environment(profile="default").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("WITHINGS_AUTH_API_URL", f"{sandbox.url}/")
        assert TokenSource(store=store).token().expires_at > time.time()

    def test_an_app_that_differs_is_not_obeyed(self, sandbox: Sandbox) -> None:
        store = MemoryStore()
        log_in(store, sandbox)
        app = App(client_id="another-app", client_secret="its-secret")
        with pytest.raises(ConfigurationError, match="another app than the given one"):
            TokenSource(store=store, app=app).token()

    def test_the_login_that_another_process_put_there_meanwhile_is_checked_too(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between the first look and the lock the profile can become another app's: its secret goes nowhere else."""
        store = MemoryStore()
        grant = log_in(store, sandbox, age=LIFE)
        monkeypatch.setenv("WITHINGS_CLIENT_ID", sandbox.client_id)
        now = int(time.time())
        dead = replace(grant, client_id="another-app")
        fresh = replace(dead, obtained_at=now, expires_at=now + LIFE)
        for other in (dead, fresh):
            loads: list[str] = []

            class Replaced(Wrapped):
                def load(self, name: str, loads: list[str] = loads, other: Grant = other) -> str | None:
                    loads.append(name)
                    return self.inner.load(name) if len(loads) == 1 else other.to_record()

            requests = sandbox.counters.token_requests
            with pytest.raises(ConfigurationError, match="belongs to another app"):
                TokenSource(store=Replaced(store)).token()
            assert sandbox.counters.token_requests == requests


class TestSecret:
    def test_the_given_app_has_the_secret(self, sandbox: Sandbox) -> None:
        store = MemoryStore()
        log_in(store, sandbox, age=LIFE)
        clear_record(store, app_name(sandbox.client_id))
        app = App(client_id=sandbox.client_id, client_secret=sandbox.client_secret)
        assert TokenSource(store=store, app=app).token().expires_at > time.time()

    def test_the_environment_has_it_if_its_client_id_is_the_same(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The environment comes before the saved app, whose secret may be an old one."""
        store = MemoryStore()
        log_in(store, sandbox, age=LIFE)
        stale = App(client_id=sandbox.client_id, client_secret="stale")
        save_record(store, app_name(sandbox.client_id), stale.to_record())
        monkeypatch.setenv("WITHINGS_CLIENT_ID", sandbox.client_id)
        monkeypatch.setenv("WITHINGS_CLIENT_SECRET", sandbox.client_secret)
        assert TokenSource(store=store).token().expires_at > time.time()

    def test_a_secret_without_a_client_id_is_nobodys(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        """Statement 38: a secret in the environment whose app is not named is not sent; the saved one is."""
        store = MemoryStore()
        log_in(store, sandbox, age=LIFE)
        monkeypatch.setenv("WITHINGS_CLIENT_SECRET", "of-who-knows-which-app")
        assert TokenSource(store=store).token().expires_at > time.time()

    def test_a_wrong_secret_is_a_matter_of_configuration(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = MemoryStore()
        grant = log_in(store, sandbox, age=LIFE)
        monkeypatch.setenv("WITHINGS_CLIENT_ID", sandbox.client_id)
        monkeypatch.setenv("WITHINGS_CLIENT_SECRET", "mistyped")
        with pytest.raises(ConfigurationError, match="does not know this client id with this client secret"):
            TokenSource(store=store).token()
        assert store.load(token_name("default")) == grant.to_record()


class TestNobodyThere:
    def test_nobody_logged_in(self, store: WatchedStore) -> None:
        """Statement 32: without a login it says what to type and starts no browser."""
        with pytest.raises(LoginRequired) as caught:
            TokenSource("work", store=store).token()
        assert caught.value.hint == "log in: withings-auth login --profile work"

    def test_a_profile_that_cannot_be(self) -> None:
        with pytest.raises(ConfigurationError):
            TokenSource("../work", store=MemoryStore())

    def test_a_service_that_cannot_be_reached(self, sandbox: Sandbox) -> None:
        """Statement 31: a temporary failure, through the real exchange; and the stored token while it has life."""
        store = MemoryStore()
        for age, works in ((LIFE, False), (LIFE - 30, True)):
            grant = replace(log_in(store, sandbox, age=age), token_url="http://127.0.0.1:1/v2/oauth2")
            save_record(store, token_name("default"), grant.to_record())
            source = TokenSource(store=store)
            if works:
                assert source.token() == grant.token
            else:
                with pytest.raises(ProviderUnavailable, match="Withings cannot be reached: Connection refused"):
                    source.token()
