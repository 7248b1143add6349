"""Another ordinary user of the machine, who sends requests to a login, or runs programs as in a container."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.programs import Cli

UID = 65534  # nobody
UNKNOWN_UID = 10_001
"""A user id that no machine has a name for."""
_SEND = """
import os, socket, sys
host, port, request, family, uid = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode(), *map(int, sys.argv[4:])
os.setgroups([])
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
with socket.socket(family) as connection:
    connection.settimeout(60)
    connection.connect((host, port))
    connection.sendall(request)
    while data := connection.recv(65536):
        sys.stdout.buffer.write(data)
"""

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can run a program as another user"
)


def send_as_another_user(host: str, port: int, request: str, *, family: int, uid: int = UID) -> bytes:
    """Sends a request in a process of another user; returns what came back."""
    arguments = [host, str(port), request, str(int(family)), str(uid)]
    command = [sys.executable, "-I", "-S", "-c", _SEND, *arguments]
    return subprocess.run(command, env={}, capture_output=True, check=True, timeout=60).stdout


def run_as_another_user(cli: Cli) -> tuple[str, ...]:
    """The prefix that runs a command as another user, who may read our files; empty if we may not do that."""
    capabilities = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    prefix = ("setpriv", f"--reuid={UNKNOWN_UID}", f"--regid={UNKNOWN_UID}", "--clear-groups", *capabilities)
    if os.geteuid() != 0 or not shutil.which("setpriv") or cli.using(*prefix)("true").returncode != 0:
        return ()
    return prefix
