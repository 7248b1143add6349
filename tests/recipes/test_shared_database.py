"""The README's way to one login on many machines: the administrator's lines and all others, with a real server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Require
from tests.recipes.conftest import PROGRAMS
from tests.support import postgresql, ssh_server
from tests.support.keyring_daemon import SecretService
from tests.support.logins import Desk
from tests.support.programs import Finished
from tests.support.readme import blocks, section
from tests.support.ssh_server import SshServer
from tests.support.visitor import VISITOR

pytestmark = pytest.mark.usefixtures("unmeasured")

TEXT = section("More than one machine")
_, ADMINISTRATOR, EVERYBODY = (block.splitlines() for block in blocks("sh", TEXT))
PASSWORD = "of the database, 1:2"  # as one that a person makes up
HOST = "db.example.org"
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_CERTIFICATE = ("openssl", "req", "-x509", *_KEY, "-days", "2", "-subj", "/CN=test")


@pytest.fixture
def server(home: Path, cluster: Path, require: Require) -> Iterator[postgresql.Server]:
    """A server with TLS, as Debian sets it up, but with the name that the README gives it."""
    require("openssl", shutil.which("openssl"), "the recipe for many machines wants a server with TLS")
    with postgresql.Server(cluster) as server:
        files = {name: server.directory / name for name in ("server.crt", "server.key")}
        options = ("-addext", f"subjectAltName=DNS:{HOST}", "-out", files["server.crt"], "-keyout", files["server.key"])
        subprocess.run([*_CERTIFICATE, *options], check=True, capture_output=True)
        files["server.key"].chmod(0o600)
        for file in files.values():
            status = server.directory.stat()
            os.chown(file, status.st_uid, status.st_gid)
        for setting, value in {
            "ssl": "on",
            "ssl_cert_file": files["server.crt"],
            "ssl_key_file": files["server.key"],
        }.items():
            server.execute(f"ALTER SYSTEM SET {setting} = '{value}'")
        Path(server.data, "pg_hba.conf").write_text(f"host all {postgresql.USER} 127.0.0.1/32 trust\n")
        authority = home / ".postgresql" / "root.crt"
        authority.parent.mkdir()
        shutil.copy(files["server.crt"], authority)
        yield server


@pytest.fixture
def administrator(desk: Desk, home: Path, server: postgresql.Server) -> Desk:
    """Whoever may run the server's programs as its owner."""
    tools = home / "tools"
    tools.mkdir()
    (tools / "sudo").write_text('#!/bin/sh\n[ "$1" = -u ] && shift 2\nexec "$@"\n')
    (tools / "sudo").chmod(0o700)
    found = postgresql.find_program("createuser")
    assert found is not None
    path = f"{tools}:{Path(found).parent}:/usr/bin:/bin"
    owner = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": postgresql.USER, "PGDATABASE": "postgres"}
    desk.env |= {**owner, "PATH": path}
    return desk


def set_up(administrator: Desk, server: postgresql.Server) -> None:
    """Runs the administrator's lines: the password is typed, and a restart is a restart."""
    lines = [re.sub(r"/etc/postgresql/\d+/main/", f"{server.data}/", line) for line in ADMINISTRATOR]
    assert lines.pop() == "sudo systemctl restart postgresql"
    create, *others = lines
    typing = administrator.cli.using("sh").on_terminal("-c", create, env=administrator.env)
    for question in ("Enter password for new role: ", "Enter it again: "):
        typing.screen.expect(re.escape(question))
        typing.type(f"{PASSWORD}\n")
    assert typing.wait().returncode == 0, typing.screen.text
    for line in others:
        done = administrator.cli.using("sh")("-ec", line, env=administrator.env)
        assert done.returncode == 0, done.stderr
    server.restart()


def test_many_machines(
    administrator: Desk, server: postgresql.Server, secret_service: SecretService, home: Path, require: Require
) -> None:
    """One has the login and its key in the keyring; another one, reached over ssh, gets the key and uses the login."""
    for program in ssh_server.PROGRAMS:
        require(program, ssh_server.find_program(program), "the recipe for many machines is run with it")
    set_up(administrator, server)
    other = home / "other"
    for place in (home, other):
        (place / ".local" / "bin").mkdir(parents=True, exist_ok=True)
        (place / ".local" / "bin" / "withings-auth").symlink_to(PROGRAMS / "withings-auth")
        (line,) = re.findall(rf"`({re.escape(HOST)}:[^`]*)` in `~/.pgpass` \(`chmod 600`\)", TEXT)
        passwords = place / ".pgpass"
        passwords.touch(mode=0o600)
        passwords.write_text(line.replace("PASSWORD", PASSWORD.replace(":", r"\:")) + "\n")
    shutil.copytree(home / ".postgresql", other / ".postgresql")
    # Only a name server would know the host.
    reach = {"PGHOSTADDR": "127.0.0.1", "PGPORT": str(server.port)}
    desk = administrator
    desk.env |= {
        **secret_service.environ,
        "WITHINGS_AUTH_STORE": None,
        **dict.fromkeys(("PGHOST", "PGUSER", "PGDATABASE")),
    }
    with SshServer(home / "ssh", {"OTHER": other}, variables=reach) as ssh:
        desk.env |= {**reach, "PATH": f"{home}/.local/bin:{ssh.programs}:/usr/bin:/bin"}
        assert desk.run("login", BROWSER=VISITOR).returncode == 0
        assert len(secret_service.services()) == 2
        install, name, *lines = EVERYBODY
        assert install == "pipx install --force '.[postgresql]'"

        def run(*commands: str) -> Finished:
            shown: list[str] = []
            finished = desk.cli.using("sh")("-ec", "\n".join(commands), env=desk.env, allow=shown)
            shown += desk.sandbox.live_access_tokens
            assert finished.returncode == 0, finished.stderr
            return finished

        *first, bring = lines
        run(name, *first)
        assert secret_service.services() == [f"withings-auth/key/{HOST}/withings"]
        run(bring)
        (variable,) = re.findall(r"`(WITHINGS_AUTH_STORE_KEY_FILE=\S+)`", TEXT)
        (configure,) = (line for line in first if " configure " in line)
        run(name, f"""ssh OTHER "{variable} .local/bin/{configure.replace('"', "'")}" """)
        there = run(f"ssh OTHER '{variable} .local/bin/withings-auth token'")
        here = run("withings-auth token")
        assert there.stdout == here.stdout == f"{desk.sandbox.live_access_tokens[-1]}\n"
        (timer,) = re.findall(r"`(withings-auth token --profile NAME [^`]*)`", TEXT)
        assert timer in run("withings-auth store init --print").stdout
        new, rekey = re.findall(r"`(withings-auth store (?:key --new|rekey) ?)(?:ID)?`", TEXT)
        (key_id,) = re.findall(r"Made the key (\w+)", run(new).stderr)
        run(bring)
        run(rekey + key_id)
        assert run(f"ssh OTHER '{variable} .local/bin/withings-auth token'").stdout == here.stdout
