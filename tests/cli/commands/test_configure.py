"""`withings-auth configure`: what it asks, what it takes, what it writes where, and what it leaves alone."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import MakeDesk
from tests.support.logins import Desk
from tests.support.programs import Finished
from withings_auth.config.save import write_config

SCOPES = "user.info,user.metrics,user.activity,user.sleepevents"
VISITOR = shlex.join([sys.executable, "-m", "withings_auth.sandbox.visitor"])


@pytest.fixture
def bare(make_desk: MakeDesk) -> Desk:
    """A desk at which no variable says anything of an app."""
    desk = make_desk()
    for name in ("WITHINGS_CLIENT_ID", "WITHINGS_CLIENT_SECRET", "WITHINGS_REDIRECT_URI"):
        desk.env[name] = None
    desk.canaries.plant("the client secret", desk.sandbox.client_secret)
    return desk


@pytest.fixture
def config(home: Path) -> Path:
    """Where config.toml is to be."""
    return home / ".config" / "withings-auth" / "config.toml"


def configure(desk: Desk, *flags: str, secret: str | None = None, **env: str | None) -> Finished:
    """The command without a terminal."""
    stdin = () if secret is None else ("--secret-stdin",)
    return desk.cli("configure", *flags, *stdin, stdin=secret, env={**desk.env, **env})


def whole(desk: Desk, *flags: str, secret: str | None = None) -> Finished:
    """The command with all that the sandbox's app needs."""
    app = ("--client-id", desk.sandbox.client_id, "--redirect-uri", desk.redirect_uri)
    return configure(desk, *app, *flags, secret=desk.sandbox.client_secret if secret is None else secret)


def saved_app(desk: Desk) -> dict[str, object]:
    record: dict[str, object] = json.loads((desk.directory / "app" / f"{desk.sandbox.client_id}.json").read_text())
    return record


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


