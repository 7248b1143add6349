"""What the tests of `withings-auth configure` do again and again."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

from tests.support.logins import Desk
from tests.support.programs import Finished
from tests.support.visitor import VISITOR

SCOPES = "user.info,user.metrics,user.activity,user.sleepevents"


def configure(desk: Desk, *flags: str, secret: str | None = None, **env: str | None) -> Finished:
    """Runs the command without a terminal."""
    stdin = () if secret is None else ("--secret-stdin",)
    return desk.cli("configure", *flags, *stdin, stdin=secret, env={**desk.env, **env})


def configure_app(desk: Desk, *flags: str, secret: str | None = None) -> Finished:
    """Runs the command with everything that the sandbox's app needs."""
    app = ("--client-id", desk.sandbox.client_id, "--redirect-uri", desk.redirect_uri)
    return configure(desk, *app, *flags, secret=desk.sandbox.client_secret if secret is None else secret)


def paste_next(desk: Desk, printed: str) -> Finished:
    """Pastes the command after “Next:” into a new shell, which knows the program, the sandbox and a browser only."""
    (line,) = re.findall(r"Next: (.*)", printed)
    ours = ("WITHINGS_AUTH_STORE", "WITHINGS_CLIENT_ID", "WITHINGS_CLIENT_SECRET", "WITHINGS_REDIRECT_URI")
    new = dict.fromkeys((*ours, "WITHINGS_AUTH_PROFILE")) | {
        "BROWSER": VISITOR,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    return desk.cli.using("sh", "-c")(line, env={**desk.env, **new}, allow=desk.sandbox.live_access_tokens)


def saved_app(desk: Desk) -> dict[str, object]:
    """The record of the sandbox's app in the store."""
    record: dict[str, object] = json.loads((desk.directory / "app" / f"{desk.sandbox.client_id}.json").read_text())
    return record


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    """Writes a file that only its owner can read, and its directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path
