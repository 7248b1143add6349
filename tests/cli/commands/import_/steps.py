"""What the tests of `withings-auth import` do again and again."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.logins import Desk
from tests.support.programs import Finished

NO_APP: dict[str, str | None] = {"WITHINGS_CLIENT_ID": None, "WITHINGS_CLIENT_SECRET": None}


def import_file(desk: Desk, file: Path, *flags: str, **env: str | None) -> Finished:
    """Runs the command without a terminal."""
    return desk.run("import", str(file), *flags, **env)


def configure(desk: Desk, client_id: str, secret: str) -> None:
    """Saves an app, with nothing about it in the environment."""
    flags = ("--client-id", client_id, "--secret-stdin")
    assert desk.cli("configure", *flags, stdin=secret, env={**desk.env, **NO_APP}).returncode == 0


def change(file: Path, **changes: object) -> Path:
    """Changes fields of the file; None removes one."""
    content = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
    return file


def saved_login(desk: Desk, profile: str = "default") -> dict[str, object]:
    """The profile's record in the store."""
    record: dict[str, object] = json.loads((desk.directory / "token" / f"{profile}.json").read_text())
    return record
