"""A POST that never left, which is told apart with certainty."""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path

import pytest

from tests.provider.http.server import LATE, LIMIT, Serve, Server, closed_at_once, http, own_certificate
from tests.support.programs import Cli
from withings_auth.provider.http import post
from withings_auth.provider.replies import NotSent


class TestNotSent:
    def test_a_name_that_does_not_exist(self, form: dict[str, str]) -> None:
        assert post("https://wbsapi.withings.invalid/v2/oauth2", form) == NotSent(
            why="the server's name cannot be resolved"
        )

    @pytest.mark.parametrize("host", ["a" * 64 + ".invalid", "a..invalid"])
    def test_a_text_that_cannot_be_a_name(self, form: dict[str, str], host: str) -> None:
        assert isinstance(post(f"https://{host}/v2/oauth2", form), NotSent)

    def test_a_port_where_nobody_listens(self, form: dict[str, str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        assert post(f"http://127.0.0.1:{port}/", form) == NotSent(why="Connection refused")

    def test_a_look_up_that_hangs(self, monkeypatch: pytest.MonkeyPatch, form: dict[str, str]) -> None:
        """A DNS server that is silent costs the time limit, and what it answers later disturbs nobody."""
        hanging, back = threading.Event(), threading.Event()

        def look_up(*_: object, **__: object) -> object:
            hanging.wait(100)
            back.set()
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        outcome = post("https://wbsapi.withings.invalid/", form, time_limit_seconds=LIMIT)
        assert outcome == NotSent(why=LATE)
        hanging.set()
        assert back.wait(60)

    def test_a_look_up_that_hangs_does_not_keep_a_process_from_ending(self, cli: Cli) -> None:
        """Statement 32: not even the end of the program waits for a silent DNS server."""
        ran = cli.using(sys.executable, "-c")(
            "import socket, time\n"
            "socket.getaddrinfo = lambda *a, **k: time.sleep(60)\n"
            "from withings_auth.provider.http import post\n"
            "print(post('https://wbsapi.withings.invalid/', {}, time_limit_seconds=0.2))",
        )
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "NotSent(why='no answer within 0.2 seconds')\n", "")
        assert ran.seconds < 50

    def test_no_thread_for_a_look_up(self, monkeypatch: pytest.MonkeyPatch, form: dict[str, str]) -> None:
        """Where the interpreter starts no thread any more, as it does at its end, nothing was sent."""

        def refuse(_: threading.Thread) -> None:
            raise RuntimeError("can't create new thread at interpreter shutdown")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        assert post("https://wbsapi.withings.invalid/", form) == NotSent(why="no thread can be started")

    @pytest.mark.parametrize("url", ["https://xn--a/", "https://[::1]x/"])
    def test_an_address_that_cannot_be_looked_up(self, url: str, form: dict[str, str]) -> None:
        """Settings are checked when they are read; if one comes another way, there is no traceback either."""
        assert isinstance(post(url, form), NotSent)

    def test_not_even_a_socket(self, cli: Cli) -> None:
        """A process that has no file descriptor left learns that nothing was sent."""
        ran = cli.using(sys.executable, "-c")(
            "import os, resource; from withings_auth.provider.http import post\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))\n"
            "while True:\n"
            "    try: os.dup(0)\n"
            "    except OSError: break\n"
            "print(type(post('http://127.0.0.1:1/', {})).__name__)",
        )
        assert ran.stdout == "NotSent\n", ran.stderr

    def test_a_server_that_speaks_no_tls(self, serve: Serve, form: dict[str, str]) -> None:
        def plain(_: Server, connection: socket.socket) -> None:
            connection.recv(100)
            connection.sendall(http(b"{}"))
            connection.close()

        server = serve(plain)
        assert post(f"https://127.0.0.1:{server.port}/", form) == NotSent(why="no encrypted connection could be made")

    def test_a_tls_server_that_hangs_up(self, serve: Serve, form: dict[str, str]) -> None:
        server = serve(closed_at_once)
        assert isinstance(post(f"https://127.0.0.1:{server.port}/", form), NotSent)

    def test_a_tls_handshake_that_never_ends(self, serve: Serve, form: dict[str, str]) -> None:
        """Connected is not enough: until the server has proved who it is, not a byte of the form is sent."""
        server = serve(lambda _server, _connection: None)
        outcome = post(f"https://127.0.0.1:{server.port}/", form, time_limit_seconds=LIMIT)
        assert outcome == NotSent(why=LATE)

    def test_a_certificate_that_nobody_vouches_for(self, serve: Serve, form: dict[str, str], tmp_path: Path) -> None:
        context = own_certificate(tmp_path)

        def encrypted(server: Server, connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as secured:
                server.request(secured)

        server = serve(encrypted)
        assert post(f"https://localhost:{server.port}/", form) == NotSent(why="the server's certificate is not valid")
        assert server.requests == []
