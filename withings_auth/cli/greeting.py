"""What `withings-auth` alone prints: whether you are logged in, what to type next, and the usage.

It goes to stderr with exit code 2: users see it all the same, and a script that lost its command must not take it for a
token.
"""

from __future__ import annotations

import sys
import time
from contextlib import closing, suppress

from withings_auth.cli.options import after_login, to_paste
from withings_auth.cli.ui.terminal import PROGRAM, coloured, hint_line, tell
from withings_auth.config.settings import known_app, read_settings
from withings_auth.errors import ConfigurationError, WithingsAuthError
from withings_auth.profiles.status import read_status
from withings_auth.threads import StillRunning, Worker

KEYRING_WAIT_SECONDS = 3.0


def greet(usage: str) -> int:
    """Prints the status of the login, without asking Withings, and the usage. Returns 2."""
    for line in _greeting():
        tell(line)
    tell(f"\n{usage.rstrip()}")
    return ConfigurationError.exit_code


def _greeting() -> list[str]:
    try:
        with closing(Worker("withings-auth greeting")) as worker:
            return worker.do(_describe_login, seconds=KEYRING_WAIT_SECONDS)
    except StillRunning:
        why, hint = f"no answer from the keyring within {KEYRING_WAIT_SECONDS:.0f} seconds", ""
    except WithingsAuthError as error:
        why, hint = str(error), error.hint
    unknown = coloured(f"Cannot tell whether you are logged in: {why}", "yellow", sys.stderr)
    return [unknown, *([hint_line(hint, sys.stderr)] if hint else []), f"Next: {_doctor()}"]


def _doctor() -> str:
    with suppress(ConfigurationError):
        return to_paste(read_settings(), "doctor")
    return f"{PROGRAM} doctor"


def _describe_login() -> list[str]:
    """Returns who is logged in, and what to type next. Raises `ConfigurationError` and `StoreError`."""
    settings = read_settings()
    store = settings.open_store()
    status = read_status(store, settings.profile, time.time(), secret_of=settings.secret_of)
    if status is None:
        nobody = coloured(f"Nobody is logged in as profile {settings.profile}.", "yellow", sys.stderr)
        login = to_paste(settings, "login")
        if known_app(settings, store).client_id is not None:
            return [nobody, f"Next: {login}"]
        return [
            nobody,
            f"Next: {login}",
            "It shows how to register your own app.",
            f"To try it without an account: {PROGRAM} login --sandbox",
        ]
    who = f"Withings user {status.grant.userid}, profile {settings.profile}"
    if not status.usable:
        return [
            coloured(f"The login of {who}, {status.problem}.", "yellow", sys.stderr),
            hint_line(status.remedy, sys.stderr),
        ]
    return [
        f"{coloured(f'Logged in as {who}.', 'green', sys.stderr)} Access token {status.access_token_state}.",
        *after_login(settings, status.grant.scopes),
    ]