class TestWithoutATerminal:
    def test_flags_and_standard_input_say_everything(self, bare: Desk, config: Path) -> None:
        """The secret is in the store only, the rest in config.toml, each for its owner alone; a login needs no more."""
        finished = whole(bare, "--scope", "user.metrics", secret=f"{bare.sandbox.client_secret}\n")
        assert finished.returncode == 0, finished.stderr
        assert finished.stdout == ""
        assert tomllib.loads(config.read_text()) == {
            "client_id": bare.sandbox.client_id,
            "redirect_uri": bare.redirect_uri,
            "scopes": "user.metrics",
        }
        assert saved_app(bare)["client_secret"] == bare.sandbox.client_secret
        assert (stat.S_IMODE(config.stat().st_mode), stat.S_IMODE(config.parent.stat().st_mode)) == (0o600, 0o700)
        assert bare.log_in().returncode == 0
        assert json.loads((bare.directory / "token" / "default.json").read_text())["scopes"] == ["user.metrics"]

    @pytest.mark.parametrize(
        ("flags", "secret", "missing"),
        [
            ((), None, "the client id and the client secret"),
            (("--client-id", "abc"), None, "the client secret"),
            ((), "hush", "the client id"),
            (("--open-dashboard", "--client-id", "abc"), None, "the client secret"),
        ],
    )
    def test_what_is_missing_is_named(
        self, bare: Desk, config: Path, flags: tuple[str, ...], secret: str | None, missing: str
    ) -> None:
        """Exit 2, and nothing is written."""
        finished = configure(bare, *flags, secret=secret)
        assert finished.returncode == 2
        assert f"error: not set: {missing}\n" in finished.stderr
        assert "--env-file FILE" in finished.stderr
        assert not config.exists()
        assert not list(bare.directory.rglob("*.json"))

    def test_a_secret_in_the_environment_belongs_to_the_client_id_beside_it(self, bare: Desk) -> None:
        """It is taken for that one, and for no other."""
        both = {"WITHINGS_CLIENT_ID": bare.sandbox.client_id, "WITHINGS_CLIENT_SECRET": bare.sandbox.client_secret}
        other = configure(bare, "--client-id", "other", **both)
        assert other.returncode == 2
        assert "not set: the client secret" in other.stderr
        assert configure(bare, **both).returncode == 0
        assert saved_app(bare)["client_secret"] == bare.sandbox.client_secret

    @pytest.mark.parametrize(
        ("flags", "secret", "reason"),
        [
            (("--client-id", "a b"), "hush", "the client id is invalid"),
            (("--client-id", "abc", "--scope", "user;info"), "hush", "--scope: “user;info” cannot be a scope"),
            (("--client-id", "abc", "--scope", ","), "hush", "--scope names no scope"),
            (("--client-id", "abc", "--redirect-uri", "http://localhost"), "hush", "it names no port to listen on"),
            (("--client-id", "abc", "--redirect-uri", "https://me.example/cb"), "hush", "does not lead to localhost"),
            (("--client-id", "abc", "--listen", "everywhere"), "hush", "cannot listen on “everywhere”"),
            (("--client-id", "abc"), "", "a client secret is needed"),
            (("--client-id", "abc"), "hush\nhush", "standard input holds no client secret"),
            (("--client-id", "abc"), "\xff", "standard input holds no client secret"),
        ],
    )
    def test_what_cannot_be_is_refused(
        self, bare: Desk, config: Path, flags: tuple[str, ...], secret: str, reason: str
    ) -> None:
        """Exit 2 with the reason, and nothing is written."""
        finished = configure(bare, *flags, secret=secret)
        assert finished.returncode == 2
        assert reason in finished.stderr
        assert not config.exists()
        assert not list(bare.directory.rglob("*.json"))

    def test_a_listening_address_makes_a_foreign_redirect_uri_work(self, bare: Desk, config: Path) -> None:
        """It is saved beside it, as `login` will need it."""
        uri = ("--redirect-uri", "https://me.example/cb", "--listen", "127.0.0.1:8000")
        assert configure(bare, "--client-id", "abc", *uri, secret="hush").returncode == 0
        assert tomllib.loads(config.read_text())["listen"] == "127.0.0.1:8000"

    def test_the_secret_is_no_flag(self, bare: Desk) -> None:
        """Statement 25: and what was typed as one is not repeated."""
        finished = configure(bare, "--client-secret", "hush-hush")
        assert finished.returncode == 2
        assert "hush-hush" not in finished.stderr


class TestEnvFile:
    def test_the_file_of_a_script_is_enough(self, bare: Desk, config: Path, home: Path) -> None:
        """Everything comes from it, and its fixed STATE is ignored with a word."""
        file = write(
            home / "credentials.sh",
            f"export CLIENT_ID='{bare.sandbox.client_id}'\nexport CONSUMER_SECRET='{bare.sandbox.client_secret}'\n"
            f"export STATE=withings\nexport SCOPE=user.info,user.metrics\nexport REDIRECT_URL={bare.redirect_uri}\n",
        )
        finished = configure(bare, "--env-file", str(file))
        assert finished.returncode == 0, finished.stderr
        assert "STATE is ignored: a fixed one protects nothing" in finished.stderr
        assert "warning" not in finished.stderr
        assert tomllib.loads(config.read_text())["scopes"] == "user.info,user.metrics"
        assert bare.log_in().returncode == 0

    def test_flags_win(self, bare: Desk, config: Path, home: Path) -> None:
        """And so does standard input."""
        file = write(home / "env", "CLIENT_ID=other\nCLIENT_SECRET=other\nSCOPE=user.info\n")
        finished = whole(bare, "--env-file", str(file))
        assert finished.returncode == 0
        assert tomllib.loads(config.read_text())["client_id"] == bare.sandbox.client_id
        assert saved_app(bare)["client_secret"] == bare.sandbox.client_secret
        assert saved_app(bare)["scopes"] == ["user.info"]

    def test_a_secret_that_others_can_read_is_warned_of(self, bare: Desk, home: Path) -> None:
        """It is taken all the same."""
        file = write(home / "env", "CLIENT_ID=abc\nCLIENT_SECRET=hush\n", 0o644)
        finished = configure(bare, "--env-file", str(file))
        assert finished.returncode == 0
        assert "warning: other users of this machine can read" in finished.stderr

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"CLIENT_ID=$ID\n", "line 1 of the file needs a shell"),
            (b"CLIENT_ID=a\nCONSUMER_KEY=b\n", "lines 1 and 2 of the file give two values for the client id"),
            (b"PATH=/bin\n", "says nothing about an app"),
            (b"CLIENT_ID=\xff\n", "is not a UTF-8 text file"),
            (b"CLIENT_ID='a b'\nCLIENT_SECRET=hush\n", "the client id is invalid"),
            (None, "cannot read"),
        ],
    )
    def test_a_file_that_will_not_do(
        self, bare: Desk, config: Path, home: Path, content: bytes | None, reason: str
    ) -> None:
        """Exit 2 with the reason, and nothing is written."""
        if content is not None:
            (home / "env").write_bytes(content)
        finished = configure(bare, "--env-file", str(home / "env"))
        assert finished.returncode == 2
        assert reason in finished.stderr
        assert not config.exists()


