"""`logout --revoke`: what it ends at Withings, and the exit code that says whether Withings confirmed it."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from tests.support.logins import Switches
from tests.support.profiles import move_to_keyring, put, what_is_left
from tests.support.stores import clear_record
from withings_auth.store.file_store import FileStore
from withings_auth.store.records import app_name

if TYPE_CHECKING:
    from tests.conftest import MakeDesk
    from tests.support.keyring_daemon import SecretService
    from tests.support.logins import Desk
    from tests.support.programs import Finished

BY_HAND = "disconnect the app in the settings of your Withings account"


@pytest.fixture
def open_desk(make_desk: MakeDesk) -> Desk:
    """A desk with a Withings that lets every app revoke."""
    return make_desk(switches=Switches(revoke_open_to_free_apps=True))


class TestRevoke:
    def test_it_revokes_the_access_and_says_what_else_that_ends(self, open_desk: Desk) -> None:
        """Statement 34: announced before it happens; then the user's tokens are dead, and no copy is left here."""
        put(open_desk)
        finished = open_desk.run("logout", "--revoke")
        assert finished.returncode == 0
        announced, scope, *done = finished.stderr.splitlines()
        assert announced.startswith(f"Revoking ends all access of app {open_desk.sandbox.client_id} to the data of")
        assert scope == "in every program and on every machine, and stops its notifications."
        assert done[0] == "Withings has revoked the app's access to the data of user 38210457."
        assert done[1].startswith("Logged out: removed profile default from ")
        assert not any(line.startswith("Withings still lists") for line in done)
        assert open_desk.sandbox.live_refresh_tokens == ()
        assert what_is_left(open_desk) == set()

    def test_without_its_flag_nothing_is_revoked(self, open_desk: Desk) -> None:
        put(open_desk)
        open_desk.run("logout", "--all", "--yes")
        assert open_desk.sandbox.counters.revocations == 0
        assert len(open_desk.sandbox.live_refresh_tokens) == 1

    def test_without_network_the_local_part_happens(self, open_desk: Desk) -> None:
        """Statement 34: exit 4, and how the user can end the access by hand."""
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            put(open_desk, token_url=f"http://127.0.0.1:{closed.getsockname()[1]}/v2/oauth2")
            finished = open_desk.run("logout", "--revoke", WITHINGS_AUTH_API_URL=None)
        assert finished.returncode == 4
        assert what_is_left(open_desk) == set()
        assert (
            "error: Withings did not confirm that access to the data of user 38210457 was revoked: " in finished.stderr
        )
        assert f"hint: {BY_HAND}; until then, other copies of the login may still work" in finished.stderr

    @pytest.mark.parametrize("where", ["signature", "token"])
    def test_a_lost_answer_is_not_a_confirmation(self, open_desk: Desk, where: str) -> None:
        put(open_desk)
        open_desk.sandbox.fail_next("lost", where=where)  # type: ignore[arg-type]  # both are places
        finished = open_desk.run("logout", "--revoke")
        assert (finished.returncode, what_is_left(open_desk)) == (4, set())
        assert "Withings has revoked" not in finished.stderr

    def test_a_refusal_is_reported(self, desk: Desk) -> None:
        """Statement 34: as for an app without a contract; exit 1, and the local copies are gone."""
        put(desk)
        finished = desk.run("logout", "--revoke")
        assert (finished.returncode, what_is_left(desk)) == (1, set())
        assert "does not offer this to the app" in finished.stderr
        assert BY_HAND in finished.stderr

    def test_a_wrong_or_lost_client_secret(self, open_desk: Desk) -> None:
        """Exit 2: the signature was refused, or there was nothing to sign with."""
        put(open_desk)
        assert open_desk.run("logout", "--revoke", WITHINGS_CLIENT_SECRET="wrong").returncode == 2
        assert what_is_left(open_desk) == set()
        put(open_desk)
        clear_record(FileStore(open_desk.directory), app_name(open_desk.sandbox.client_id))
        finished = open_desk.run("logout", "--revoke", WITHINGS_CLIENT_SECRET=None)
        assert (finished.returncode, what_is_left(open_desk)) == (2, set())
        assert open_desk.sandbox.counters.revocations == 0

    def test_a_secret_is_only_sent_with_its_own_client_id(self, open_desk: Desk) -> None:
        """Statement 26: the secret of another app in the environment signs nothing."""
        put(open_desk)
        finished = open_desk.run("logout", "--revoke", WITHINGS_CLIENT_ID="another", WITHINGS_CLIENT_SECRET="wrong")
        assert finished.returncode == 0, finished.stderr

    def test_too_soon_is_waited_out(self, open_desk: Desk) -> None:
        put(open_desk)
        open_desk.sandbox.fail_next("too_many", where="token", wait_seconds=1)
        finished = open_desk.run("logout", "--revoke")
        assert finished.returncode == 0, finished.stderr
        assert open_desk.sandbox.counters.revocations == 1

    def test_an_unreadable_record_names_nobody(self, open_desk: Desk) -> None:
        """Statement 34: it is removed, but nothing was revoked, which is an error."""
        put(open_desk)
        (open_desk.directory / "token" / "default.json").write_text("not JSON at all")
        finished = open_desk.run("logout", "--revoke")
        assert (finished.returncode, what_is_left(open_desk)) == (5, set())
        assert "could not be read, so its access was not revoked" in finished.stderr

    def test_nobody_is_logged_in(self, open_desk: Desk) -> None:
        """Statement 34: nothing was revoked, so a script that tries again after exit 4 does not get 0."""
        finished = open_desk.run("logout", "--revoke")
        assert finished.returncode == 3
        assert BY_HAND in finished.stderr

    def test_another_profile_of_the_same_user_is_named(self, open_desk: Desk) -> None:
        """Statement 34: its login ends too."""
        put(open_desk)
        put(open_desk, "twin")
        put(open_desk, "second", person=2)
        finished = open_desk.run("logout", "--revoke")
        assert "Profile twin on this machine has the same app and user, and ends with it." in finished.stderr
        assert "second" not in finished.stderr
        assert {"twin.json", "second.json"} <= what_is_left(open_desk)
        assert open_desk.run("status", "--check", "--profile", "twin").returncode == 3

    def test_all_are_revoked_once_each(self, open_desk: Desk) -> None:
        """One revocation for each user and app, however many profiles they have."""
        for number, (profile, person) in enumerate([("one", 1), ("twin", 1), ("two", 2)]):
            put(open_desk, profile, person=person, age=600 + number)
        finished = open_desk.run("logout", "--all", "--revoke")
        assert finished.returncode == 0, finished.stderr
        assert open_desk.sandbox.counters.revocations == 2
        assert finished.stderr.count("Revoking ends") == finished.stderr.count("Withings has revoked") == 2
        assert what_is_left(open_desk) == set()

    def test_one_failure_does_not_stop_the_rest(self, open_desk: Desk) -> None:
        put(open_desk, "one")
        put(open_desk, "two", person=2)
        open_desk.sandbox.fail_next("lost_before", where="signature")
        finished = open_desk.run("logout", "--all", "--revoke")
        assert (finished.returncode, what_is_left(open_desk)) == (4, set())
        assert "of user 38210457 was revoked" in finished.stderr
        assert "Withings has revoked the app's access to the data of user 38210461." in finished.stderr

    @pytest.mark.parametrize(("readable", "broken", "code"), [("a", "b", 4), ("b", "a", 5)])
    def test_the_exit_code_is_that_of_the_first_failure(
        self, open_desk: Desk, readable: str, broken: str, code: int
    ) -> None:
        """Statement 34: and every failure is reported."""
        put(open_desk, broken)
        (open_desk.directory / "token" / f"{broken}.json").write_text("not JSON at all")
        put(open_desk, readable)
        open_desk.sandbox.fail_next("lost_before", where="signature")
        finished = open_desk.run("logout", "--all", "--revoke")
        assert (finished.returncode, what_is_left(open_desk)) == (code, set())
        assert finished.stderr.count("withings-auth: error: ") == 2

    def test_from_a_real_keyring(self, open_desk: Desk, secret_service: SecretService) -> None:
        """The secret for the signature is read there, under the lock, before it is removed."""
        put(open_desk)
        move_to_keyring(open_desk, secret_service)
        finished = open_desk.run("logout", "--revoke", WITHINGS_CLIENT_SECRET=None)
        assert finished.returncode == 0, finished.stderr
        assert (secret_service.services(), open_desk.sandbox.counters.revocations) == ([], 1)


