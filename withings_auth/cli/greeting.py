"""What `withings-auth` alone prints: whether you are logged in, what to type next, and the usage.

It goes to stderr with exit code 2: a person sees it all the same, and a script that lost its command on the way must
not take it for a token.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from withings_auth.cli.ui.colour import coloured
from withings_auth.cli.ui.terminal import PROGRAM, tell
from withings_auth.config.settings import known_app, read_settings
from withings_auth.errors import ConfigurationError, WithingsAuthError, profile_flag
from withings_auth.profiles.status import read_status
from withings_auth.threads import StillRunning, Worker

KEYRING_WAIT_SECONDS = 3.0


def greet(usage: str) -> int:
    """Prints the status of the login and the usage. Asks Withings nothing, waits for no keyring. Returns 2."""
    for line in _greeting():
        tell(line)
    tell(f"\n{usage.rstrip()}")
    return ConfigurationError.exit_code


def _greeting() -> Iterator[str]:
    worker = Worker("withings-auth greeting")  # a daemon thread: a keyring that hangs keeps no process alive
    try:
        yield from worker.do(_describe_login, seconds=KEYRING_WAIT_SECONDS)
    except StillRunning:
        yield from _unknown(f"no answer from the keyring within {KEYRING_WAIT_SECONDS:.0f} seconds", "")
    except WithingsAuthError as error:
        yield from _unknown(str(error), error.hint)
    finally:
        worker.close()


def _describe_login() -> list[str]:
    """Returns who is logged in, and what to type next. Raises `ConfigurationError` and `StoreError`."""
    found = read_settings()
    store = found.open_store()
    status = read_status(store, found.profile, time.time(), secret_of=found.secret_of)
    flag = profile_flag(found.profile)
    if status is None:
        nobody = coloured(f"Nobody is logged in as profile {found.profile}.", "yellow", sys.stderr)
        return [nobody, *_first_steps(known_app(found, store).client_id is not None, flag)]
    who = f"Withings user {status.grant.userid}, profile {found.profile}"
    if not status.usable:
        return [coloured(f"The login of {who}, {status.problem}.", "yellow", sys.stderr), _hint(status.remedy)]
    return [
        f"{coloured(f'Logged in as {who}.', 'green', sys.stderr)} Access token {status.access_token_state}.",
        f"Next: {PROGRAM} token{flag}, or {PROGRAM} api{flag} measure getmeas meastype=1",
    ]


def _first_steps(has_app: bool, flag: str) -> list[str]:
    if has_app:
        return [f"Next: {PROGRAM} login{flag}"]
    return [
        f"Next: {PROGRAM} configure, which shows how to register your own app, then {PROGRAM} login{flag}",
        f"To try it without an account: {PROGRAM} login --sandbox",
    ]


def _unknown(why: str, hint: str) -> Iterator[str]:
    yield coloured(f"Cannot tell whether you are logged in: {why}", "yellow", sys.stderr)
    if hint:
        yield _hint(hint)
    yield f"Next: {PROGRAM} doctor"


def _hint(text: str) -> str:
    return f"{coloured('hint:', 'bold', sys.stderr)} {text}"
