"""A real run whose program only waits, so that a test can do in its place what it wants."""

from __future__ import annotations

import base64
import socket
import ssl
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import pytest

from tests.support.services import Login
from withings_auth.borrow.placeholders import ACCESS_TOKEN
from withings_auth.store.file_store import FileStore

if TYPE_CHECKING:
    from tests.support.canaries import Canaries
    from tests.support.programs import Cli, Program

HOST = "wbsapi.withings.net"
CALL = (
    f"POST /measure HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {ACCESS_TOKEN}\r\n"
    "Content-Length: 0\r\nConnection: close\r\n\r\n"
)
_SHOW_AND_WAIT = 'echo "$HTTPS_PROXY $SSL_CERT_FILE"; cat'


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The run, and what it has given to its program."""

    running: Program
    proxy: SplitResult = field(repr=False)
    bundle: Path
    access_token: str = field(repr=False)

    @property
    def address(self) -> tuple[str, int]:
        """Where the proxy listens."""
        return ("127.0.0.1", self.proxy.port or 0)

    @property
    def credentials(self) -> str:
        """The program's own, as a header."""
        pair = f"{self.proxy.username}:{self.proxy.password}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"

    def connect(self) -> socket.socket:
        """Opens a connection to the proxy."""
        return socket.create_connection(self.address, timeout=60)

    def open_tunnel(self, host: str = HOST, port: int = 443) -> socket.socket:
        """Opens a tunnel. Raises `ConnectionError` if the proxy refuses."""
        connection = self.connect()
        head = f"CONNECT {host}:{port} HTTP/1.1\r\nProxy-Authorization: {self.credentials}\r\n\r\n"
        try:
            connection.sendall(head.encode())
            answer = connection.recv(1000)
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise ConnectionError(answer)
        except BaseException:
            connection.close()
            raise
        return connection

    def begin_tls(self) -> ssl.SSLSocket:
        """Opens a tunnel to Withings, and begins TLS in it."""
        context = ssl.create_default_context(cafile=str(self.bundle))
        return context.wrap_socket(self.open_tunnel(), server_hostname=HOST)

    def ask(self, request: bytes, *, seconds: float = 60) -> bytes:
        """Sends a request in a tunnel of its own; returns what came back until the end, or within the time."""
        received = b""
        with suppress(OSError), self.begin_tls() as program:
            program.settimeout(seconds)
            program.sendall(request)
            while data := program.recv(65536):
                received += data
        return received

    def works(self) -> bool:
        """Whether a call goes through."""
        return b'"status": 0' in self.ask(CALL.encode())

    def end(self) -> None:
        """Lets the program end, which must be the end of everything."""
        self.running.end_input()
        finished = self.running.wait()
        assert (finished.returncode, finished.stderr) == (0, "")
        with pytest.raises(ConnectionRefusedError):
            self.connect()
        assert not self.bundle.parent.exists()


def open_window(cli: Cli, home: Path, canaries: Canaries, api_url: str, *prefix: str) -> Window:
    """Starts a run on a login at this service, with `prefix` before the command."""
    login = Login(FileStore(home / "store"), canaries).at(api_url)
    command = cli.using(*prefix, sys.executable, "-m", "withings_auth")
    env = {"WITHINGS_AUTH_STORE": f"file:{home / 'store'}", "WITHINGS_AUTH_API_URL": api_url, "TMPDIR": str(home)}
    running = command.start("run", "--proxy", "--", "sh", "-c", _SHOW_AND_WAIT, env=env, stdin=True)
    proxy, bundle = running.stdout.line("127.0.0.1").split()
    return Window(running=running, proxy=urlsplit(proxy), bundle=Path(bundle), access_token=login.access_token)