class TestAtATerminal:
    def answered(self, desk: Desk, keys: str) -> Finished:
        program = desk.cli.on_terminal("logout", "--revoke", env=desk.env)
        program.screen.expect(r"in every program and on every machine")
        program.screen.expect(r"Continue\? \[y/N\] ")
        assert desk.sandbox.counters.nonces == 0
        program.type(keys)
        return program.wait()

    @pytest.mark.parametrize("keys", ["y\n", "YES\n"])
    def test_a_user_who_says_yes(self, open_desk: Desk, keys: str) -> None:
        put(open_desk)
        assert self.answered(open_desk, keys).returncode == 0
        assert open_desk.sandbox.counters.revocations == 1

    @pytest.mark.parametrize(("keys", "code"), [("\n", 1), ("n\n", 1), ("yesterday\n", 1), ("\x04", 1), ("\x03", 130)])
    def test_a_user_who_does_not(self, open_desk: Desk, keys: str, code: int) -> None:
        """Then nothing at all has been done."""
        put(open_desk)
        before = what_is_left(open_desk)
        assert self.answered(open_desk, keys).returncode == code
        assert what_is_left(open_desk) == before
        assert open_desk.sandbox.counters.revocations == 0

    def test_yes_is_a_flag_too(self, open_desk: Desk) -> None:
        put(open_desk)
        finished = open_desk.cli.on_terminal("logout", "--revoke", "--yes", env=open_desk.env).wait()
        assert (finished.returncode, "[y/N]" in finished.screen) == (0, False)

    def test_nobody_is_asked_if_nothing_can_be_revoked(self, open_desk: Desk) -> None:
        finished = open_desk.cli.on_terminal("logout", "--revoke", env=open_desk.env).wait()
        assert (finished.returncode, "[y/N]" in finished.screen) == (3, False)

    def test_ctrl_c_ends_a_revocation_that_hangs(self, open_desk: Desk) -> None:
        """Without waiting and without a traceback; the local copies are still there for another try."""
        put(open_desk)
        open_desk.sandbox.fail_next("slow", where="signature", seconds=120.0)
        program = open_desk.cli.on_terminal("logout", "--revoke", "--yes", env=open_desk.env)
        open_desk.wait_for(lambda: open_desk.sandbox.counters.faults == 1)
        program.type("\x03")
        finished = program.wait(seconds=60)
        assert (finished.returncode, "Traceback" in finished.screen) == (130, False)
        assert json.loads((open_desk.directory / "token" / "default.json").read_text())["userid"] == "38210457"
