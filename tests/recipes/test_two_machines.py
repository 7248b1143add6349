"""The README's way to one login on two machines, over a real sshd: what a command finds that comes this way."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import Require
from tests.recipes.conftest import PROGRAMS
from tests.support import ssh_server
from tests.support.keyring_daemon import SecretService
from tests.support.logins import Desk
from tests.support.programs import Finished
from tests.support.readme import blocks, section
from tests.support.ssh_server import SshServer
from tests.support.visitor import VISITOR

pytestmark = pytest.mark.usefixtures("unmeasured")

TEXT = section("More than one machine")
MOVE, CONFIGURE, ASK = blocks("sh", TEXT)[0].splitlines()


@pytest.fixture
def host(desk: Desk, secret_service: SecretService, home: Path) -> Desk:
    """A desktop: logged in, with the login in the keyring and the command where pipx puts it."""
    desk.env |= {**secret_service.environ, "WITHINGS_AUTH_STORE": None}
    finished = desk.run("login", BROWSER=VISITOR)
    assert finished.returncode == 0, finished.stderr
    local = home / ".local" / "bin"
    local.mkdir(parents=True, exist_ok=True)
    (local / "withings-auth").symlink_to(PROGRAMS / "withings-auth")
    desk.env["PATH"] = f"{local}:/usr/bin:/bin"
    return desk


def test_over_ssh(host: Desk, home: Path, require: Require) -> None:
    """It finds no keyring; with the line in config.toml it gets a token, and with a restricted key nothing else."""
    for program in ssh_server.PROGRAMS:
        require(program, ssh_server.find_program(program), "the recipe for two machines is run with it")
    with SshServer(home / "ssh", {"HOST": home}) as server:
        other_machine = {"PATH": f"{server.programs}:/usr/bin:/bin", "HOME": str(home / "ssh")}
        token = host.sandbox.live_access_tokens[-1]

        def ask(command: str) -> Finished:
            return host.cli.using("env", "-i")(
                *(f"{k}={v}" for k, v in other_machine.items()), "sh", "-c", command, allow=[token]
            )

        assert ".local/bin" not in ask("ssh HOST 'echo $PATH'").stdout
        without = ask(ASK)
        assert (without.returncode, without.stdout) == (5, "")
        assert "no usable keyring" in without.stderr
        for command in (MOVE, CONFIGURE):
            finished = host.cli.using("sh")("-ec", command, env=host.env)
            assert finished.returncode == 0, finished.stderr
        (line,) = re.findall(r"# config.toml gets: (store = .*)", CONFIGURE)
        config = (home / ".config" / "withings-auth" / "config.toml").read_text()
        assert line.replace("/home/YOU", str(home)) in config.splitlines()
        found = ask(ASK)
        assert (found.returncode, found.stdout, found.stderr) == (0, f"{token}\n", "")
        (options,) = re.findall(r"`(restrict,command=[^`]*)`", TEXT)
        server.authorize("HOST", home, options)
        for command in ("ssh HOST", "ssh HOST cat .withings-auth/token/default.json"):
            restricted = ask(command)
            assert (restricted.returncode, restricted.stdout) == (0, f"{token}\n"), restricted.stderr
