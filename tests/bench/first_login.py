"""How long a first login takes until it starts the browser, beside other libraries' logins at the same sandbox.

A login of ours has asked Withings by then whether client id and client secret are right, and has saved them, which
proves that the store can be written to. The others have done neither.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.bench.timing import Cost, Seconds, Timing, used_by_children
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
BUDGET = 8.0  # of the fastest of them, which loads nothing that Python does not bring along
LONGEST_SECONDS = 60.0


def first_logins(
    home: Path, running: contextlib.ExitStack, stores: Mapping[str, str], pythons: Mapping[str, Path]
) -> Iterator[Cost]:
    """Yields a cost for each of these stores (description and name); `pythons` have one peer each installed."""
    port = free_port()
    sandbox = running.enter_context(Sandbox(redirect_uris=[f"http://localhost:{port}"]))
    opened = WaitForBrowser(home / "first-login")
    values = {"authorize": sandbox.endpoints.authorize_url, "token": sandbox.endpoints.token_url, "home": str(home)}
    peers = [
        opened.by([str(python), "-c", PEERS[name].format(**values, port=port)], {}) for name, python in pythons.items()
    ]
    for description, store in stores.items():
        environ = {
            "WITHINGS_AUTH_STORE": store,
            "WITHINGS_CLIENT_ID": sandbox.client_id,
            "WITHINGS_CLIENT_SECRET": sandbox.client_secret,
            "WITHINGS_REDIRECT_URI": f"http://localhost:{port}",
            "WITHINGS_AUTH_API_URL": sandbox.endpoints.api_url,
            "WITHINGS_AUTH_AUTHORIZE_URL": sandbox.endpoints.authorize_url,
        }

        def ours(environ: Mapping[str, str] = environ) -> Seconds:
            sandbox.advance(60)  # it refuses the same question within ten seconds
            return opened.by([sys.executable, "-m", "withings_auth", "login"], environ)()

        yield Cost(
            what=f"a first login to its browser, {description}",
            run=ours,
            against="the fastest of the others",
            base=lambda: min(peer() for peer in peers),
            budget=BUDGET,
        )


class WaitForBrowser:
    """Measures what programs take to start the browser that `BROWSER` names, and ends them there."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._pipe = directory / "opened"
        os.mkfifo(self._pipe)
        self._browser = directory / "browser"
        self._browser.write_text(f"#!/bin/sh\necho > {self._pipe}\n")
        self._browser.chmod(0o700)

    def by(self, command: Sequence[str], environ: Mapping[str, str], *, waiting: bool = False) -> Timing:
        """Measures the CPU time of the command until it starts the browser, or the elapsed time with `waiting`."""

        def timing() -> Seconds:
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
                    raise SystemExit(f"no browser was started by: {' '.join(command)}")
                elapsed = time.perf_counter() - began
                os.read(pipe, 1)  # or the next one would find it, if this browser has not ended by then
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(program.pid, signal.SIGKILL)
                program.wait()
                os.close(pipe)
            return elapsed if waiting else used_by_children() - used

        return timing