class TestConfigFile:
    BEFORE = (
        "# My own words.\nprofile = 'default'  # that is me\n\n"
        "client_id = 'old' # the first app\nscopes = ['user.info']  # enough\n# the end\n"
    )

    def test_comments_order_and_other_settings_stay(self, bare: Desk, config: Path) -> None:
        """Only what changed is written anew."""
        write(config, self.BEFORE)
        assert whole(bare, "--scope", "user.metrics").returncode == 0
        written = config.read_text()
        assert written.startswith("# My own words.\nprofile = 'default'  # that is me\n\n")
        assert f'client_id = "{bare.sandbox.client_id}" # the first app\n' in written
        assert re.search(r'^scopes = \["user.metrics"\] +# enough$', written, re.MULTILINE)
        assert "# the end\n" in written
        assert tomllib.loads(written)["redirect_uri"] == bare.redirect_uri

    def test_what_is_said_already_is_not_touched(self, config: Path) -> None:
        """Not even its modification time."""
        write(config, "client_id = 'abc'\nscopes = [ 'user.info', ]")
        os.utime(config, (1, 1))
        write_config(config, {"client_id": "abc", "scopes": "user.info"})
        assert config.stat().st_mtime == 1

    def test_a_last_line_without_an_end_is_no_trouble(self, config: Path) -> None:
        """What is added begins a line of its own."""
        write(config, "profile = 'me' # so")
        write_config(config, {"client_id": "abc"})
        assert tomllib.loads(config.read_text()) == {"profile": "me", "client_id": "abc"}

    def test_only_what_was_said_is_written(self, bare: Desk, config: Path) -> None:
        """A new secret leaves the file alone, whatever variables say of the rest."""
        write(config, f"client_id = '{bare.sandbox.client_id}'\n")
        os.utime(config, (1, 1))
        finished = configure(bare, secret="hush", WITHINGS_SCOPES="user.info", WITHINGS_REDIRECT_URI=bare.redirect_uri)
        assert finished.returncode == 0
        assert config.stat().st_mtime == 1

    def test_a_symbolic_link_is_written_through(self, bare: Desk, config: Path, home: Path) -> None:
        """As of those who keep their dot files elsewhere."""
        target = write(home / "dotfiles" / "withings.toml", "# kept\n")
        config.parent.mkdir(parents=True)
        config.symlink_to(target)
        assert whole(bare).returncode == 0
        assert config.is_symlink()
        assert target.read_text().startswith("# kept\n")
        assert bare.sandbox.client_id in target.read_text()

    def test_a_file_that_is_not_toml_is_refused_before_anything(self, bare: Desk, config: Path) -> None:
        """Nothing is asked, nothing is saved, the file is left as it is."""
        write(config, "client_id = [")
        program = bare.cli.on_terminal("configure", env=bare.env)
        finished = program.wait()
        assert finished.returncode == 2
        assert "is not TOML" in finished.screen
        assert "Client id" not in finished.screen
        assert config.read_text() == "client_id = ["

    def test_a_file_that_cannot_be_written_is_told_honestly(self, bare: Desk, config: Path) -> None:
        """The secret is saved by then, and so it is said."""
        config.parent.parent.mkdir(parents=True)
        config.parent.write_text("in the way")
        finished = whole(bare)
        assert finished.returncode == 2
        assert "the client secret is saved in files in" in finished.stderr
        assert "cannot be written" in finished.stderr
        assert "Saved:" not in finished.stderr

    def test_a_store_that_cannot_be_written_leaves_the_file_alone(self, bare: Desk, config: Path) -> None:
        """config.toml never names an app whose secret could not be saved."""
        bare.directory.parent.mkdir(exist_ok=True)
        bare.directory.write_text("in the way")
        assert whole(bare).returncode == 5
        assert not config.exists()


