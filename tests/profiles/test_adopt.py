"""Importing a login: what is sent, what is saved, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.profiles.imports import Import
from tests.support.stores import save_record
from tests.tokens.scene import HOUR, START
from withings_auth.errors import (
    ConfigurationError,
    LoginRequired,
    ProtocolViolation,
    ProviderError,
    ProviderUnavailable,
    WrongAccount,
)
from withings_auth.model import App
from withings_auth.provider.replies import Answer, NotSent
from withings_auth.store.records import app_name, stored_app, stored_grant


def test_one_refresh_imports_the_login(foreign: Import) -> None:
    """Statements 29 and 33: the new pair and the app are saved; the pair's life counts from before the request."""
    grant = foreign.adopt()
    assert stored_grant(foreign.store, "default") == grant
    assert stored_app(foreign.store, foreign.sandbox.client_id) == foreign.app
    assert (grant.obtained_at, grant.expires_at) == (int(START), int(START) + 3 * HOUR)
    assert grant.refresh_token != foreign.login.refresh_token
    assert foreign.sandbox.counters.refreshes == 1
    assert grant.refresh_token in foreign.sandbox.live_refresh_tokens


def test_the_userid_may_come_from_withings_alone(foreign: Import) -> None:
    """The file need not have it."""
    assert foreign.adopt(replace(foreign.login, userid=None)).userid == foreign.login.userid


def test_withings_overrides_the_userid_in_the_file(foreign: Import) -> None:
    """A file may have been edited."""
    assert foreign.adopt(replace(foreign.login, userid="7")).userid == foreign.login.userid


def test_without_a_userid_nothing_is_saved(foreign: Import) -> None:
    """A record needs one."""
    body = b'{"status": 0, "body": {"access_token": "a", "refresh_token": "r", "expires_in": 10800}}'
    with pytest.raises(ProtocolViolation, match="neither Withings' answer nor the file"):
        foreign.adopt(replace(foreign.login, userid=None), send=lambda *_, **__: Answer(http_status=200, body=body))
    assert stored_grant(foreign.store, "default") is None


def test_scopes_come_from_the_answer_then_the_file_then_the_app(foreign: Import) -> None:
    """Withings may leave them out."""
    body = b'{"status": 0, "body": {"access_token": "a", "refresh_token": "r", "expires_in": 10800, "userid": 1}}'

    def silent(*_: object, **__: object) -> Answer:
        return Answer(http_status=200, body=body)

    assert foreign.adopt(replace(foreign.login, scopes=("user.info",), userid="1"), send=silent).scopes == (
        "user.info",
    )
    assert foreign.adopt(replace(foreign.login, userid="1"), send=silent).scopes == foreign.app.scopes


class TestRefused:
    def test_a_dead_refresh_token_changes_nothing(self, foreign: Import) -> None:
        """Statement 30: the profile's login is still there."""
        earlier = foreign.save_login(str(foreign.login.userid))
        foreign.sandbox.kill_refresh_token(foreign.login.refresh_token)
        with pytest.raises(LoginRequired, match="does not accept the refresh token in the file") as caught:
            foreign.adopt()
        assert 'another app (client_id="ID")' in caught.value.hint
        assert stored_grant(foreign.store, "default") == earlier

    def test_a_wrong_secret_is_not_kept(self, foreign: Import) -> None:
        """And the error is about the app of the other tool."""
        with pytest.raises(ConfigurationError, match="does not know this client id") as caught:
            foreign.adopt(app=App(client_id=foreign.sandbox.client_id, client_secret="wrong"))
        assert "copy both from that tool into: withings-auth configure" in caught.value.hint
        assert foreign.store.names() == []

    def test_a_wrong_secret_does_not_replace_a_good_one(self, foreign: Import) -> None:
        """Logins use the saved one, so it stays."""
        save_record(foreign.store, app_name(foreign.sandbox.client_id), foreign.app.to_record())
        foreign.save_login("7", profile="other")
        with pytest.raises(ConfigurationError):
            foreign.adopt(app=App(client_id=foreign.sandbox.client_id, client_secret="wrong"))
        assert stored_app(foreign.store, foreign.sandbox.client_id) == foreign.app

    def test_withings_cannot_be_reached(self, foreign: Import) -> None:
        """Exit 4; nothing was sent, so the outcome is known."""
        with pytest.raises(ProviderUnavailable, match=r"(?m)cannot be reached: Connection refused$"):
            foreign.adopt(send=lambda *_, **__: NotSent(why="Connection refused"))
        assert stored_grant(foreign.store, "default") is None

    def test_another_refusal(self, foreign: Import) -> None:
        """The error quotes Withings."""
        foreign.sandbox.fail_next("status", status=277, error="Go away")
        with pytest.raises(ProviderError, match="Go away"):
            foreign.adopt()


