"""The desktop's keyring under cron, which names no session bus: found by its socket, or not used."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.programs import bare
from tests.support.stores import save_record
from withings_auth.store.keyring_store import KeyringStore
from withings_auth.store.session_bus import session_bus_address

if TYPE_CHECKING:
    from tests.support.keyring_daemon import SecretService
    from tests.support.programs import Cli

TOKEN = "token/default"
SERVICE = "withings-auth/token/default"
CRON_PATH = "/usr/bin:/bin"


def access_token(record: str) -> str:
    return str(json.loads(record)["access_token"])


UNDER_CRON = """
import sys
from pathlib import Path
from withings_auth.store import session_bus
session_bus.USER_RUNTIME_DIRECTORIES = Path(sys.argv[1])
from withings_auth.cli import main
sys.exit(main(["token"]))
"""

LIBRARY_UNDER_CRON = """
import os, sys
from pathlib import Path
from withings_auth.store import session_bus
session_bus.USER_RUNTIME_DIRECTORIES = Path(sys.argv[1])
from withings_auth import TokenSource
from withings_auth.config.settings import open_store
before = dict(os.environ)
print(TokenSource().access_token())
store = open_store()
with store.lock("token/other", 5) as held:
    held.save("text")
    print(store.load("token/other"), held.clear(), store.load("token/other"), store.description)
print(before == dict(os.environ), "DBUS_SESSION_BUS_ADDRESS" in before)
"""


class TestCron:
    @pytest.fixture
    def runtime(self, secret_service: SecretService) -> Path:
        """A stand-in for /run/user that holds this user's bus."""
        runtime = secret_service.directory / "user"
        (runtime / str(os.getuid())).mkdir(parents=True)
        os.link(secret_service.directory / "bus", runtime / str(os.getuid()) / "bus")
        return runtime

    @pytest.fixture
    def cron(self, cli: Cli, home: Path) -> Cli:
        """Runs code in cron's environment, which has a home and a path."""
        return cli.using(*bare(HOME=str(home), PATH=CRON_PATH), sys.executable, "-c", UNDER_CRON)

    @pytest.fixture
    def library(self, cli: Cli, home: Path) -> Cli:
        """Runs a program that uses the library in that environment."""
        return cli.using(*bare(HOME=str(home), PATH=CRON_PATH), sys.executable, "-c", LIBRARY_UNDER_CRON)

    def test_the_users_own_bus_is_found(self, desktop: KeyringStore, runtime: Path, cron: Cli, record: str) -> None:
        """A cron job and a system service find the desktop's keyring by the socket that systemd keeps."""
        save_record(desktop, TOKEN, record)
        ran = cron(str(runtime), allow=[access_token(record)])
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, access_token(record) + "\n", "")

    @pytest.mark.parametrize("named_in", ["nothing", "PYTHON_KEYRING_BACKEND", "keyringrc.cfg"])
    def test_a_library_finds_it_and_leaves_the_environment_alone(
        self, desktop: KeyringStore, secret_service: SecretService, runtime: Path, cli: Cli, record: str, named_in: str
    ) -> None:
        """The host program and its children see no variable that they did not set, even if the keyring is named."""
        variables = {"HOME": os.environ["HOME"], "PATH": CRON_PATH}
        if named_in == "PYTHON_KEYRING_BACKEND":
            variables[named_in] = "keyring.backends.SecretService.Keyring"
        elif named_in == "keyringrc.cfg":
            file = Path.home() / ".config/python_keyring/keyringrc.cfg"
            file.parent.mkdir(parents=True)
            file.write_text("[backend]\ndefault-keyring = keyring.backends.SecretService.Keyring\n")
        library = cli.using(*bare(**variables), sys.executable, "-c", LIBRARY_UNDER_CRON)
        save_record(desktop, TOKEN, record)
        ran = library(str(runtime), allow=[access_token(record)])
        assert ran.stdout.splitlines() == [
            access_token(record),
            "text True None the keyring of this desktop (Secret Service)",
            "True False",
        ], ran.stderr
        assert secret_service.services() == [SERVICE]

    def test_a_library_is_told_that_it_is_locked(
        self, secret_service: SecretService, runtime: Path, library: Cli
    ) -> None:
        """The same as with a bus that the environment names."""
        secret_service.lock()
        ran = library(str(runtime))
        assert ran.returncode == 1
        assert "is locked and cannot be unlocked from here" in ran.stderr

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a socket to somebody else")
    def test_a_foreign_socket_is_not_spoken_to(
        self, desktop: KeyringStore, runtime: Path, cron: Cli, record: str
    ) -> None:
        """Statement 39: a bus that belongs to somebody else is not asked for secrets and gets none."""
        save_record(desktop, TOKEN, record)
        os.chown(runtime / str(os.getuid()) / "bus", 12345, 12345)
        ran = cron(str(runtime))
        assert (ran.returncode, ran.stdout) == (5, "")
        assert "no usable keyring" in ran.stderr

    @pytest.mark.parametrize("kind", ["missing", "file", "link"])
    def test_what_is_no_socket_is_not_used(self, runtime: Path, cron: Cli, kind: str) -> None:
        """Statement 39: if the socket is missing, or is a file or a link, no bus is used."""
        bus = runtime / str(os.getuid()) / "bus"
        bus.unlink()
        if kind == "file":
            bus.touch()
        elif kind == "link":
            bus.symlink_to(runtime.parent / "bus")
        ran = cron(str(runtime))
        assert (ran.returncode, ran.stdout) == (5, "")
        assert "hint: start a keyring" in ran.stderr


def test_an_address_that_was_given_is_kept() -> None:
    """The environment's own bus is never replaced."""
    assert session_bus_address({"DBUS_SESSION_BUS_ADDRESS": "unix:path=/somewhere"}) is None
