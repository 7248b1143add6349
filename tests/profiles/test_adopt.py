"""Taking over a login: what is sent, what is saved, and what is left alone when something goes wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.support.canaries import Canaries
from tests.support.stores import Wrapped, save_record
from tests.tokens.scene import HOUR, START, Clock
from withings_auth.errors import (
    ConfigurationError,
    LoginRequired,
    ProtocolViolation,
    ProviderError,
    ProviderUnavailable,
    StoreNotDurable,
    StoreUnavailable,
    WrongAccount,
)
from withings_auth.model import App, Grant
from withings_auth.profiles.adopt import adopt
from withings_auth.profiles.foreign import ForeignLogin
from withings_auth.provider.http import post
from withings_auth.provider.replies import Answer, NotSent, Outcome, Post
from withings_auth.sandbox import Sandbox
from withings_auth.store.base import HeldName, SecretStore
from withings_auth.store.file_store import FileStore
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.records import app_name, stored_app, stored_grant, token_name
from withings_auth.tokens.renewal import Effects


@dataclass(slots=True, kw_only=True)
class Table:
    """A store, a Withings, and the login of another tool."""

    store: SecretStore
    sandbox: Sandbox
    clock: Clock
    login: ForeignLogin
    sent_at: list[float] = field(default_factory=list)

    @property
    def app(self) -> App:
        return App(client_id=self.sandbox.client_id, client_secret=self.sandbox.client_secret)

    def post(self, url: str, form: Mapping[str, str], **_: object) -> Outcome:
        self.sent_at.append(self.clock())
        return post(url, form)

    def adopt(
        self,
        login: ForeignLogin | None = None,
        *,
        app: App | None = None,
        profile: str = "default",
        replace: bool = False,
        send: Post | None = None,
        store: SecretStore | None = None,
    ) -> Grant:
        return adopt(
            store or self.store,
            profile,
            login or self.login,
            app or self.app,
            self.sandbox.endpoints.token_url,
            replace=replace,
            effects=Effects(post=send or self.post, now=self.clock, wait=self.clock.wait, steady=self.clock),
        )

    def keep(self, userid: str, *, profile: str = "default", **changes: str) -> Grant:
        """Puts an earlier login there."""
        grant = Grant(
            access_token="earlier-access",
            refresh_token="earlier-refresh",
            obtained_at=int(START),
            expires_at=int(START) + 3 * HOUR,
            scopes=("user.info",),
            userid=userid,
            client_id=self.sandbox.client_id,
            token_url=self.sandbox.endpoints.token_url,
        )
        grant = replace(grant, **changes)  # type: ignore[arg-type]  # texts only
        save_record(self.store, token_name(profile), grant.written())
        return grant


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, home: Path) -> SecretStore:
    return MemoryStore() if request.param == "memory" else FileStore(home / "store")


@pytest.fixture
def table(store: SecretStore, clock: Clock, canaries: Canaries) -> Iterator[Table]:
    with Sandbox(now=clock) as sandbox:
        pair = sandbox.issue_pair()
        login = ForeignLogin(
            tool="a tool", access_token=pair.access_token, refresh_token=pair.refresh_token, userid=str(pair.userid)
        )
        yield Table(store=store, sandbox=sandbox, clock=clock, login=login)
        for number, secret in enumerate(sorted(sandbox.secrets)):
            canaries.plant(f"the sandbox's secret {number}", secret)


def test_one_refresh_makes_it_ours(table: Table) -> None:
    """Statements 29 and 33: the new pair is saved, its life counts from before the request, and the app with it."""
    grant = table.adopt()
    assert stored_grant(table.store, "default") == grant
    assert stored_app(table.store, table.sandbox.client_id) == table.app
    assert (grant.obtained_at, grant.expires_at) == (int(START), int(START) + 3 * HOUR)
    assert grant.refresh_token != table.login.refresh_token
    assert table.sandbox.counters.refreshes == 1
    assert grant.refresh_token in table.sandbox.live_refresh_tokens


def test_a_file_without_a_userid_is_told_by_withings(table: Table) -> None:
    """The renewal's answer says it."""
    assert table.adopt(replace(table.login, userid=None)).userid == table.login.userid


def test_withings_knows_better_whose_login_it_is(table: Table) -> None:
    """A file may have been edited."""
    assert table.adopt(replace(table.login, userid="7")).userid == table.login.userid


def test_neither_says_the_userid(table: Table) -> None:
    """Then it cannot be saved: a record belongs to a person."""
    body = b'{"status": 0, "body": {"access_token": "a", "refresh_token": "r", "expires_in": 10800}}'
    with pytest.raises(ProtocolViolation, match="neither Withings' answer nor the file"):
        table.adopt(replace(table.login, userid=None), send=lambda *_, **__: Answer(http_status=200, body=body))
    assert stored_grant(table.store, "default") is None


