"""config.toml: what is written, and what stays as the user wrote it."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

from tests.cli.commands.configure.steps import configure, configure_app, write
from tests.support.logins import Desk
from withings_auth.config.save import write_config

BEFORE = (
    "# My own words.\nprofile = 'default'  # that is me\n\n"
    "client_id = 'old' # the first app\nscopes = ['user.info']  # enough\n# the end\n"
)


def test_comments_order_and_other_settings_stay(bare: Desk, config: Path) -> None:
    """Only changed values are rewritten."""
    write(config, BEFORE)
    assert configure_app(bare, "--scope", "user.metrics").returncode == 0
    written = config.read_text()
    assert written.startswith("# My own words.\nprofile = 'default'  # that is me\n\n")
    assert f'client_id = "{bare.sandbox.client_id}" # the first app\n' in written
    assert re.search(r'^scopes = \["user.metrics"\] +# enough$', written, re.MULTILINE)
    assert "# the end\n" in written
    assert tomllib.loads(written)["redirect_uri"] == bare.redirect_uri


def test_an_unchanged_file_is_not_written(config: Path) -> None:
    """Not even its modification time."""
    write(config, "client_id = 'abc'\nscopes = [ 'user.info', ]")
    os.utime(config, (1, 1))
    write_config(config, {"client_id": "abc", "scopes": "user.info"})
    assert config.stat().st_mtime == 1


def test_a_last_line_may_lack_its_newline(config: Path) -> None:
    """A new setting still begins a line of its own."""
    write(config, "profile = 'me' # so")
    write_config(config, {"client_id": "abc"})
    assert tomllib.loads(config.read_text()) == {"profile": "me", "client_id": "abc"}


def test_only_what_was_given_is_written(bare: Desk, config: Path) -> None:
    """A new secret leaves the file alone, whatever variables set."""
    write(config, f"client_id = '{bare.sandbox.client_id}'\nstore = 'file:~/{bare.directory.name}'\n")
    os.utime(config, (1, 1))
    bare.leave_unproved()
    finished = configure(bare, secret="hush", WITHINGS_SCOPES="user.info", WITHINGS_REDIRECT_URI=bare.redirect_uri)
    assert finished.returncode == 0
    assert config.stat().st_mtime == 1


def test_a_symbolic_link_is_written_through(bare: Desk, config: Path, home: Path) -> None:
    """Some users keep their dot files elsewhere."""
    target = write(home / "dotfiles" / "withings.toml", "# kept\n")
    config.parent.mkdir(parents=True)
    config.symlink_to(target)
    assert configure_app(bare).returncode == 0
    assert config.is_symlink()
    assert target.read_text().startswith("# kept\n")
    assert bare.sandbox.client_id in target.read_text()


def test_a_file_that_is_not_toml_is_refused_first(bare: Desk, config: Path) -> None:
    """Nothing is asked, nothing is saved, and the file stays as it is."""
    write(config, "client_id = [")
    program = bare.cli.on_terminal("configure", env=bare.env)
    finished = program.wait()
    assert finished.returncode == 2
    assert "is not TOML" in finished.screen
    assert "Client id" not in finished.screen
    assert config.read_text() == "client_id = ["


def test_a_file_that_cannot_be_written_is_reported(bare: Desk, config: Path) -> None:
    """The secret is saved by then, and the error says so."""
    config.parent.parent.mkdir(parents=True)
    config.parent.write_text("in the way")
    finished = configure_app(bare)
    assert finished.returncode == 2
    assert "the client secret is saved in files in" in finished.stderr
    assert "cannot be written" in finished.stderr
    assert "Saved:" not in finished.stderr


def test_a_failed_save_leaves_the_file_alone(bare: Desk, config: Path) -> None:
    """config.toml never names an app with an unsaved secret."""
    bare.directory.parent.mkdir(exist_ok=True)
    bare.directory.write_text("in the way")
    assert configure_app(bare).returncode == 5
    assert not config.exists()
