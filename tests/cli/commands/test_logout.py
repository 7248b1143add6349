"""`logout`: no copy stays on this machine, and what stays elsewhere is reported."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.profiles import move_to_keyring, put, what_is_left
from tests.support.stores import save_record
from withings_auth.model import App
from withings_auth.store.file_store import FileStore
from withings_auth.store.records import app_name, token_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.keyring_daemon import SecretService
    from tests.support.logins import Desk

BY_HAND = "disconnect the app in the settings of your Withings account"


def note_an_attempt(desk: Desk, profile: str = "default") -> None:
    """Writes the notes of a renewal beside the lock."""
    with FileStore(desk.directory).lock(token_name(profile), 1) as held:
        held.notes.note("{}")


class TestHere:
    def test_every_local_copy_is_removed(self, desk: Desk) -> None:
        """Statement 34: tokens, notes, half a file from a crash, the secret of an unused app."""
        put(desk)
        note_an_attempt(desk)
        (desk.directory / "token" / ".default.json.0123.tmp").write_text("half")
        finished = desk.run("logout")
        assert finished.returncode == 0
        assert what_is_left(desk) == set()
        assert f"Logged out: removed profile default from files in {desk.directory}." in finished.stderr
        assert (finished.stdout, desk.sandbox.counters.revocations) == ("", 0)

    def test_the_copies_in_a_keyring_too(self, desk: Desk, secret_service: SecretService) -> None:
        """Statement 34: even if the index of names was lost."""
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
        """Statement 34: what it did not do. For a sandbox login there is no such place."""
        put(desk, token_url="https://wbsapi.withings.net/v2/oauth2")
        assert f"Withings still lists the app; to end its access, {BY_HAND}." in desk.run("logout").stderr
        put(desk)
        assert "disconnect" not in desk.run("logout").stderr

    @pytest.mark.parametrize("harm", [lambda path: path.write_text("no record"), lambda path: path.chmod(0o644)])
    def test_a_record_that_cannot_be_read_is_removed_too(self, desk: Desk, harm: Callable[..., object]) -> None:
        """Statement 34: and so is the app's secret, which nobody else needs."""
        put(desk)
        harm(desk.directory / "token" / "default.json")
        assert desk.run("logout", WITHINGS_CLIENT_ID=None).returncode == 0
        assert what_is_left(desk) == set()

    @pytest.mark.parametrize("flags", [("--all",), ("--profile", "mum")])
    def test_what_a_killed_login_left(self, desk: Desk, flags: tuple[str, ...]) -> None:
        """Notes, and half a record with its secrets, though the login never came to be."""
        login = desk.start("--profile", "mum")
        login.program.signal(signal.SIGKILL)
        login.wait()
        half = desk.directory / "token/.mum.json.0123456789abcdef.tmp"
        half.parent.mkdir(mode=0o700, exist_ok=True)
        half.write_text("half a record")
        assert (desk.directory / "pending/mum.attempt").exists()
        assert desk.run("logout", *flags).returncode == 0
        assert what_is_left(desk) == set()

    def test_a_login_that_waits_keeps_its_notes(self, desk: Desk) -> None:
        """So another login is still told where it waits."""
        login = desk.start()
        assert desk.run("logout", "--all").returncode == 0
        assert f"already pending (process {login.program.pid}, " in desk.run("login", "--no-browser").stderr
        login.allow()
        assert login.wait().returncode == 0

    def test_notes_of_a_login_that_stays(self, desk: Desk) -> None:
        """The notes of a login are not removed if its record cannot be, or is another profile's."""
        put(desk)
        note_an_attempt(desk)
        assert desk.run("logout", "--profile", "mum").returncode == 0
        assert (desk.directory / "token/default.attempt").exists()
        (desk.directory / "token/default.json").unlink()
        (desk.directory / "token/default.json").mkdir()
        assert desk.run("logout", "--all").returncode == 5
        assert (desk.directory / "token/default.attempt").exists()

    def test_nobody(self, desk: Desk) -> None:
        finished = desk.run("logout")
        assert (finished.returncode, finished.stderr) == (0, "Nobody was logged in as profile default.\n")


class TestAll:
    def test_every_profile_is_removed(self, desk: Desk) -> None:
        """Statement 34: even one that cannot be read, one with an invalid name, and an app without a login."""
        put(desk)
        put(desk, "second", person=2)
        (desk.directory / "token" / "broken.json").write_text("not JSON at all")
        (desk.directory / "token" / "Odd name.json").write_text("{}")
        save_record(
            FileStore(desk.directory), app_name("unused"), App(client_id="unused", client_secret="hush").to_record()
        )
        finished = desk.run("logout", "--all")
        assert finished.returncode == 0, finished.stderr
        assert what_is_left(desk) == set()
        assert finished.stderr.count("Logged out: removed profile ") == 4

    def test_one_that_cannot_be_removed_does_not_stop_the_rest(self, desk: Desk) -> None:
        """Statement 34: it is named, and the exit code is the store's."""
        put(desk, "a-stuck-one")
        put(desk, "second", person=2)
        record = desk.directory / "token" / "a-stuck-one.json"
        record.unlink()
        record.mkdir()  # which unlink cannot remove
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