def test_scopes_come_from_the_answer_then_the_file_then_the_app(table: Table) -> None:
    """Withings may leave them out."""
    body = b'{"status": 0, "body": {"access_token": "a", "refresh_token": "r", "expires_in": 10800, "userid": 1}}'

    def silent(*_: object, **__: object) -> Answer:
        return Answer(http_status=200, body=body)

    assert table.adopt(replace(table.login, scopes=("user.info",), userid="1"), send=silent).scopes == ("user.info",)
    assert table.adopt(replace(table.login, userid="1"), send=silent).scopes == table.app.scopes


class TestRefused:
    def test_a_dead_refresh_token_leaves_everything_as_it_was(self, table: Table) -> None:
        """Statement 30: the login that the profile has is still there."""
        earlier = table.keep(str(table.login.userid))
        table.sandbox.kill_refresh_token(table.login.refresh_token)
        with pytest.raises(LoginRequired, match="does not accept the refresh token in the file") as caught:
            table.adopt()
        assert 'another app (client_id="ID")' in caught.value.hint
        assert stored_grant(table.store, "default") == earlier

    def test_a_wrong_secret_is_not_kept(self, table: Table) -> None:
        """And the message is the one about the app."""
        with pytest.raises(ConfigurationError, match="does not know this client id"):
            table.adopt(app=App(client_id=table.sandbox.client_id, client_secret="wrong"))
        assert table.store.names() == []

    def test_a_wrong_secret_takes_no_good_one_away(self, table: Table) -> None:
        """The saved one, which logins use, stays."""
        save_record(table.store, app_name(table.sandbox.client_id), table.app.written())
        table.keep("7", profile="other")
        with pytest.raises(ConfigurationError):
            table.adopt(app=App(client_id=table.sandbox.client_id, client_secret="wrong"))
        assert stored_app(table.store, table.sandbox.client_id) == table.app

    def test_no_way_to_withings(self, table: Table) -> None:
        """Exit 4; nothing was sent, so nothing is unknown."""
        with pytest.raises(ProviderUnavailable, match=r"cannot be reached: Connection refused$"):
            table.adopt(send=lambda *_, **__: NotSent(why="Connection refused"))
        assert stored_grant(table.store, "default") is None

    def test_another_refusal(self, table: Table) -> None:
        """Withings' words are told."""
        table.sandbox.fail_next("status", status=277, error="Go away")
        with pytest.raises(ProviderError, match="Go away"):
            table.adopt()


class TestLostAnswers:
    def test_it_is_asked_once_more_after_the_guard(self, table: Table) -> None:
        """The same refresh token is never sent twice within ten seconds."""
        table.sandbox.fail_next("lost")
        grant = table.adopt()
        assert stored_grant(table.store, "default") == grant
        first, second = table.sent_at
        assert second - first >= 10

    def test_two_lost_answers_name_the_deadline(self, table: Table) -> None:
        """Exit 4; the file can be imported again within eight hours of the first try, and then it is saved."""
        table.sandbox.fail_next("lost", times=2)
        with pytest.raises(ProviderUnavailable, match="a new try is sure only before 2023-11-15 06:13") as caught:
            table.adopt()
        assert caught.value.hint.startswith("import the file again before that time")
        assert stored_grant(table.store, "default") is None
        table.clock.at = START + 7 * HOUR
        assert table.adopt() == stored_grant(table.store, "default")

    def test_another_process_keeps_the_guard(self, table: Table) -> None:
        """Whichever profile it imports the file as."""
        table.sandbox.fail_next("lost", times=2)
        with pytest.raises(ProviderUnavailable):
            table.adopt()
        table.adopt(profile="other")
        assert min(b - a for a, b in zip(table.sent_at, table.sent_at[1:], strict=False)) >= 10

    def test_a_601_is_waited_out(self, table: Table) -> None:
        """It refuses before acting."""
        table.sandbox.fail_next("too_many", wait_seconds=5)
        assert table.adopt() == stored_grant(table.store, "default")

    def test_the_notes_of_the_profile_are_left_alone(self, table: Table) -> None:
        """What is unknown of the login that the profile has stays noted, whatever comes of the import."""
        table.keep(str(table.login.userid))
        with table.store.lock(token_name("default"), 1) as held:
            held.notes.note("of the earlier login")
        table.sandbox.fail_next("bad_gateway", times=2)
        with pytest.raises(ProviderUnavailable):
            table.adopt()
        with table.store.lock(token_name("default"), 1) as held:
            assert held.notes.recall() == "of the earlier login"


