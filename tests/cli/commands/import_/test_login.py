"""From a login in another tool's file to one of ours."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.commands.import_.steps import import_file, saved_login
from tests.support.keyring_daemon import SecretService
from tests.support.logins import Desk


def test_a_login_is_imported(desk: Desk, file: Path) -> None:
    """One refresh; the new token works; the old copy is kept, with a note that it is dead; stdout is empty."""
    finished = import_file(desk, file)
    assert (finished.returncode, finished.stdout) == (0, ""), finished.stderr
    assert "File format: withings-sync." in finished.stderr
    assert f"Imported: Withings user {saved_login(desk)['userid']}, profile default." in finished.stderr
    assert f"The login in {file} no longer works" in finished.stderr
    assert f"Kept {file}, which is no longer needed." in finished.stderr
    assert file.exists()
    assert desk.sandbox.counters.refreshes == 1
    assert desk.run("token").returncode == 0
    assert desk.sandbox.counters.refreshes == 1


def test_a_dead_copy_is_refused(desk: Desk, file: Path) -> None:
    """Exit 3, nothing is saved, and the profile's login still works."""
    assert desk.log_in().returncode == 0
    before = saved_login(desk)
    desk.sandbox.kill_refresh_token(json.loads(file.read_text())["refresh_token"])
    refused = import_file(desk, file, "--replace")
    assert refused.returncode == 3
    assert "Withings does not accept the refresh token in the file" in refused.stderr
    assert saved_login(desk) == before
    assert file.exists()
    assert desk.run("token").returncode == 0


def test_a_login_is_read_from_standard_input(desk: Desk, file: Path) -> None:
    """Then there is no file to remove."""
    finished = desk.cli("import", "-", stdin=file.read_text(), env=desk.env)
    assert finished.returncode == 0
    assert "The login in that copy no longer works" in finished.stderr
    refused = desk.cli("import", "-", "--remove", stdin=file.read_text(), env=desk.env)
    assert refused.returncode == 2
    assert "--remove cannot remove standard input" in refused.stderr


def test_app_and_login_are_saved_in_a_real_keyring(desk: Desk, file: Path, secret_service: SecretService) -> None:
    """Statement 24: configured, imported and renewed, without a secret in any file."""
    desk.env.update(secret_service.environ)
    desk.env |= {"WITHINGS_AUTH_STORE": None, "WITHINGS_CLIENT_ID": None, "WITHINGS_CLIENT_SECRET": None}
    flags = ("--client-id", desk.sandbox.client_id, "--redirect-uri", desk.redirect_uri, "--secret-stdin")
    assert desk.cli("configure", *flags, stdin=desk.sandbox.client_secret, env=desk.env).returncode == 0
    finished = import_file(desk, file, "--remove")
    assert finished.returncode == 0, finished.stderr
    assert "Saved in the keyring of this desktop (Secret Service)." in finished.stderr
    app = f"withings-auth/app/{desk.sandbox.client_id}"
    assert secret_service.services() == [app, "withings-auth/token/default"]
    assert desk.run("token").returncode == 0
    written = [path.read_bytes() for path in Path.home().rglob("*") if path.is_file() and "withings-auth" in str(path)]
    assert written
    assert not any(secret.encode() in content for secret in desk.sandbox.secrets for content in written)


def test_somebody_elses_profile_is_refused(desk: Desk, file: Path) -> None:
    """Exit 1, and nothing is sent; --profile gets around it."""
    assert desk.log_in(person=2).returncode == 0
    asked = desk.sandbox.counters.refreshes
    refused = import_file(desk, file)
    assert refused.returncode == 1
    assert "--profile NAME" in refused.stderr
    assert desk.sandbox.counters.refreshes == asked
    other = import_file(desk, file, "--profile", "other")
    assert other.returncode == 0
    assert "withings-auth token --profile other" in other.stderr
    assert saved_login(desk, "other")["userid"] != saved_login(desk)["userid"]


def test_no_network_changes_nothing(desk: Desk, file: Path) -> None:
    """Exit 4, and the file is kept."""
    finished = import_file(desk, file, "--remove", WITHINGS_AUTH_API_URL="http://127.0.0.1:9")
    assert finished.returncode == 4
    assert "Withings cannot be reached" in finished.stderr
    assert file.exists()
    assert import_file(desk, file).returncode == 0


def test_an_interrupt_between_answer_and_save_waits_for_the_save(desk: Desk, file: Path) -> None:
    """Exit 130, and the login is saved."""
    desk.sandbox.fail_next("slow", seconds=3.0)
    program = desk.cli.on_terminal("import", str(file), "--keep", env=desk.env)
    desk.wait_for(lambda: desk.sandbox.counters.faults == 1)
    program.type("\x03")
    assert program.wait().returncode == 130
    assert desk.run("token").returncode == 0
    assert desk.sandbox.counters.refreshes == 1
