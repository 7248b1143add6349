"""A user's desk: a sandbox, a store, the real command line, and logins that wait for a browser."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.support.stores import save_record
from tests.support.visitor import LastPage, visit
from withings_auth.authorization.addresses import resolve_addresses
from withings_auth.authorization.options import LoginOptions, LoginRequest
from withings_auth.model import ALL_SCOPES, App, Endpoints, Grant
from withings_auth.sandbox import Sandbox, Switches
from withings_auth.store.file_store import FileStore
from withings_auth.store.memory_store import MemoryStore
from withings_auth.store.records import app_name, token_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.support.canaries import Canaries
    from tests.support.programs import Cli, Finished, Program


# The command; when it is interrupted, a code that was already sent has more time, since a busy machine needs it.
PATIENT = """
from withings_auth.authorization import flow
flow.LAST_MOMENTS_SECONDS = 60
from withings_auth.__main__ import run
run()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: str


class PendingLogin:
    """A login that waits for its callback."""

    def __init__(self, program: Program, url: str, port: int, path: str) -> None:
        self.program = program
        self.authorize_url = url
        self.port = port
        self.path = path
        self.state = parse_qs(urlsplit(url).query)["state"][0]

    def allow(self, *, person: int = 1) -> LastPage:
        """Allows access in a scripted browser; returns the last page."""
        return visit(self.authorize_url, person=person)

    def consent(self, *, person: int = 1) -> str:
        """Allows access but does not return to the callback; returns the query that a browser would bring."""
        return consent(self.authorize_url, person=person)

    def deny(self) -> LastPage:
        """Denies access in a scripted browser; returns the last page."""
        return visit(self.authorize_url, deny=True)

    def send(self, data: bytes, *, host: str = "127.0.0.1", seconds: float = 60) -> bytes:
        """Sends bytes; returns everything that comes back before the connection is closed."""
        with socket.create_connection((host, self.port), timeout=seconds) as connection:
            connection.sendall(data)
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
            return received

    def get(
        self,
        query: str = "",
        *,
        method: str = "GET",
        path: str | None = None,
        headers: tuple[str, ...] | None = None,
        host: str = "127.0.0.1",
    ) -> Reply:
        """Sends a request, with the right Host header unless `headers` are given."""
        lines = (f"Host: localhost:{self.port}",) if headers is None else headers
        target = (self.path if path is None else path) + (f"?{query}" if query else "")
        request = "\r\n".join((f"{method} {target} HTTP/1.1", *lines, "Connection: close", "", ""))
        return parse_response(self.send(request.encode(), host=host))

    def wait(self, seconds: float = 60) -> Finished:
        """Waits until the process has ended."""
        return self.program.wait(seconds=seconds)


def new_request() -> LoginRequest:
    """Returns a login at the real Withings as the flow begins it."""
    app = App(client_id="c", client_secret="s")
    return LoginRequest(
        options=LoginOptions(app),
        app=app,
        client_id_place="",
        profile="default",
        usual_profile="default",
        store=MemoryStore(),
        endpoints=Endpoints(),
        addresses=resolve_addresses(app.redirect_uri, None),
    )