class TestConflicts:
    """Found out before anything is sent, where the file says whose login it is."""

    def test_another_persons_profile(self, table: Table) -> None:
        """Nothing is sent, and --replace goes on."""
        earlier = table.keep("7")
        with pytest.raises(WrongAccount, match="belongs to user 7") as caught:
            table.adopt()
        assert "replace=True" in caught.value.hint
        assert (table.sent_at, stored_grant(table.store, "default")) == ([], earlier)
        assert table.adopt(replace=True) == stored_grant(table.store, "default")

    def test_the_same_person_is_replaced(self, table: Table) -> None:
        """As a new login of theirs does."""
        table.keep(str(table.login.userid))
        assert table.adopt() == stored_grant(table.store, "default")

    @pytest.mark.parametrize(
        "changes", [{"client_id": "another"}, {"token_url": "https://wbsapi.us.withingsmed.net/v2/oauth2"}]
    )
    def test_another_app_or_service(self, table: Table, changes: dict[str, str]) -> None:
        """As for a login."""
        table.keep(str(table.login.userid), **changes)
        with pytest.raises(WrongAccount, match="belongs to another"):
            table.adopt()
        assert table.sent_at == []

    def test_a_profile_in_use_and_a_file_that_does_not_say_whose(self, table: Table) -> None:
        """It could turn out to be somebody else's when it is too late."""
        table.keep(str(table.login.userid))
        with pytest.raises(WrongAccount, match="does not say whose login"):
            table.adopt(replace(table.login, userid=None))
        assert table.sent_at == []

    def test_a_second_profile_of_the_same_person(self, table: Table) -> None:
        """Even with --replace, as for a login."""
        table.keep(str(table.login.userid), profile="other")
        with pytest.raises(WrongAccount, match="already logged in to this app, as profile other"):
            table.adopt(replace=True)
        assert table.sent_at == []

    def test_what_only_the_answer_tells_loses_nothing(self, table: Table) -> None:
        """The file still works for eight hours, the message says so, and the right profile takes it."""
        earlier = table.keep(str(table.login.userid), profile="other")
        unsaid = replace(table.login, userid=None)
        with pytest.raises(WrongAccount, match="as profile other") as caught:
            table.adopt(unsaid)
        assert "the file works until 2023-11-15 06:13: import it again" in caught.value.hint
        assert stored_grant(table.store, "other") == earlier
        table.clock.at += 7 * HOUR
        assert table.adopt(unsaid, profile="other", replace=True) == stored_grant(table.store, "other")


class Failing(Wrapped):
    """A store that saves no token record."""

    def save(self, held: HeldName, name: str, text: str) -> None:
        if name.startswith("token/"):
            raise StoreUnavailable("the disk is full", hint="make room")
        held.save(text)


class Readonly(Wrapped):
    """A store that saves nothing."""

    def save(self, held: HeldName, name: str, text: str) -> None:  # noqa: ARG002
        raise StoreUnavailable(f"no room for {name} ({len(text)})")


class Killed(BaseException):
    """The process ends here."""


class Dying(Wrapped):
    """A process that ends between the answer and the save."""

    def save(self, held: HeldName, name: str, text: str) -> None:
        if name.startswith("token/"):
            raise Killed(len(text))
        held.save(text)


class TestStore:
    def test_nothing_is_sent_to_be_lost(self, table: Table) -> None:
        """A store that cannot be written is found out before."""
        with pytest.raises(StoreUnavailable):
            table.adopt(store=Readonly(table.store))
        assert table.sent_at == []

    def test_a_save_that_fails_says_until_when_it_can_be_mended(self, table: Table) -> None:
        """Exit 5; and within that time the file does it."""
        with pytest.raises(StoreNotDurable, match="could not be saved: the disk is full") as caught:
            table.adopt(store=Failing(table.store))
        assert "imported again before 2023-11-15 06:13; make room" in caught.value.hint
        table.clock.at += 7 * HOUR
        assert table.adopt() == stored_grant(table.store, "default")

    @pytest.mark.parametrize("same_pair", [False, True])
    def test_a_process_that_dies_before_the_save_loses_nothing(self, table: Table, same_pair: bool) -> None:
        """The file's refresh token lives, because the new access token was never used."""
        table.sandbox.switch(repeated_refresh_returns_same_pair=same_pair)
        with pytest.raises(Killed):
            table.adopt(store=Dying(table.store))
        assert stored_grant(table.store, "default") is None
        table.clock.at += 7 * HOUR
        grant = table.adopt()
        assert grant.refresh_token in table.sandbox.live_refresh_tokens

    def test_no_notes_stay_behind(self, table: Table) -> None:
        """Once it is saved there is nothing unknown."""
        table.adopt()
        assert list(Path.home().glob("store/import/*.attempt")) == []
