"""A volume that belongs to another user, as if a container ran as somebody else than the one that filled it."""

from __future__ import annotations

import errno
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.logins import Desk
from tests.support.other_user import UNKNOWN_UID, run_as_another_user
from tests.support.programs import UNMEASURED, Finished
from withings_auth.store.files import unusable


class Container:
    """Runs commands as another user, whose store is on a volume."""

    def __init__(self, desk: Desk, home: Path, volume: Path) -> None:
        self.prefix = run_as_another_user(desk.cli)
        if not self.prefix:
            pytest.skip("only root can run a command as another user")
        self.desk, self.volume = desk, volume
        home.chmod(0o755)
        own = home / "of-this-user"
        own.mkdir()
        os.chown(own, UNKNOWN_UID, UNKNOWN_UID)
        self.env = {
            **desk.env,
            **UNMEASURED,
            "PYTHONDONTWRITEBYTECODE": "1",
            "WITHINGS_AUTH_STORE": f"file:{volume}",
            "XDG_CONFIG_HOME": str(own),
        }

    def run(self, *words: str) -> Finished:
        command = (*self.prefix, sys.executable, "-m", "withings_auth", *words)
        return self.desk.cli.using(*command)(env=self.env, allow=self.desk.sandbox.live_access_tokens)


def test_the_hint_makes_a_filled_volume_usable(desk: Desk, home: Path) -> None:
    """It names both users; `chown`, pasted by root, gives the login to the one who runs the command."""
    desk.put_login()
    container = Container(desk, home, desk.directory)
    refused = container.run("token")
    assert refused.returncode == 5
    assert "it belongs to another user" in refused.stderr
    assert f"belongs to user 0, and this is user {UNKNOWN_UID}" in refused.stderr
    assert "(in a container: docker run --user 0)" in refused.stderr
    (command,) = re.findall(r"chown -R .*", refused.stderr)
    subprocess.run(shlex.split(command), check=True)
    assert container.run("token").returncode == 0


def test_the_hint_makes_a_directory_in_an_empty_volume(desk: Desk, home: Path) -> None:
    """A new volume belongs to root, so the store cannot be created in it."""
    (home / "volume").mkdir(mode=0o755)
    container = Container(desk, home, home / "volume" / "with ings")
    refused = container.run("configure")
    assert refused.returncode == 5
    assert f"volume belongs to user 0, and this is user {UNKNOWN_UID}" in refused.stderr
    (command,) = re.findall(r"install -d .*", refused.stderr)
    subprocess.run(shlex.split(command), check=True)
    assert container.run("configure").returncode == 0
    assert container.volume.stat().st_uid == UNKNOWN_UID


@pytest.mark.parametrize("is_owner", [True, False])
def test_only_another_owner_is_blamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_owner: bool) -> None:
    """What even the owner may not do has another cause, as on a disk that is mounted read-only."""
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner if is_owner else owner + 1)
    refused = PermissionError(errno.EPERM, "Operation not permitted")
    missing = f"install -d -o {owner + 1} -m 700 {tmp_path / 'store'}"
    assert (missing in unusable(tmp_path / "store" / "token" / "default.lock", refused).hint) is not is_owner
    assert "install" not in unusable(tmp_path / "default.lock", refused).hint, "no directory is missing"
