"""What is decided for Windows and macOS, which no test here runs on."""

from __future__ import annotations

import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import pytest
from platformdirs.macos import MacOS

from tests.support.readme import README
from withings_auth.cli.ui.terminal import wants_colour
from withings_auth.config.places import state_place
from withings_auth.store.backends import protecting_keyrings, remedies
from withings_auth.store.safety import SECRET, SECRETS, find_fault

if TYPE_CHECKING:
    from tests.support.logins import Desk

NOT_LINUX = pytest.mark.parametrize("platform", ["darwin", "win32"])


@pytest.mark.parametrize(
    ("platform", "keyrings"),
    [
        ("linux", ["SecretService", "libsecret", "kwallet"]),
        ("freebsd14", ["SecretService", "libsecret", "kwallet"]),
        ("darwin", ["macOS"]),
        ("win32", ["Windows"]),
    ],
)
def test_each_platform_has_its_keyrings(platform: str, keyrings: list[str]) -> None:
    """Statement 39: only those that protect what they hold."""
    assert [module.removeprefix("keyring.backends.") for module, _, _ in protecting_keyrings(platform)] == keyrings


@NOT_LINUX
def test_nobody_there_is_sent_to_the_keyrings_of_linux(platform: str) -> None:
    """The keyring is a part of the system, and opens with the desktop."""
    assert "gnome-keyring" not in remedies(platform)
    assert "gnome-keyring" in remedies("linux")


@pytest.mark.parametrize(("platform", "place"), [("darwin", "Library/Application Support"), ("linux", ".local/state")])
def test_no_variable_moves_the_locks(platform: str, place: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Statement 28: desktop, cron jobs and services share them; platformdirs follows XDG variables on macOS, too."""
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(home / "another"))
    assert state_place(platform) == str(home / place / "withings-auth")


def test_the_readme_names_the_places(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and locks share a directory on both."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    on_macos = MacOS("withings-auth", appauthor=False).user_config_path
    assert str(on_macos) == state_place("darwin")
    assert state_place("win32") == platformdirs.user_data_dir("withings-auth", appauthor=False)
    for shown in (f"~/{on_macos.relative_to(home)}", r"%LOCALAPPDATA%\withings-auth"):
        assert f"`{shown}`" in README


@pytest.mark.parametrize("mode", [stat.S_IFREG | 0o666, stat.S_IFREG | 0o600])
def test_windows_says_nothing_about_owners_and_modes(mode: int, tmp_path: Path) -> None:
    """Python makes them up there; a link or a directory in place of a file is refused all the same."""
    path = tmp_path / "file"
    path.touch()
    path.chmod(stat.S_IMODE(mode))
    assert find_fault(path.stat(), SECRET, None) is None
    assert find_fault(path.stat(), SECRETS, None) == "it is not a directory"
    path.with_name("link").symlink_to(path)
    assert find_fault(path.with_name("link").lstat(), SECRET, None) == "it is a symbolic link"


@pytest.mark.parametrize(
    ("environ", "platform", "wanted"),
    [
        ({}, "linux", True),
        ({}, "darwin", True),
        ({}, "win32", False),
        ({"WT_SESSION": "b5a"}, "win32", True),
        ({"WT_SESSION": "b5a", "NO_COLOR": "1"}, "win32", False),
        ({"TERM": "dumb"}, "darwin", False),
    ],
)
def test_an_old_windows_console_gets_no_colours(environ: dict[str, str], platform: str, wanted: bool) -> None:
    """It would print the escape sequences; Windows Terminal, which names itself, shows them."""
    assert wants_colour(environ, platform) == wanted


# Command lines; then the exit code, and the first line on stdout and on stderr.
AS_ON_WINDOWS = [
    ("token", r"0 \| sandbox-\w+ \| "),
    ("token --renew", r"0 \| sandbox-\w+ \| "),
    ("token --env", r"0 \| \$env:WITHINGS_ACCESS_TOKEN = 'sandbox-\w+' \| "),
    ("status", r"0 \| Profile +default \| "),
    ("list", r"0 \| PROFILE .* \| "),
    ("api measure getmeas --csv", r"0 \| date,type,value,unit,device \| "),
    ("run --as withings-sync -- true", r"2 \|  \| .*: run --as and run --proxy do not work on Windows"),
    ("login --listen nowhere", r"2 \|  \| .*: cannot listen on “nowhere”"),
    ("doctor --offline", r"1 \| ok +Python .* \| "),  # Linux does not have the option for the port
    ("logout", r"0 \|  \| Logged out: .*"),
    ("token", r"3 \|  \| .*: nobody is logged in .*"),
]


@pytest.mark.skipif(sys.platform == "win32", reason="it is no pretence there")
def test_nothing_needs_posix(desk: Desk) -> None:
    """All of the package loads, and tokens are handed out, renewed and removed."""
    desk.put_login()
    shown: list[str] = []
    finished = desk.cli.using(sys.executable, "-m", "tests.as_on_windows")(
        *(line for line, _ in AS_ON_WINDOWS),
        env={**desk.env, "LOCALAPPDATA": str(desk.directory.parent / "local"), "SHELL": None},
        allow=shown,
    )
    shown += desk.sandbox.secrets
    not_loaded, *lines = finished.stdout.splitlines()
    assert not_loaded == "[]", finished.stderr
    for (_, pattern), line in zip(AS_ON_WINDOWS, lines, strict=True):
        assert re.fullmatch(pattern, line), line