class TestLater:
    def test_a_wrong_secret_is_changed_without_a_new_login(self, bare: Desk) -> None:
        """The same login goes on: same person, same refresh token."""
        assert whole(bare).returncode == 0
        assert bare.log_in().returncode == 0
        assert whole(bare, secret="wrong").returncode == 0
        bare.grow_older(10_800)
        refused = bare.run("token")
        assert refused.returncode == 2
        assert "withings-auth configure" in refused.stderr
        before = json.loads((bare.directory / "token" / "default.json").read_text())
        mended = configure(bare, secret=bare.sandbox.client_secret)
        assert "Profile default stays logged in. Next: withings-auth token" in mended.stderr
        assert json.loads((bare.directory / "token" / "default.json").read_text()) == before
        assert bare.run("token").returncode == 0
        assert bare.sandbox.counters.exchanges == 1

    def test_another_app_keeps_the_first_as_long_as_a_login_needs_it(self, bare: Desk, config: Path) -> None:
        """The login goes on with its own app; an app that no login uses is removed."""
        assert whole(bare).returncode == 0
        assert bare.log_in().returncode == 0
        second = configure(bare, "--client-id", "second", secret="hush")
        assert "stays logged in with the previous app" in second.stderr
        assert saved_app(bare)["client_secret"] == bare.sandbox.client_secret
        bare.grow_older(10_800)
        assert bare.run("token").returncode == 0
        third = configure(bare, "--client-id", "third", secret="hush")
        assert "Removed the client secret of the previous app, which no login uses." in third.stderr
        assert not (bare.directory / "app" / "second.json").exists()
        assert tomllib.loads(config.read_text())["client_id"] == "third"

    def test_a_login_that_cannot_be_read_is_no_reason_to_fail(self, bare: Desk) -> None:
        """The app is saved, and exit 0 says so."""
        assert whole(bare).returncode == 0
        write(bare.directory / "token" / "default.json", "not ours").parent.chmod(0o700)
        finished = configure(bare, "--client-id", "second", secret="hush")
        assert finished.returncode == 0
        assert "Next: withings-auth login" in finished.stderr
        assert saved_app(bare)["client_secret"] == bare.sandbox.client_secret  # that login may need it

    def test_a_variable_that_comes_first_is_told(self, bare: Desk) -> None:
        """By its name, never by its value; one that says the same is not worth a word."""
        finished = configure(
            bare,
            "--client-id",
            "abc",
            secret="hush",
            WITHINGS_CLIENT_ID="other",
            WITHINGS_CLIENT_SECRET="other-hush",
            WITHINGS_SCOPES=SCOPES,
        )
        assert finished.returncode == 0
        told = re.findall(r"warning: (\w+) in the environment differs", finished.stderr)
        assert told == ["WITHINGS_CLIENT_ID", "WITHINGS_CLIENT_SECRET"]
        assert "other-hush" not in finished.stderr