def consent(authorize_url: str, *, person: int = 1) -> str:
    """Presses Allow at an authorize URL; returns the query that a browser would bring to the callback."""
    authorize = urlsplit(authorize_url)
    connection = http.client.HTTPConnection(authorize.netloc, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", f"{authorize.path}?{authorize.query}")
        page = connection.getresponse().read().decode()
        ticket = re.findall(r'name="ticket" value="([^"]+)"', page)[0]
        userid = re.findall(r'name="userid" value="([^"]+)"', page)[person - 1]
        form = urlencode({"ticket": ticket, "userid": userid, "answer": "allow"})
        connection.request("POST", authorize.path, form, {"Content-Type": "application/x-www-form-urlencoded"})
        location = connection.getresponse().headers["Location"]
    return urlsplit(location).query


def parse_response(received: bytes) -> Reply:
    """Parses an HTTP response."""
    head, _, body = received.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Reply(status=int(status_line.split()[1]), headers=headers, body=body.decode())


@dataclass(slots=True, kw_only=True)
class Desk:
    """A user's desk: a sandbox to log in to, a store in files, and the command line."""

    cli: Cli
    canaries: Canaries
    sandbox: Sandbox
    directory: Path
    port: int
    redirect_uri: str
    env: dict[str, str | None] = field(default_factory=dict)

    def start(self, *flags: str, **env: str | None) -> PendingLogin:
        """Starts a login that only prints its URL."""
        program = self.cli.start("login", "--no-browser", *flags, env={**self.env, **env})
        url = program.stderr.line(r"^http\S+")
        self.canaries.plant("the client secret", self.sandbox.client_secret)
        return PendingLogin(program, url, self.port, urlsplit(self.redirect_uri).path or "/")

    def start_with_browser(self, *flags: str) -> tuple[Program, str]:
        """Starts a login whose browser only reports the URL that it was given; returns that URL too."""
        opened = self.directory.parent / "opened"
        os.mkfifo(opened)
        browser = f"sh -c 'printf %s \"$1\" > {opened}' sh %s"
        program = self.cli.start("login", *flags, env={**self.env, "BROWSER": browser})
        url = opened.read_text()
        opened.unlink()
        return program, url

    def log_in(self, *flags: str, person: int = 1) -> Finished:
        """Logs in from start to end, allowing access."""
        pending = self.start(*flags)
        pending.allow(person=person)
        return pending.wait()

    def put_login(
        self,
        profile: str = "default",
        *,
        person: int = 1,
        age: int = 600,
        scopes: Iterable[str] = ALL_SCOPES,
        token_url: str | None = None,
    ) -> Grant:
        """Stores a login that is `age` seconds old, and the app's credentials, without a browser."""
        pair = self.sandbox.issue_pair(self.sandbox.people[person - 1], scopes)
        issued = int(time.time()) - age
        grant = Grant(
            access_token=pair.access_token,
            refresh_token=pair.refresh_token,
            obtained_at=issued,
            expires_at=issued + 10_800,
            scopes=pair.scopes,
            userid=str(pair.userid),
            client_id=self.sandbox.client_id,
            token_url=token_url or self.sandbox.endpoints.token_url,
        )
        app = App(client_id=self.sandbox.client_id, client_secret=self.sandbox.client_secret)
        store = FileStore(self.directory)
        save_record(store, app_name(app.client_id), app.to_record())
        save_record(store, token_name(profile), grant.to_record())
        return grant

    def run(self, *arguments: str, **env: str | None) -> Finished:
        """Runs a command as the same user."""
        shown: list[str] = []
        finished = self.cli(*arguments, env={**self.env, **env}, allow=shown)
        if arguments[:1] == ("token",):
            shown += [finished.stdout.strip(), *self.sandbox.live_access_tokens]
        return finished

    def leave_unproved(self) -> None:
        """Makes Withings not say whether client id and client secret are right, so that made-up ones can be saved."""
        self.sandbox.fail_next("status", where="signature", times=9, status=277, error="Insufficient permission")

    @staticmethod
    def wait_for(happened: Callable[[], bool], *, seconds: float = 60) -> None:
        """Waits until something has happened in another thread or process."""
        deadline = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.01)

    def grow_older(self, seconds: int) -> None:
        """Makes the stored login look as if it had been issued that many seconds earlier."""
        path = self.directory / "token" / "default.json"
        record = json.loads(path.read_text())
        record["obtained_at"] -= seconds
        record["expires_at"] -= seconds
        path.write_text(json.dumps(record))

    def keep_store(self) -> None:
        """Names the store in config.toml and not in a variable, as for most users who choose files."""
        config = self.directory.parent / ".config" / "withings-auth" / "config.toml"
        config.parent.mkdir(parents=True)
        config.write_text(f'store = "file:{self.directory}"\n')
        self.env["WITHINGS_AUTH_STORE"] = None

    def plant_secrets(self) -> None:
        """Watches for every secret that the sandbox has issued so far."""
        for number, secret in enumerate(sorted(self.sandbox.secrets)):
            self.canaries.plant(f"the sandbox's secret {number}", secret)


def set_up_desk(cli: Cli, canaries: Canaries, home: Path, sandbox: Sandbox, redirect_uri: str, port: int) -> Desk:
    """Returns a desk whose commands use the sandbox."""
    env: dict[str, str | None] = {
        **sandbox.environment(profile="default", redirect_uri=redirect_uri),
        "WITHINGS_AUTH_STORE": f"file:{home / 'store'}",
    }
    return Desk(
        cli=cli,
        canaries=canaries,
        sandbox=sandbox,
        directory=home / "store",
        port=port,
        redirect_uri=redirect_uri,
        env=env,
    )


__all__ = [
    "Desk",
    "PendingLogin",
    "Reply",
    "Sandbox",
    "Switches",
    "consent",
    "new_request",
    "parse_response",
    "set_up_desk",
]
