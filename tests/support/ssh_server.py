"""A real SSH server on loopback whose sessions begin in homes that a test has made."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.support.ports import free_port
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAMS = ("sshd", "ssh", "ssh-keygen")
_SBIN = "/usr/sbin"  # where ordinary users do not look
_SERVER = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {directory}/host
AuthorizedKeysFile {directory}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitUserEnvironment yes
"""
_CLIENT = """\
Host {host}
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile {directory}/{host}
    IdentitiesOnly yes
    UserKnownHostsFile {directory}/known_hosts
"""
# The system says where a user's home is, and nothing keeps a session from the user's own keyring, so the key says where
# it lives. All else in it is as sshd makes it.
_NO_KEYRING = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
_ANY_COMMAND = 'command="cd && exec sh -c \\"$SSH_ORIGINAL_COMMAND\\""'
# With util-linux, it ends with a test run that is killed.
_TIED = ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()


def find_program(name: str) -> str | None:
    """Returns the path of one of the `PROGRAMS`."""
    return shutil.which(name) or shutil.which(name, path=_SBIN)


class SshServer:
    """A session lives in the home of its HOST; whoever finds the `ssh` in `programs` first reaches it as `ssh HOST`."""

    def __init__(self, directory: Path, homes: Mapping[str, Path], *, variables: Mapping[str, str] = {}) -> None:
        self.directory = directory
        self.programs = directory / "bin"
        self.programs.mkdir(parents=True)
        self._port = free_port()
        self._variables = {**_NO_KEYRING, **variables}
        self._authorized = directory / "authorized_keys"
        (directory / "known_hosts").write_text(f"[127.0.0.1]:{self._port} {self._make_key('host')}")
        user = pwd.getpwuid(os.geteuid()).pw_name
        for host, home in homes.items():
            self._make_key(host)
            self.authorize(host, home)
            with (directory / "client").open("a") as file:
                file.write(_CLIENT.format(host=host, port=self._port, user=user, directory=directory))
        ssh = self.programs / "ssh"
        ssh.write_text(f'#!/bin/sh\nexec {find_program("ssh")} -F {directory}/client "$@"\n')
        ssh.chmod(0o700)
        self._process = self._start()

    def authorize(self, host: str, home: Path, options: str = _ANY_COMMAND) -> None:
        """Lets the client's key for this host in, with these options alone, to live in this home."""
        lines = self._authorized.read_text().splitlines(keepends=True) if self._authorized.exists() else []
        key = (self.directory / f"{host}.pub").read_text()
        others = [line for line in lines if not line.endswith(key)]
        variables = {"HOME": str(home), **self._variables}.items()
        environment = ",".join(f'environment="{name}={value}"' for name, value in variables)
        self._authorized.write_text("".join([*others, f"{environment},{options} {key}"]))

    def _make_key(self, name: str) -> str:
        program = find_program("ssh-keygen")
        assert program is not None
        path = self.directory / name
        subprocess.run([program, "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        return path.with_suffix(".pub").read_text()

    def _start(self) -> subprocess.Popen[bytes]:
        program = find_program("sshd")
        assert program is not None
        if os.geteuid() == 0:  # it refuses to start without this one, which its service makes at each boot
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        configuration = self.directory / "server"
        configuration.write_text(_SERVER.format(port=self._port, directory=self.directory))
        with (self.directory / "log").open("wb") as log:
            process = subprocess.Popen(
                [*_TIED, program, "-D", "-e", "-f", configuration],
                stdin=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._listens)
        return process

    def _listens(self) -> bool:
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", self._port)) == 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(60)