class TestCheck:
    def test_what_is_saved_is_proved_without_a_person(self, bare: Desk) -> None:
        """A signed nonce, and no question."""
        assert whole(bare).returncode == 0
        finished = bare.run("configure", "--check")
        assert (finished.returncode, finished.stdout) == (0, "")
        assert "Withings accepts this client id with this client secret." in finished.stderr
        assert bare.sandbox.counters.nonces == 1

    def test_nothing_to_check(self, bare: Desk) -> None:
        """Exit 2, and what to do."""
        finished = bare.run("configure", "--check")
        assert finished.returncode == 2
        assert "not set: the client id and the client secret" in finished.stderr

    def test_new_values_are_checked_before_they_are_saved(self, bare: Desk, config: Path) -> None:
        """A refusal leaves everything as it was."""
        refused = whole(bare, "--check", secret="wrong")
        assert refused.returncode == 2
        assert "Withings does not know this client id with this client secret" in refused.stderr
        assert not config.exists()
        assert not list(bare.directory.rglob("*.json"))
        accepted = whole(bare, "--check")
        assert accepted.returncode == 0
        assert "accepts" in accepted.stderr
        assert "Saved: " in accepted.stderr

    def test_no_answer_is_no_verdict(self, bare: Desk, config: Path) -> None:
        """Exit 4 while Withings cannot be asked, and nothing is saved."""
        bare.sandbox.fail_next("bad_gateway", where="signature")
        assert whole(bare, "--check").returncode == 4
        bare.env["WITHINGS_AUTH_API_URL"] = "http://127.0.0.1:9"
        assert whole(bare, "--check").returncode == 4
        assert not config.exists()

    def test_a_service_that_is_not_for_this_app_is_neither_yes_nor_no(self, bare: Desk, config: Path) -> None:
        """Exit 1, told so."""
        bare.sandbox.fail_next("status", where="signature", status=277, error="Insufficient permission")
        finished = whole(bare, "--check")
        assert finished.returncode == 1
        assert "the client secret may be right or wrong: withings-auth login will show" in finished.stderr
        assert not config.exists()


