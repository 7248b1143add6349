"""Login, logout and renewal race for one profile, each in its own process: whoever wins, every result is true.

A new login stays until a later logout. A renewal never undoes a logout that was reported as done.
A caller gets a token that Withings issued, or is told to log in.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import MakeDesk
from tests.support.logins import Desk, PendingLogin
from tests.support.programs import Finished, Program
from tests.support.stores import save_record
from tests.tokens.scene import LIFE, Clock, Scene
from withings_auth.config.settings import open_store
from withings_auth.model import ALL_SCOPES, App, Grant
from withings_auth.sandbox import Switches
from withings_auth.store.base import SecretStore
from withings_auth.store.records import app_name, stored_grant, token_name
from withings_auth.tokens.source import TokenSource

pytestmark = pytest.mark.usefixtures("unmeasured")

NAME = token_name("default")
PLACES = [
    ("file", "kills_at_consent"),
    ("file", "kills_at_exchange"),
    ("file", "kills_nothing"),
    ("Secret Service", "kills_at_consent"),
]
ROUNDS = 3  # of each test without a fixed order


@dataclass(kw_only=True)
class Household:
    """A user who logs in and out, and programs that ask for a token; the token has expired."""

    desk: Desk
    store: SecretStore
    scene: Scene
    second_consent: str
    before: Grant = field(init=False)

    def log_in(self) -> None:
        """Saves the first login, which has fewer scopes than any later one."""
        sandbox = self.desk.sandbox
        pair = sandbox.issue_pair(scopes=("user.info",))
        sandbox.expire_access_token(pair.access_token)
        self.before = Grant(
            access_token=pair.access_token,
            refresh_token=pair.refresh_token,
            obtained_at=int(time.time()) - LIFE,
            expires_at=int(time.time()),
            scopes=pair.scopes,
            userid=str(pair.userid),
            client_id=sandbox.client_id,
            token_url=sandbox.endpoints.token_url,
        )
        app = App(client_id=sandbox.client_id, client_secret=sandbox.client_secret)
        save_record(self.store, NAME, self.before.to_record())
        save_record(self.store, app_name(app.client_id), app.to_record())

    def begin(self, command: str) -> tuple[Program, list[str]]:
        """Starts a command; the canaries learn later which secrets it may print."""
        shown: list[str] = []
        return self.desk.cli.start(command, env=self.desk.env, allow=shown), shown

    @staticmethod
    def end(begun: tuple[Program, list[str]]) -> Finished:
        program, shown = begun
        finished = program.wait()
        shown.append(finished.stdout.strip())
        return finished

    def run(self, command: str) -> Finished:
        return self.end(self.begin(command))

    @contextmanager
    def allowing(self, pending: PendingLogin) -> Iterator[None]:
        """The user clicks Allow and watches the page until it shows the outcome."""
        looking = threading.Thread(target=pending.allow, kwargs={"person": 1})
        looking.start()
        yield
        looking.join()

    @property
    def stored(self) -> Grant | None:
        return stored_grant(self.store, "default")

    def assert_logged_in_anew(self) -> None:
        """The new login is stored whole: its tokens belong together, and it can be renewed."""
        stored = self.stored
        assert stored is not None
        assert stored.scopes == ALL_SCOPES
        assert self.scene.works(stored)
        self.scene.save(replace(stored, obtained_at=stored.obtained_at - LIFE, expires_at=stored.expires_at - LIFE))
        refreshes = self.desk.sandbox.counters.refreshes
        renewed = TokenSource(store=self.store).token()
        assert self.desk.sandbox.counters.refreshes == refreshes + 1
        assert renewed.scopes == ALL_SCOPES
        assert self.stored is not None
        assert self.scene.works(self.stored)

    def assert_logged_out(self) -> None:
        """Neither the login's nor the app's record is left, and nobody gets a token."""
        assert self.store.load(NAME) is None
        assert self.store.load(app_name(self.desk.sandbox.client_id)) is None
        assert self.store.names() == []
        refused = self.run("token")
        assert (refused.returncode, refused.stdout) == (3, "")

    def assert_honest(self, token: Finished) -> None:
        """The result is a token that Withings issued, or the advice to log in."""
        if token.returncode == 0:
            assert token.stdout.strip() in self.desk.sandbox.secrets
            assert token.stdout.strip() != self.before.access_token
        else:
            assert (token.returncode, token.stdout) == (3, "")
            assert "hint: log in: withings-auth login" in token.stderr


def has_two_threads(program: Program) -> bool:
    assert program.running
    return len(list(Path(f"/proc/{program.pid}/task").iterdir())) > 1


@pytest.fixture(params=PLACES, ids="-".join)
def household(request: pytest.FixtureRequest, make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> Household:
    kind, second_consent = request.param
    desk = make_desk(switches=Switches(second_consent=second_consent))
    name = str(desk.env["WITHINGS_AUTH_STORE"])
    if kind != "file":
        service = request.getfixturevalue("secret_service")
        service.enter(monkeypatch)
        name = "keyring"
        desk.env.update(service.environ, WITHINGS_AUTH_STORE=name)
    store = open_store(name)
    household = Household(
        desk=desk, store=store, scene=Scene(store, desk.sandbox, Clock()), second_consent=second_consent
    )
    household.log_in()
    return household


class TestLoginAndRenewal:
    def test_a_login_during_a_slow_renewal(self, household: Household) -> None:
        """The login waits for the renewal and is saved after it. Callers with the renewed token can report it."""
        sandbox = household.desk.sandbox
        pending = household.desk.start()
        sandbox.fail_next("slow", seconds=3)
        asking = household.begin("token")
        household.desk.wait_for(lambda: sandbox.counters.refreshes == 1)
        with household.allowing(pending):
            household.desk.wait_for(lambda: sandbox.counters.exchanges == 1)
        assert pending.wait().returncode == 0
        token = household.end(asking)
        assert token.returncode == 0
        handed_out = token.stdout.strip()
        assert (handed_out in sandbox.live_access_tokens) == (household.second_consent == "kills_nothing")
        stored = household.stored
        assert stored is not None
        assert TokenSource(store=household.store).token(rejected=handed_out) == stored.token
        household.assert_logged_in_anew()

    def test_a_renewal_during_a_slow_exchange(self, household: Household) -> None:
        """The code is spent and the answer on its way: if the old login is dead now, programs are told."""
        sandbox = household.desk.sandbox
        pending = household.desk.start()
        sandbox.fail_next("slow", seconds=3)
        with household.allowing(pending):
            household.desk.wait_for(lambda: sandbox.counters.exchanges == 1)
            token = household.run("token")
        assert pending.wait().returncode == 0
        household.assert_honest(token)
        assert token.returncode == 3 or token.stdout.strip() in sandbox.live_access_tokens
        household.assert_logged_in_anew()

    def test_both_wait_for_the_lock(self, household: Household) -> None:
        """Whoever gets the lock first, the new login stays, and nobody gets a dead token."""
        sandbox = household.desk.sandbox
        pending = household.desk.start()
        with household.allowing(pending):
            with household.store.lock(NAME, 5):
                asking = [household.begin("token") for _ in range(2)]
                household.desk.wait_for(lambda: sandbox.counters.exchanges == 1)
            tokens = [household.end(one) for one in asking]
        assert pending.wait().returncode == 0
        for token in tokens:
            household.assert_honest(token)
            assert token.returncode == 3 or token.stdout.strip() in sandbox.live_access_tokens
        assert sandbox.counters.refreshes <= 1
        household.assert_logged_in_anew()


@pytest.mark.parametrize("household", [PLACES[0], PLACES[-1]], ids="-".join, indirect=True)
class TestLogoutAndRenewal:
    def test_a_logout_during_a_slow_renewal(self, household: Household) -> None:
        """The token is handed out, then the login is removed, and nothing brings it back."""
        sandbox = household.desk.sandbox
        sandbox.fail_next("slow", seconds=3)
        asking = household.begin("token")
        household.desk.wait_for(lambda: sandbox.counters.refreshes == 1)
        logout = household.run("logout")
        assert (logout.returncode, "Logged out" in logout.stderr) == (0, True)
        token = household.end(asking)
        assert token.returncode == 0
        assert token.stdout.strip() in sandbox.live_access_tokens
        household.assert_logged_out()

    def test_a_renewal_that_waited_while_somebody_logged_out(self, household: Household) -> None:
        """It reads the record again first, and sends no request for a login that is gone."""
        with household.store.lock(NAME, 5) as held:
            asking = [household.begin("token") for _ in range(3)]
            for program, _ in asking:  # a second thread means that it has found a login and begun to renew it
                household.desk.wait_for(partial(has_two_threads, program))
            held.clear()
        for one in asking:
            token = household.end(one)
            assert token.returncode == 3
            household.assert_honest(token)
        assert household.desk.sandbox.counters.token_requests == 0
        assert household.run("logout").returncode == 0
        household.assert_logged_out()

    def test_at_will(self, household: Household) -> None:
        """In any order: each round leaves nothing behind and makes one refresh at most."""
        for _ in range(ROUNDS):
            household.log_in()
            refreshes = household.desk.sandbox.counters.refreshes
            begun = [household.begin(command) for command in ("token", "logout", "token")]
            first, logout, second = (household.end(one) for one in begun)
            assert (logout.returncode, "Logged out" in logout.stderr) == (0, True)
            household.assert_honest(first)
            household.assert_honest(second)
            assert household.desk.sandbox.counters.refreshes <= refreshes + 1
            household.assert_logged_out()


@pytest.mark.parametrize("household", [PLACES[0], PLACES[-1]], ids="-".join, indirect=True)
class TestLoginAndLogout:
    def test_a_logout_during_a_slow_exchange(self, household: Household) -> None:
        """It removes the old login; the new one is saved after it, together with its app."""
        pending = household.desk.start()
        household.desk.sandbox.fail_next("slow", seconds=3)
        with household.allowing(pending):
            household.desk.wait_for(lambda: household.desk.sandbox.counters.exchanges == 1)
            logout = household.run("logout")
        assert (logout.returncode, "Logged out" in logout.stderr) == (0, True)
        assert pending.wait().returncode == 0
        assert_all_or_nothing(household)  # nothing only if the machine is so slow that the logout came last

    def test_both_wait_for_the_lock(self, household: Household) -> None:
        """Whoever gets the lock last decides, and leaves all or nothing."""
        pending = household.desk.start()
        with household.allowing(pending):
            with household.store.lock(NAME, 5):
                logging_out = household.begin("logout")
                household.desk.wait_for(lambda: household.desk.sandbox.counters.exchanges == 1)
            assert household.end(logging_out).returncode == 0
        assert pending.wait().returncode == 0
        assert_all_or_nothing(household)


@pytest.mark.parametrize("consent_first", [False, True])
def test_all_three_at_will(household: Household, consent_first: bool) -> None:
    """A login, a logout and two programs in any order leave the new login whole, or none."""
    sandbox = household.desk.sandbox
    pending = household.desk.start()
    with household.allowing(pending):
        if consent_first:  # then the logout more likely comes after the login, and otherwise before
            household.desk.wait_for(lambda: sandbox.counters.consents == 1)
        begun = [household.begin(command) for command in ("token", "logout", "token")]
        first, logout, second = (household.end(one) for one in begun)
    assert pending.wait().returncode == 0
    assert logout.returncode == 0
    household.assert_honest(first)
    household.assert_honest(second)
    assert sandbox.counters.refreshes <= 1
    assert_all_or_nothing(household)


def assert_all_or_nothing(household: Household) -> None:
    if household.stored is None:
        household.assert_logged_out()
    else:
        household.assert_logged_in_anew()
