"""`withings-auth import`: from another tool's file to a login of ours, and what becomes of the file."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.support.keyring_daemon import SecretService
from tests.support.logins import Desk
from tests.support.programs import Finished


@pytest.fixture
def file(desk: Desk, home: Path) -> Path:
    """withings-sync's file with a login of the sandbox's first person; none of its tokens may show."""
    pair = desk.sandbox.issue_pair()
    path = home / "withings_user.json"
    content = {
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "userid": pair.userid,
        "authentification_code": "c" * 40,
    }
    path.write_text(json.dumps(content))
    return path


def changed(file: Path, **changes: object) -> Path:
    """The file with other fields; None takes one away."""
    content = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
    return file


def take(desk: Desk, file: Path, *flags: str, **env: str | None) -> Finished:
    """The command without a terminal."""
    return desk.run("import", str(file), *flags, **env)


def stored(desk: Desk, profile: str = "default") -> dict[str, object]:
    record: dict[str, object] = json.loads((desk.directory / "token" / f"{profile}.json").read_text())
    return record


def test_a_login_is_taken_over(desk: Desk, file: Path) -> None:
    """One refresh; the token works; the other copy is dead and kept, and both are said; nothing on stdout."""
    finished = take(desk, file)
    assert (finished.returncode, finished.stdout) == (0, ""), finished.stderr
    assert "File format: withings-sync." in finished.stderr
    assert f"Imported: Withings user {stored(desk)['userid']}, profile default." in finished.stderr
    assert f"The login in {file} no longer works" in finished.stderr
    assert f"Kept {file}, which is of no use any more." in finished.stderr
    assert file.exists()
    assert desk.sandbox.counters.refreshes == 1
    assert desk.run("token").returncode == 0
    assert desk.sandbox.counters.refreshes == 1


def test_a_dead_copy_is_refused(desk: Desk, file: Path) -> None:
    """Exit 3, nothing saved, the login that there is goes on."""
    assert desk.log_in().returncode == 0
    before = stored(desk)
    desk.sandbox.kill_refresh_token(json.loads(file.read_text())["refresh_token"])
    refused = take(desk, file, "--replace")
    assert refused.returncode == 3
    assert "Withings does not accept the refresh token in the file" in refused.stderr
    assert stored(desk) == before
    assert file.exists()
    assert desk.run("token").returncode == 0


def test_it_is_read_from_standard_input(desk: Desk, file: Path) -> None:
    """There is nothing to remove then."""
    finished = desk.cli("import", "-", stdin=file.read_text(), env=desk.env)
    assert finished.returncode == 0
    assert "The login in that copy no longer works" in finished.stderr
    refused = desk.cli("import", "-", "--remove", stdin=file.read_text(), env=desk.env)
    assert refused.returncode == 2
    assert "--remove cannot remove standard input" in refused.stderr


def test_app_and_login_rest_in_a_real_keyring(desk: Desk, file: Path, secret_service: SecretService) -> None:
    """Statement 24: configured, imported and renewed there, without a secret in any file."""
    desk.env.update(secret_service.environ)
    desk.env |= {"WITHINGS_AUTH_STORE": None, "WITHINGS_CLIENT_ID": None, "WITHINGS_CLIENT_SECRET": None}
    flags = ("--client-id", desk.sandbox.client_id, "--redirect-uri", desk.redirect_uri, "--secret-stdin")
    assert desk.cli("configure", *flags, stdin=desk.sandbox.client_secret, env=desk.env).returncode == 0
    finished = take(desk, file, "--remove")
    assert finished.returncode == 0, finished.stderr
    assert "Saved in the keyring of this desktop (Secret Service)." in finished.stderr
    app = f"withings-auth/app/{desk.sandbox.client_id}"
    assert secret_service.services() == [app, "withings-auth/token/default"]
    assert desk.run("token").returncode == 0
    written = [path.read_bytes() for path in Path.home().rglob("*") if path.is_file() and "withings-auth" in str(path)]
    assert written
    assert not any(secret.encode() in content for secret in desk.sandbox.secrets for content in written)


class TestTheFile:
    def test_it_is_removed_if_told_so(self, desk: Desk, file: Path) -> None:
        """After the save."""
        finished = take(desk, file, "--remove")
        assert finished.returncode == 0
        assert f"Removed {file}." in finished.stderr
        assert not file.exists()

    def test_it_is_not_removed_where_nothing_was_saved(self, desk: Desk, file: Path) -> None:
        """Whatever the flag says."""
        desk.sandbox.kill_refresh_token()
        assert take(desk, file, "--remove").returncode == 3
        assert file.exists()

    def test_of_a_link_only_the_link_is_removed(self, desk: Desk, file: Path, home: Path) -> None:
        """And it is said."""
        link = home / "link.json"
        link.symlink_to(file)
        finished = take(desk, link, "--remove")
        assert f"Removed {link}, a link, but not its target: {file.resolve()}" in finished.stderr
        assert not link.is_symlink()
        assert file.exists()

    def test_one_that_is_gone_meanwhile_is_told(self, desk: Desk, file: Path) -> None:
        """Exit 1 for a removal that did not happen; the login is imported."""
        program = desk.cli.on_terminal("import", str(file), env=desk.env)
        program.screen.expect(re.escape("? [y/N] "))
        file.unlink()
        program.type("y\n")
        finished = program.wait()
        assert finished.returncode == 1
        assert f"cannot remove {file}: cannot read" in finished.screen
        assert desk.run("token").returncode == 0

    def test_one_that_has_changed_meanwhile_is_kept(self, desk: Desk, file: Path) -> None:
        """The other tool may have put something newer there. Exit 1."""
        program = desk.cli.on_terminal("import", str(file), env=desk.env)
        program.screen.expect(re.escape("? [y/N] "))
        changed(file, last_sync=1)
        program.type("y\n")
        finished = program.wait()
        assert finished.returncode == 1
        assert "has changed in the meantime, so it was kept" in finished.screen
        assert file.exists()

    @pytest.mark.parametrize(
        ("typed", "stays"), [("y\n", False), ("yes\n", False), ("\n", True), ("n\n", True), ("\x04", True)]
    )
    def test_on_a_terminal_it_is_offered(self, desk: Desk, file: Path, typed: str, stays: bool) -> None:
        """No is the default."""
        program = desk.cli.on_terminal("import", str(file), env=desk.env)
        program.screen.expect(re.escape(f"Remove {file}? [y/N] "))
        assert (desk.directory / "token" / "default.json").exists()
        program.type(typed)
        assert program.wait().returncode == 0
        assert file.exists() is stays

    def test_keep_asks_nothing(self, desk: Desk, file: Path) -> None:
        """Nor does it explain."""
        finished = desk.cli.on_terminal("import", str(file), "--keep", env=desk.env).wait()
        assert finished.returncode == 0
        assert "Remove" not in finished.screen
        assert file.exists()

    def test_a_client_secret_in_it_is_told(self, desk: Desk, file: Path) -> None:
        """It outlives the login; it is saved here, and is part of the question."""
        changed(file, client_id=desk.sandbox.client_id, consumer_secret=desk.sandbox.client_secret)
        env = {**desk.env, "WITHINGS_CLIENT_ID": None, "WITHINGS_CLIENT_SECRET": None}
        program = desk.cli.on_terminal("import", str(file), env=env)
        program.screen.expect("also holds the app's client secret, which still works")
        program.screen.expect(re.escape(f"Remove {file} with the client secret? [y/N] "))
        program.type("\n")
        assert program.wait().returncode == 0
        desk.grow_older(10_800)
        assert desk.run("token", WITHINGS_CLIENT_ID=None, WITHINGS_CLIENT_SECRET=None).returncode == 0

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"\xff", "is not a JSON object"),
            (b"{}", "no login of a known shape"),
            (b'{"client_id": "a", "consumer_secret": "hush"}', "an app's credentials, and no login"),
            (b'{"access_token": "a", "refresh_token": "r;\\u001b[31m"}', "is not a token"),
            (None, "cannot read"),
        ],
    )
    def test_what_is_no_login_is_refused(self, desk: Desk, home: Path, content: bytes | None, reason: str) -> None:
        """Exit 2; the known shapes are listed; nothing is sent and nothing saved."""
        if content is not None:
            (home / "file").write_bytes(content)
        finished = take(desk, home / "file")
        assert finished.returncode == 2
        assert reason in finished.stderr
        assert "\x1b" not in finished.stderr
        assert desk.sandbox.counters.token_requests == 0
        assert not list(desk.directory.rglob("*.json"))

    def test_a_pipe_or_a_directory_is_refused_at_once(self, desk: Desk, home: Path) -> None:
        """Nothing hangs."""
        os.mkfifo(home / "pipe")
        assert "is not a regular file" in take(desk, home / "pipe").stderr
        assert take(desk, home).returncode == 2


class TestTheApp:
    def test_the_configured_one_is_taken(self, desk: Desk, file: Path) -> None:
        """Where the file names none; its secret comes from the store."""
        nothing: dict[str, str | None] = {"WITHINGS_CLIENT_ID": None, "WITHINGS_CLIENT_SECRET": None}
        configured = desk.cli(
            "configure", "--client-id", desk.sandbox.client_id, "--secret-stdin",
            stdin=desk.sandbox.client_secret, env={**desk.env, **nothing},
        )  # fmt: skip
        assert configured.returncode == 0
        assert take(desk, file, **nothing).returncode == 0

    def test_none_is_known(self, desk: Desk, file: Path) -> None:
        """Exit 2, and two ways on."""
        finished = take(desk, file, WITHINGS_CLIENT_ID=None, WITHINGS_CLIENT_SECRET=None)
        assert finished.returncode == 2
        assert "--client-id ID, or run withings-auth configure first" in finished.stderr

    def test_no_secret_is_known(self, desk: Desk, file: Path) -> None:
        """Exit 2 without a terminal."""
        finished = take(desk, file, WITHINGS_CLIENT_SECRET=None)
        assert finished.returncode == 2
        assert "the client secret is not set" in finished.stderr

    def test_both_are_asked_for_on_a_terminal(self, desk: Desk, file: Path) -> None:
        """The secret unseen."""
        env = {**desk.env, "WITHINGS_CLIENT_ID": None, "WITHINGS_CLIENT_SECRET": None}
        desk.canaries.plant("the client secret", desk.sandbox.client_secret)
        program = desk.cli.on_terminal("import", str(file), "--keep", env=env)
        program.screen.expect("Client id of the app that the other tool used: ")
        program.type(f"{desk.sandbox.client_id}\n")
        program.screen.expect("Client secret")
        program.type(f"{desk.sandbox.client_secret}\n")
        assert program.wait().returncode == 0

    @pytest.mark.parametrize("flag", [True, False])
    def test_the_file_names_another_one(self, desk: Desk, file: Path, flag: bool) -> None:
        """Statement 38: a variable that differs is exit 2, not obeyed; so is a flag."""
        changed(file, client_id="another", consumer_secret="hush")
        flags, env = (("--client-id", "mine"), {"WITHINGS_CLIENT_ID": None}) if flag else ((), {})
        finished = take(desk, file, *flags, **env)
        assert finished.returncode == 2
        assert f"another app than {'--client-id' if flag else 'WITHINGS_CLIENT_ID'}" in finished.stderr
        assert desk.sandbox.counters.token_requests == 0

    def test_the_secret_of_another_app_is_not_sent_for_it(self, desk: Desk, file: Path) -> None:
        """Statement 38: a secret in the environment is that of the app in config.toml, and the file has its own."""
        nothing: dict[str, str | None] = {"WITHINGS_CLIENT_ID": None, "WITHINGS_CLIENT_SECRET": None}
        configured = desk.cli(
            "configure", "--client-id", "another", "--secret-stdin", stdin="hush", env={**desk.env, **nothing}
        )
        assert configured.returncode == 0
        changed(file, client_id=desk.sandbox.client_id, consumer_secret=desk.sandbox.client_secret)
        finished = take(desk, file, WITHINGS_CLIENT_ID=None, WITHINGS_CLIENT_SECRET="hush")
        assert finished.returncode == 0, finished.stderr

    def test_a_wrong_secret_saves_nothing(self, desk: Desk, file: Path) -> None:
        """Exit 2; the file is as good as before, and the right secret takes it."""
        refused = take(desk, file, WITHINGS_CLIENT_SECRET="wrong")
        assert refused.returncode == 2
        assert not list(desk.directory.rglob("*.json"))
        assert json.loads(file.read_text())["refresh_token"] in desk.sandbox.live_refresh_tokens


def test_somebody_elses_profile_is_refused(desk: Desk, file: Path) -> None:
    """Exit 1 and nothing is sent; --profile or --replace goes on."""
    assert desk.log_in(person=2).returncode == 0
    asked = desk.sandbox.counters.refreshes
    refused = take(desk, file)
    assert refused.returncode == 1
    assert "--profile NAME" in refused.stderr
    assert desk.sandbox.counters.refreshes == asked
    other = take(desk, file, "--profile", "other")
    assert other.returncode == 0
    assert "withings-auth token --profile other" in other.stderr
    assert stored(desk, "other")["userid"] != stored(desk)["userid"]


def test_no_network_changes_nothing(desk: Desk, file: Path) -> None:
    """Exit 4, and the file is kept."""
    finished = take(desk, file, "--remove", WITHINGS_AUTH_API_URL="http://127.0.0.1:9")
    assert finished.returncode == 4
    assert "Withings cannot be reached" in finished.stderr
    assert file.exists()
    assert take(desk, file).returncode == 0


def test_an_interrupt_between_answer_and_save_waits_for_the_save(desk: Desk, file: Path) -> None:
    """The caller's end never comes between the two: exit 130, and the login is there."""
    desk.sandbox.fail_next("slow", seconds=1.0)
    program = desk.cli.on_terminal("import", str(file), "--keep", env=desk.env)
    desk.wait_for(lambda: desk.sandbox.counters.faults == 1)
    program.type("\x03")
    assert program.wait().returncode == 130
    assert desk.run("token").returncode == 0
    assert desk.sandbox.counters.refreshes == 1