class TestConflicts:
    """They are found before anything is sent if the file names its user."""

    def test_another_users_profile(self, foreign: Import) -> None:
        """Nothing is sent; `replace` gets around it."""
        earlier = foreign.save_login("7")
        with pytest.raises(WrongAccount, match="belongs to user 7") as caught:
            foreign.adopt()
        assert "replace=True" in caught.value.hint
        assert (foreign.sent_at, stored_grant(foreign.store, "default")) == ([], earlier)
        assert foreign.adopt(replace=True) == stored_grant(foreign.store, "default")

    def test_the_same_users_login_is_replaced(self, foreign: Import) -> None:
        """As by a new login."""
        foreign.save_login(str(foreign.login.userid))
        assert foreign.adopt() == stored_grant(foreign.store, "default")

    @pytest.mark.parametrize(
        "changes", [{"client_id": "another"}, {"token_url": "https://wbsapi.us.withingsmed.net/v2/oauth2"}]
    )
    def test_another_app_or_service(self, foreign: Import, changes: dict[str, str]) -> None:
        """As for a login."""
        foreign.save_login(str(foreign.login.userid), **changes)
        with pytest.raises(WrongAccount, match="belongs to another"):
            foreign.adopt()
        assert foreign.sent_at == []

    def test_a_profile_in_use_and_a_file_without_a_userid(self, foreign: Import) -> None:
        """It might turn out to be another user's when it is too late."""
        foreign.save_login(str(foreign.login.userid))
        with pytest.raises(WrongAccount, match="does not name its user"):
            foreign.adopt(replace(foreign.login, userid=None))
        assert foreign.sent_at == []

    def test_a_second_profile_of_the_same_user(self, foreign: Import) -> None:
        """Even with `replace`, as for a login."""
        foreign.save_login(str(foreign.login.userid), profile="other")
        with pytest.raises(WrongAccount, match="already logged in to this app, as profile other"):
            foreign.adopt(replace=True)
        assert foreign.sent_at == []

    def test_a_record_that_no_command_can_name_is_no_conflict(self, foreign: Import) -> None:
        """No hint could lead out of it."""
        foreign.save_login(str(foreign.login.userid), profile="two words")
        assert foreign.adopt().userid == str(foreign.login.userid)

    def test_a_conflict_that_only_the_answer_shows_loses_nothing(self, foreign: Import) -> None:
        """The file still works for eight hours, and the hint says so; the right profile can import it."""
        earlier = foreign.save_login(str(foreign.login.userid), profile="other")
        unnamed = replace(foreign.login, userid=None)
        with pytest.raises(WrongAccount, match="as profile other") as caught:
            foreign.adopt(unnamed)
        assert "the file works until 2023-11-15 06:13: import it again" in caught.value.hint
        assert stored_grant(foreign.store, "other") == earlier
        foreign.clock.at += 7 * HOUR
        assert foreign.adopt(unnamed, profile="other", replace=True) == stored_grant(foreign.store, "other")
