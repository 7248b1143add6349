"""`logout`: no copy stays here, what stays elsewhere is said, and what was asked of Withings has an exit code."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.logins import Switches
from tests.support.profiles import move_to_keyring, put
from tests.support.stores import clear_record, save_record
from withings_auth.model import App
from withings_auth.store.file_store import FileStore
from withings_auth.store.records import app_name, token_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import MakeDesk
    from tests.support.keyring_daemon import SecretService
    from tests.support.logins import Desk
    from tests.support.programs import Finished

BY_HAND = "disconnect the app in the settings of your Withings account"


@pytest.fixture
def open_desk(make_desk: MakeDesk) -> Desk:
    """A desk at a Withings that lets every app revoke."""
    return make_desk(switches=Switches(revoke_open_to_free_apps=True))


def what_is_left(desk: Desk) -> set[str]:
    """Every file in the store that is no lock."""
    return {path.name for path in desk.directory.rglob("*") if path.is_file() and path.suffix != ".lock"}


def note_an_attempt(desk: Desk, profile: str = "default") -> None:
    """Notes of a renewal, as they lie beside the lock."""
    with FileStore(desk.directory).lock(token_name(profile), 1) as held:
        held.notes.note("{}")


class TestHere:
    def test_every_local_copy_goes(self, desk: Desk) -> None:
        """Statement 34: tokens, notes, what a crash left half written, the secret of an unused app."""
        put(desk)
        note_an_attempt(desk)
        (desk.directory / "token" / ".default.json.0123.tmp").write_text("half")
        finished = desk.run("logout")
        assert finished.returncode == 0
        assert what_is_left(desk) == set()
        assert f"Logged out: removed profile default from files in {desk.directory}." in finished.stderr
        assert (finished.stdout, desk.sandbox.counters.revocations) == ("", 0)

    def test_the_copies_in_a_keyring_too(self, desk: Desk, secret_service: SecretService) -> None:
        """Statement 34: also where the index of names was lost."""
        put(desk)
        move_to_keyring(desk, secret_service)
        assert desk.run("logout", "--all").returncode == 0
        assert secret_service.services() == []

    def test_other_profiles_and_their_app_stay(self, desk: Desk) -> None:
        put(desk)
        put(desk, "second", person=2)
        assert desk.run("logout").returncode == 0
        app = f"{desk.sandbox.client_id}.json"
        assert what_is_left(desk) == {"second.json", app}
        assert desk.run("token", "--profile", "second").returncode == 0

    def test_it_says_where_the_app_can_be_disconnected(self, desk: Desk) -> None:
        """Statement 34: what it did not do. A practice login has no such place."""
        put(desk, token_url="https://wbsapi.withings.net/v2/oauth2")
        assert f"Withings still lists the app; to end its access, {BY_HAND}." in desk.run("logout").stderr
        put(desk)
        assert "disconnect" not in desk.run("logout").stderr

    @pytest.mark.parametrize("harm", [lambda path: path.write_text("no record"), lambda path: path.chmod(0o644)])
    def test_a_record_that_cannot_be_read_goes_too(self, desk: Desk, harm: Callable[..., object]) -> None:
        """Statement 34: and with it the app's secret, which nobody else needs."""
        put(desk)
        harm(desk.directory / "token" / "default.json")
        assert desk.run("logout", WITHINGS_CLIENT_ID=None).returncode == 0
        assert what_is_left(desk) == set()

    def test_nobody(self, desk: Desk) -> None:
        finished = desk.run("logout")
        assert (finished.returncode, finished.stderr) == (0, "Nobody was logged in as profile default.\n")


