"""Machines that share nothing with this one but what is relayed to them; `tokens.machine` is what runs on them."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Self

from tests.support.isolation import environment
from tests.support.programs import UNMEASURED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_UNSHARE = ("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")


@cache
def namespaces() -> tuple[str, ...]:
    """Returns the beginning of a command that runs in namespaces of its own; nothing if the system has none for us."""
    command = _UNSHARE if os.geteuid() == 0 else (*_UNSHARE, "--map-root-user")
    if not shutil.which("unshare") or not shutil.which("ip"):
        return ()
    tried = subprocess.run([*command, "ip", "link", "set", "lo", "up"], capture_output=True, check=False)
    return command if tried.returncode == 0 else ()


class Machine:
    """A machine on which programs run that use the store; what they say ends up in a file in its home."""

    def __init__(self, home: Path, program: str, *, store: str, ports: Sequence[int]) -> None:
        """`ports` are those on this machine's loopback that the other one may reach."""
        home.mkdir()
        self._said = home / "said"
        self._orders, theirs = socket.socketpair()
        separate = namespaces()
        kept = {name: value for name, value in os.environ.items() if name not in UNMEASURED}
        with self._said.open("ab") as said:
            self._process = subprocess.Popen(
                [*separate, sys.executable, program, str(theirs.fileno()), *(map(str, ports) if separate else ())],
                env={**environment(home, kept), "WITHINGS_AUTH_STORE": store},
                stdin=subprocess.DEVNULL,
                stdout=said,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        theirs.close()
        _, descriptors, _, _ = socket.recv_fds(self._orders, 16, len(ports))
        self._relay = _Relay({socket.socket(fileno=one): port for one, port in zip(descriptors, ports, strict=False)})

    def order(self, what: str) -> None:
        self._orders.sendall(f"{what}\n".encode())

    @property
    def said(self) -> list[str]:
        """The lines that its programs have written."""
        return self._said.read_text(encoding="utf-8").splitlines()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the machine, and all that runs on it."""
        self._orders.close()
        try:
            self._process.wait(180)
        finally:
            self._process.kill()
            self._process.wait()
            self._relay.close()


class _Relay:
    """Connects those who come to a machine's own sockets with the same ports here."""

    def __init__(self, listeners: dict[socket.socket, int]) -> None:
        self._listeners = listeners
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        for listener, port in self._listeners.items():
            listener.setblocking(False)
            self._loop.create_task(self._accept(listener, port))
        self._loop.run_forever()
        self._loop.run_until_complete(self._cancel_all())
        self._loop.close()

    async def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, listener: socket.socket, port: int) -> None:
        while True:
            theirs, _ = await self._loop.sock_accept(listener)
            self._loop.create_task(self._connect(theirs, port))

    async def _connect(self, theirs: socket.socket, port: int) -> None:
        with theirs, socket.socket() as ours:
            ours.setblocking(False)
            with suppress(OSError):
                await self._loop.sock_connect(ours, ("127.0.0.1", port))
                await asyncio.gather(self._pass_on(theirs, ours), self._pass_on(ours, theirs))

    async def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := await self._loop.sock_recv(source, 65_536):
                await self._loop.sock_sendall(target, data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        for listener in self._listeners:
            listener.close()