class TestOnATerminal:
    def test_everything_is_asked_and_the_dashboard_explained(self, bare: Desk, config: Path) -> None:
        """What to type there first; the secret is not shown; nothing stands on stdout."""
        program = bare.cli.on_terminal("configure", env=bare.env)
        program.screen.expect(r"Registered URLs: http://localhost:8000")
        program.screen.expect("WITHOUT pressing Test")
        program.screen.expect(re.escape("Open the dashboard in your browser? [y/N] "))
        program.type("\n")
        program.screen.expect("Client id: ")
        program.type(f"{bare.sandbox.client_id}\n")
        program.screen.expect(re.escape("Client secret (it is not shown): "))
        program.type(f"{bare.sandbox.client_secret}\n")
        program.screen.expect(re.escape("Redirect URI, exactly as registered [http://localhost:8000]: "))
        program.type(f"{bare.redirect_uri}\n")
        program.screen.expect(re.escape(f"Scopes to request, a comma list [{SCOPES}]: "))
        program.type("user.metric\n")
        program.screen.expect("That will not do: Withings has no scope “user.metric”; it has user.info, user.metrics,")
        program.type("\n")
        finished = program.wait()
        assert finished.returncode == 0, finished.screen
        assert "Next: withings-auth login" in finished.screen
        assert tomllib.loads(config.read_text())["scopes"] == SCOPES
        assert saved_app(bare)["client_secret"] == bare.sandbox.client_secret

    def test_enter_keeps_what_there_is(self, bare: Desk, config: Path) -> None:
        """The present values are the defaults, the saved secret among them; no dashboard is shown."""
        assert whole(bare, "--scope", "user.info").returncode == 0
        before = config.read_text(), saved_app(bare)
        program = bare.cli.on_terminal("configure", env=bare.env)
        program.screen.expect(re.escape(f"Client id [{bare.sandbox.client_id}]: "))
        program.type("\n")
        program.screen.expect(re.escape("Client secret (it is not shown; Enter keeps the saved one): "))
        program.type("\n")
        program.screen.expect(re.escape(f"[{bare.redirect_uri}]: "))
        program.type("\n")
        program.screen.expect(re.escape("[user.info]: "))
        program.type("\n")
        finished = program.wait()
        assert finished.returncode == 0
        assert "dashboard" not in finished.screen
        assert (config.read_text(), saved_app(bare)) == before

    def test_enter_takes_the_secret_in_the_environment(self, bare: Desk) -> None:
        """Which is said, since it is not the saved one."""
        assert whole(bare, secret="wrong").returncode == 0
        env = {**bare.env, "WITHINGS_CLIENT_SECRET": bare.sandbox.client_secret}
        program = bare.cli.on_terminal("configure", env=env)
        for question in ("Client id ", "Enter takes WITHINGS_CLIENT_SECRET", "Redirect URI", "Scopes"):
            program.screen.expect(question)
            program.type("\n")
        assert program.wait().returncode == 0
        assert saved_app(bare)["client_secret"] == bare.sandbox.client_secret

    def test_a_secret_of_one_app_is_not_kept_for_another(self, bare: Desk) -> None:
        """A secret is only ever sent with its own client id."""
        assert whole(bare).returncode == 0
        program = bare.cli.on_terminal("configure", env=bare.env)
        program.screen.expect("Client id ")
        program.type("another\n")
        program.screen.expect(re.escape("Client secret (it is not shown): "))
        program.type("\x03")
        assert program.wait().returncode == 130

    def test_wrong_answers_are_asked_again_with_the_reason(self, bare: Desk, config: Path) -> None:
        """And after three of them it ends."""
        assert whole(bare).returncode == 0
        before = config.read_text()
        program = bare.cli.on_terminal("configure", env=bare.env)
        program.screen.expect("Client id ")
        program.type("a b\n")
        program.screen.expect("That will not do: a client id has letters and digits only.")
        program.type("\n")
        program.screen.expect("Client secret ")
        program.type("two words\n")
        program.screen.expect("That will not do: a client secret has visible characters only")
        program.screen.expect("Client secret ")  # what is typed before the question is thrown away
        program.type("\n")
        program.screen.expect("Redirect URI")
        for _ in range(3):
            program.type("http://localhost\n")
            program.screen.expect("That will not do: the redirect URI “http://localhost” cannot work")
        finished = program.wait()
        assert finished.returncode == 2
        assert "3 answers would not do" in finished.screen
        assert "two words" not in finished.screen
        assert config.read_text() == before

    @pytest.mark.parametrize(("key", "exit_code"), [("\x03", 130), ("\x04", 2)])
    @pytest.mark.parametrize("at", ["Client id", "Client secret", "Redirect URI", "Scopes"])
    def test_an_end_half_way_changes_nothing(self, bare: Desk, config: Path, key: str, exit_code: int, at: str) -> None:
        """Ctrl-C and Ctrl-D, at every question."""
        program = bare.cli.on_terminal("configure", env={**bare.env, "WITHINGS_CLIENT_ID": "abc"})
        for question in ("Client id", "Client secret", "Redirect URI", "Scopes"):
            program.screen.expect(question)
            if question == at:
                break
            program.type("hush\n" if question == "Client secret" else "\n")
        program.type(key)
        assert program.wait().returncode == exit_code
        assert not config.exists()
        assert not list(bare.directory.rglob("*.json"))

    def test_only_what_no_flag_says_and_nobody_knows_is_asked(self, bare: Desk, config: Path) -> None:
        """Here the secret alone."""
        program = bare.cli.on_terminal("configure", "--client-id", bare.sandbox.client_id, env=bare.env)
        program.screen.expect(re.escape("Client secret (it is not shown): "))
        program.type(f"{bare.sandbox.client_secret}\n")
        finished = program.wait()
        assert finished.returncode == 0
        assert "Redirect URI" not in finished.screen
        assert config.exists()

    def test_standard_input_that_is_a_terminal_is_asked_unseen(self, bare: Desk) -> None:
        """--secret-stdin shows no secret either."""
        flags = ("--client-id", bare.sandbox.client_id, "--secret-stdin")
        program = bare.cli.on_terminal("configure", *flags, env=bare.env)
        program.screen.expect("Client secret")
        program.type(f"{bare.sandbox.client_secret}\n")
        assert program.wait().returncode == 0
        assert saved_app(bare)["client_secret"] == bare.sandbox.client_secret