class TestAll:
    def test_every_profile_goes(self, desk: Desk) -> None:
        """Statement 34: also one that cannot be read, one whose name no flag could give, and an app without a login."""
        put(desk)
        put(desk, "second", person=2)
        (desk.directory / "token" / "broken.json").write_text("not JSON at all")
        (desk.directory / "token" / "Odd name.json").write_text("{}")
        save_record(
            FileStore(desk.directory), app_name("unused"), App(client_id="unused", client_secret="hush").written()
        )
        finished = desk.run("logout", "--all")
        assert finished.returncode == 0, finished.stderr
        assert what_is_left(desk) == set()
        assert finished.stderr.count("Logged out: removed profile ") == 4

    def test_one_that_cannot_be_removed_does_not_keep_the_others(self, desk: Desk) -> None:
        """Statement 34: it is named, and the exit code is the store's."""
        put(desk, "a-stuck-one")
        put(desk, "second", person=2)
        record = desk.directory / "token" / "a-stuck-one.json"
        record.unlink()
        record.mkdir()  # what no unlink removes
        finished = desk.run("logout", "--all")
        assert finished.returncode == 5
        assert "error: profile a-stuck-one was not completely removed: cannot use" in finished.stderr
        assert "Logged out: removed profile second " in finished.stderr
        assert "second.json" not in what_is_left(desk)
        assert "Nobody" not in finished.stderr

    def test_nobody(self, desk: Desk) -> None:
        finished = desk.run("logout", "--all")
        assert (finished.returncode, finished.stderr) == (0, "Nobody was logged in.\n")

    def test_one_profile_is_not_all(self, desk: Desk) -> None:
        put(desk)
        assert desk.run("logout", "--all", "--profile", "default").returncode == 2
        assert "default.json" in what_is_left(desk)


