"""A store that was chosen once stays chosen: in config.toml, or in the command that is named as the next step."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.cli.commands.configure.steps import configure, configure_app, paste_next, write
from tests.support.hints import commands_in
from tests.support.logins import Desk
from tests.support.visitor import VISITOR


def stored_as(config: Path) -> object:
    """The store that config.toml names."""
    return tomllib.loads(config.read_text()).get("store")


class TestTheNextStep:
    """What is printed after “Next:” works in a new shell, which has none of the variables."""

    def test_after_configure(self, bare: Desk, config: Path) -> None:
        """It wrote config.toml, and the store into it: the login and what follows it go there."""
        configured = configure_app(bare)
        assert f"From now on every command and program uses files in {bare.directory} (“store”" in configured.stderr
        assert stored_as(config) == f"file:{bare.directory}"
        logged_in = paste_next(bare, configured.stderr)
        assert logged_in.returncode == 0, logged_in.stderr
        assert paste_next(bare, logged_in.stderr).returncode == 0
        assert (bare.directory / "token" / "default.json").exists()

    @pytest.mark.parametrize("name", ["store", "a store's"])
    def test_after_a_login_that_writes_no_settings(self, desk: Desk, config: Path, home: Path, name: str) -> None:
        """The app came from variables, so the command names the store."""
        logged_in = desk.run("login", BROWSER=VISITOR, WITHINGS_AUTH_STORE=f"file:{home / name}")
        assert logged_in.returncode == 0, logged_in.stderr
        assert not config.exists()
        assert paste_next(desk, logged_in.stderr).returncode == 0

    def test_after_the_greeting(self, desk: Desk) -> None:
        """With its profile, too."""
        desk.put_login("mum")
        greeting = desk.run(WITHINGS_AUTH_PROFILE="mum").stderr
        assert "WITHINGS_AUTH_STORE=file:" in greeting
        assert paste_next(desk, greeting).returncode == 0


class TestTheFlag:
    def test_the_store_alone_is_saved(self, bare: Desk, config: Path, home: Path) -> None:
        """Absolute, so that it means the same for every program; whatever else is in the file stays."""
        write(config, "# mine\nprofile = 'mum'\n")
        bare.env |= {"WITHINGS_AUTH_STORE": None, "WITHINGS_AUTH_PROFILE": None}
        saved = configure(bare, "--store", "file:~/files")
        assert saved.returncode == 0, saved.stderr
        assert saved.stderr.endswith(f"uses files in {home / 'files'}.\nNext: withings-auth login --profile mum\n")
        assert config.read_text() == f"# mine\nprofile = 'mum'\nstore = \"file:{home / 'files'}\"\n"
        again = config.stat().st_mtime_ns
        unchanged = configure(bare, "--store", f"file:{home / 'files'}")
        assert unchanged.returncode == 0
        assert unchanged.stderr.startswith("Nothing to change: every command and program uses files in ")
        assert config.stat().st_mtime_ns == again

    def test_a_login_in_it_is_found(self, desk: Desk) -> None:
        desk.put_login()
        saved = configure(desk, "--store", f"file:{desk.directory}")
        assert "Profile default stays logged in. Next: withings-auth token\n" in saved.stderr
        assert paste_next(desk, saved.stderr).returncode == 0

    def test_with_an_app_both_are_saved(self, bare: Desk, config: Path, home: Path) -> None:
        """The secret goes to this store, and a variable that overrides it is a warning."""
        saved = configure_app(bare, "--store", f"file:{home / 'other'}")
        assert "warning: WITHINGS_AUTH_STORE in the environment differs" in saved.stderr
        assert stored_as(config) == f"file:{home / 'other'}"
        assert list((home / "other" / "app").glob("*.json"))
        assert not bare.directory.exists()

    @pytest.mark.parametrize(
        ("name", "code", "why"),
        [
            ("keyring", 5, "no usable keyring"),
            ("files", 2, "--store is “files”, not a store"),
            ("file:/proc/self/status", 5, "/proc/self/status is not safe"),
        ],
    )
    def test_a_store_that_cannot_be_used_is_not_saved(
        self, bare: Desk, config: Path, name: str, code: int, why: str
    ) -> None:
        write(config, 'store = "file:/somewhere"')
        refused = configure(bare, "--store", name)
        assert (refused.returncode, stored_as(config)) == (code, "file:/somewhere")
        assert why in refused.stderr

    def test_settings_that_cannot_be_written_are_reported(self, bare: Desk, config: Path) -> None:
        config.parent.parent.mkdir()
        config.parent.write_text("in the way")
        refused = configure(bare, "--store", f"file:{bare.directory}")
        assert refused.returncode == 2
        assert f"{config} cannot be written: Not a directory" in refused.stderr

    def test_the_hint_of_a_machine_without_a_keyring_leads_here(self, bare: Desk, home: Path) -> None:
        """It is pasted as it is, and the login is in files from then on."""
        bare.env["WITHINGS_AUTH_STORE"] = None
        refused = bare.run("login")
        assert refused.returncode == 5
        (pasted,) = (command for command in commands_in(refused.stderr) if command[0] == "configure")
        assert configure(bare, *pasted[1:]).returncode == 0
        assert configure_app(bare).returncode == 0
        assert (home / ".withings-auth" / "app").is_dir()