class TestDashboard:
    def opener(self, home: Path) -> str:
        return f"sh -c 'printf %s \"$1\" > {home}/opened' sh %s"

    def test_it_is_opened_on_request(self, bare: Desk, home: Path) -> None:
        """By the flag, with the browser that a login would take."""
        finished = configure(bare, "--open-dashboard", "--client-id", "abc", secret="hush", BROWSER=self.opener(home))
        assert finished.returncode == 0
        bare.wait_for(lambda: (home / "opened").exists() and bool((home / "opened").read_text()))
        assert (home / "opened").read_text() == "https://developer.withings.com/dashboard/"

    def test_it_is_opened_after_a_yes(self, bare: Desk, home: Path) -> None:
        """And not before."""
        program = bare.cli.on_terminal("configure", env={**bare.env, "BROWSER": self.opener(home)})
        program.screen.expect("Open the dashboard in your browser")
        assert not (home / "opened").exists()
        program.type("y\n")
        program.screen.expect("Opening your browser.")
        bare.wait_for((home / "opened").exists)
        program.type("\x03")
        program.wait()

    def test_where_nobody_would_see_a_browser_the_address_is_enough(self, bare: Desk) -> None:
        """Over SSH, in a container, without a display."""
        finished = configure(bare, "--open-dashboard", "--client-id", "abc", secret="hush", SSH_TTY="/dev/pts/0")
        assert finished.returncode == 0
        assert "No browser was opened (this is a session over SSH)." in finished.stderr
        assert "At https://developer.withings.com/dashboard/ create an app" in finished.stderr


def test_a_login_without_an_app_asks_for_it_and_goes_on(bare: Desk, config: Path) -> None:
    """One command takes a newcomer from nothing to a token."""
    bare.env["BROWSER"] = VISITOR
    program = bare.cli.on_terminal("login", env=bare.env)
    program.screen.expect("Open the dashboard in your browser")
    program.type("\n")
    program.screen.expect("Client id: ")
    program.type(f"{bare.sandbox.client_id}\n")
    program.screen.expect("Client secret")
    program.type(f"{bare.sandbox.client_secret}\n")
    program.screen.expect("Redirect URI")
    program.type(f"{bare.redirect_uri}\n")
    program.screen.expect("Scopes")
    program.type("user.metrics\n")
    program.screen.expect("Signed in as Withings user")
    finished = program.wait()
    assert finished.returncode == 0
    assert "Next: withings-auth login" not in finished.screen, "it is under way"
    assert config.exists()
    assert bare.run("token").returncode == 0


def test_a_login_without_an_app_and_without_a_terminal_says_what_to_do(bare: Desk) -> None:
    """Exit 2."""
    finished = bare.run("login")
    assert finished.returncode == 2
    assert "then: withings-auth configure" in finished.stderr
