"""How long a first login takes until it starts the browser, beside other libraries' logins at the same sandbox.

A login of ours has saved client id and client secret by then, which proves that the store can be written to, or has
seen that the keyring is open. The others have not.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.bench.desk import Desk, ours
from tests.bench.timing import Cost, Extent, Seconds, Skipped, Timing, WrongResult, used_by_children
from tests.support.ports import free_port
from withings_auth.sandbox import Sandbox

# Each by its name at PyPI, with a program that logs in.
PEERS = {
    "google-auth-oauthlib": """
from google_auth_oauthlib.flow import InstalledAppFlow
app = dict(client_id="x", client_secret="y", auth_uri="{authorize}".replace("http:", "https:"), token_uri="{token}")
InstalledAppFlow.from_client_config(dict(installed=app), scopes=["user.info"]).run_local_server(port={port})
""",
    "httpx-auth": """
import httpx
from httpx_auth import OAuth2AuthorizationCode
auth = OAuth2AuthorizationCode("{authorize}?client_id=x", "{token}", redirect_uri_port={port})
httpx.get("http://127.0.0.1:1/", auth=auth)
""",
    "spotipy": """
from spotipy.oauth2 import SpotifyOAuth
uri = "http://127.0.0.1:{port}"
SpotifyOAuth(client_id="x", client_secret="y", redirect_uri=uri, cache_path="{home}/spotipy").get_access_token()
""",
    "withings-mcp": """
import builtins, os
builtins.input = lambda _: "x"
os.environ["WITHINGS_MCP_CONFIG_DIR"] = "{home}/withings-mcp"
from withings_mcp import auth
auth.WITHINGS_AUTH_URL, auth.WITHINGS_CALLBACK_PORT = "{authorize}", {port}
auth.setup_auth()
""",
}
ENVIRONMENTS = Path(__file__).parents[2] / ".venv-peers"
PINS = Path(__file__).with_name("peers.txt")
LONGEST_SECONDS = 60.0


def first_logins(desk: Desk, extent: Extent, kind: str) -> Iterator[Cost | Skipped]:
    """Ours with this kind of store, beside all others."""
    what = f"a first login to its browser, {kind}"
    pythons = {name: ENVIRONMENTS / name / "bin" / "python" for name in PEERS}
    if missing := [name for name, python in pythons.items() if not python.exists()]:
        yield Skipped(what=what, why=f"{missing[0]} is not installed, as `make bench` does")
        return
    port = free_port()
    sandbox = desk.running.enter_context(Sandbox(redirect_uris=[f"http://localhost:{port}"]))
    shelf = desk.shelf(kind, f"first-login-{kind}")
    environ = shelf.variables | {
        "WITHINGS_CLIENT_ID": sandbox.client_id,
        "WITHINGS_CLIENT_SECRET": sandbox.client_secret,
        "WITHINGS_REDIRECT_URI": f"http://localhost:{port}",
        "WITHINGS_AUTH_API_URL": sandbox.endpoints.api_url,
        "WITHINGS_AUTH_AUTHORIZE_URL": sandbox.endpoints.authorize_url,
    }
    opened = WaitForBrowser(desk.home / f"browser-{kind.split()[0]}")  # BROWSER is split at spaces
    values = {
        "authorize": sandbox.endpoints.authorize_url,
        "token": sandbox.endpoints.token_url,
        "home": str(desk.home),
        "port": port,
    }
    yield Cost(
        what=what,
        run=opened.by(
            ours("login", "--profile", "newcomer"), environ, before=lambda: sandbox.advance(60)
        ),  # it answers no question twice
        references={
            name: opened.by([str(python), "-c", PEERS[name].format(**values)], {}) for name, python in pythons.items()
        },
        rounds=extent.rounds_of_logins,
    )


class WaitForBrowser:
    """Measures what programs take to start the browser that `BROWSER` names, and ends them there."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        self._pipe = directory / "opened"
        os.mkfifo(self._pipe)
        self._browser = directory / "browser"
        self._browser.write_text(f"#!/bin/sh\necho > {self._pipe}\n")
        self._browser.chmod(0o700)

    def by(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        *,
        waiting: bool = False,
        before: Callable[[], object] = lambda: None,
    ) -> Timing:
        """Measures the CPU time of the command until it starts the browser, or the elapsed time with `waiting`."""

        def timing() -> Seconds:
            before()
            pipe = os.open(self._pipe, os.O_RDWR | os.O_NONBLOCK)
            began, used = time.perf_counter(), used_by_children()
            program = subprocess.Popen(
                command,
                env={**os.environ, "BROWSER": str(self._browser), **environ},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                if not select.select([pipe], [], [], LONGEST_SECONDS)[0]:
                    raise WrongResult(f"no browser was started by: {' '.join(command)}")
                elapsed = time.perf_counter() - began
                os.read(pipe, 1)  # or the next one would find it, if this browser has not ended by then
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(program.pid, signal.SIGKILL)
                program.wait()
                os.close(pipe)
            return elapsed if waiting else used_by_children() - used

        return timing