class TestRevoke:
    def test_it_ends_the_access_and_says_what_else_that_ends(self, open_desk: Desk) -> None:
        """Statement 34: named before it happens; then the person's tokens are dead, and no copy is left here."""
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
        """Statement 34: exit 4, and the place where a person can end the access by hand."""
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
    def test_a_lost_answer_is_no_confirmation(self, open_desk: Desk, where: str) -> None:
        put(open_desk)
        open_desk.sandbox.fail_next("lost", where=where)  # type: ignore[arg-type]  # both are places
        finished = open_desk.run("logout", "--revoke")
        assert (finished.returncode, what_is_left(open_desk)) == (4, set())
        assert "Withings has revoked" not in finished.stderr

    def test_a_refusal_is_told(self, desk: Desk) -> None:
        """Statement 34: as to an app without a contract; exit 1, and the local copies are gone."""
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
        """Statement 34: it is removed, and that nothing was revoked is an error."""
        put(open_desk)
        (open_desk.directory / "token" / "default.json").write_text("not JSON at all")
        finished = open_desk.run("logout", "--revoke")
        assert (finished.returncode, what_is_left(open_desk)) == (5, set())
        assert "could not be read, so its access was not revoked" in finished.stderr

    def test_nobody_is_logged_in(self, open_desk: Desk) -> None:
        """Statement 34: what was asked for was not done, so a script that tries again after exit 4 is not told 0."""
        finished = open_desk.run("logout", "--revoke")
        assert finished.returncode == 3
        assert BY_HAND in finished.stderr

    def test_another_profile_of_the_same_person_is_named(self, open_desk: Desk) -> None:
        """Statement 34: what else it ends."""
        put(open_desk)
        put(open_desk, "twin")
        put(open_desk, "second", person=2)
        finished = open_desk.run("logout", "--revoke")
        assert "Profile twin on this machine has the same app and user, and ends with it." in finished.stderr
        assert "second" not in finished.stderr
        assert {"twin.json", "second.json"} <= what_is_left(open_desk)
        assert open_desk.run("status", "--check", "--profile", "twin").returncode == 3

    def test_all_are_revoked_once_each(self, open_desk: Desk) -> None:
        """One revocation for a person and app, however many profiles there are of them."""
        for number, (profile, person) in enumerate([("one", 1), ("twin", 1), ("two", 2)]):
            put(open_desk, profile, person=person, age=600 + number)
        finished = open_desk.run("logout", "--all", "--revoke")
        assert finished.returncode == 0, finished.stderr
        assert open_desk.sandbox.counters.revocations == 2
        assert finished.stderr.count("Revoking ends") == finished.stderr.count("Withings has revoked") == 2
        assert what_is_left(open_desk) == set()

    def test_one_refusal_does_not_keep_the_others(self, open_desk: Desk) -> None:
        put(open_desk, "one")
        put(open_desk, "two", person=2)
        open_desk.sandbox.fail_next("lost_before", where="signature")
        finished = open_desk.run("logout", "--all", "--revoke")
        assert (finished.returncode, what_is_left(open_desk)) == (4, set())
        assert "of user 38210457 was revoked" in finished.stderr
        assert "Withings has revoked the app's access to the data of user 38210461." in finished.stderr

    @pytest.mark.parametrize(("readable", "broken", "code"), [("a", "b", 4), ("b", "a", 5)])
    def test_the_exit_code_is_that_of_the_first_trouble(
        self, open_desk: Desk, readable: str, broken: str, code: int
    ) -> None:
        """Statement 34: and every trouble is told."""
        put(open_desk, broken)
        (open_desk.directory / "token" / f"{broken}.json").write_text("not JSON at all")
        put(open_desk, readable)
        open_desk.sandbox.fail_next("lost_before", where="signature")
        finished = open_desk.run("logout", "--all", "--revoke")
        assert (finished.returncode, what_is_left(open_desk)) == (code, set())
        assert finished.stderr.count("withings-auth: error: ") == 2

    def test_from_a_real_keyring(self, open_desk: Desk, secret_service: SecretService) -> None:
        """The secret that signs is read there, under the lock, before it is removed."""
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
    def test_a_person_who_says_yes(self, open_desk: Desk, keys: str) -> None:
        put(open_desk)
        assert self.answered(open_desk, keys).returncode == 0
        assert open_desk.sandbox.counters.revocations == 1

    @pytest.mark.parametrize(("keys", "code"), [("\n", 1), ("n\n", 1), ("yesterday\n", 1), ("\x04", 1), ("\x03", 130)])
    def test_a_person_who_does_not(self, open_desk: Desk, keys: str, code: int) -> None:
        """Nothing at all has been done then."""
        put(open_desk)
        before = what_is_left(open_desk)
        assert self.answered(open_desk, keys).returncode == code
        assert what_is_left(open_desk) == before
        assert open_desk.sandbox.counters.revocations == 0

    def test_yes_is_a_flag_too(self, open_desk: Desk) -> None:
        put(open_desk)
        finished = open_desk.cli.on_terminal("logout", "--revoke", "--yes", env=open_desk.env).wait()
        assert (finished.returncode, "[y/N]" in finished.screen) == (0, False)

    def test_nobody_is_asked_where_nothing_can_be_revoked(self, open_desk: Desk) -> None:
        finished = open_desk.cli.on_terminal("logout", "--revoke", env=open_desk.env).wait()
        assert (finished.returncode, "[y/N]" in finished.screen) == (3, False)

    def test_ctrl_c_ends_a_revocation_that_hangs(self, open_desk: Desk) -> None:
        """At once, without a traceback; the local copies are there still, for another try."""
        put(open_desk)
        open_desk.sandbox.fail_next("slow", where="signature", seconds=30.0)
        program = open_desk.cli.on_terminal("logout", "--revoke", "--yes", env=open_desk.env)
        open_desk.wait_for(lambda: open_desk.sandbox.counters.faults == 1)
        began = time.monotonic()
        program.type("\x03")
        finished = program.wait()
        assert (finished.returncode, "Traceback" in finished.screen) == (130, False)
        assert time.monotonic() - began < 10
        assert json.loads((open_desk.directory / "token" / "default.json").read_text())["userid"] == "38210457"
