"""What the bare name says: whether you are logged in, what to type next, and what else there is.

It is told on stderr, and the exit code is 2: a person sees it all the same, and a script that lost its command on the
way must not take this for a token.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from withings_auth.cli.ui.colour import coloured
from withings_auth.cli.ui.terminal import PROGRAM, tell
from withings_auth.config.known import known_app
from withings_auth.config.settings import read_settings
from withings_auth.errors import ConfigurationError, WithingsAuthError, profile_flag
from withings_auth.profiles.status import Standing, standing
from withings_auth.provider.failures import local_time
from withings_auth.threads import StillRunning, Worker

KEYRING_PATIENCE_SECONDS = 3.0


def greet(usage: str) -> int:
    """Tells how the login stands and what there is. Asks nothing of Withings, waits for no keyring. Returns 2."""
    for line in _greeting():
        tell(line)
    tell(f"\n{usage.rstrip()}")
    return ConfigurationError.exit_code


def _greeting() -> Iterator[str]:
    worker = Worker("withings-auth greeting")  # whatever the keyring waits for ends with the process
    try:
        yield from worker.do(_how_it_stands, seconds=KEYRING_PATIENCE_SECONDS)
    except StillRunning:
        yield from _unknown(f"no answer from the keyring within {KEYRING_PATIENCE_SECONDS:.0f} seconds", "")
    except WithingsAuthError as error:
        yield from _unknown(str(error), error.hint)
    finally:
        worker.close()


def _how_it_stands() -> list[str]:
    """Returns what is known, and what to type next. Raises `ConfigurationError` and `StoreError`."""
    found = read_settings()
    store = found.open_store()
    stands = standing(store, found.profile, time.time(), secret_of=found.secret_of)
    flag = profile_flag(found.profile)
    if stands is None:
        said = coloured(f"Nobody is logged in as profile {found.profile}.", "yellow", sys.stderr)
        return [said, *_first_steps(known_app(found, store).client_id is not None, flag)]
    who = f"Withings user {stands.grant.userid}, profile {found.profile}"
    if not stands.usable:
        return [
            coloured(f"The login of {who}, does not work any more.", "yellow", sys.stderr),
            f"Next: {PROGRAM} {'login' if stands.has_ended else 'configure'}{flag}",
        ]
    return [
        f"{coloured(f'Logged in as {who}.', 'green', sys.stderr)} {_access_token(stands)}",
        f"Next: {PROGRAM} token{flag}, or {PROGRAM} api{flag} measure getmeas meastype=1",
    ]


def _access_token(stands: Standing) -> str:
    if stands.access_token_valid:
        return f"The access token is good until {local_time(stands.grant.expires_at)}."
    return "The access token has expired, and is renewed when it is asked for."


def _first_steps(has_app: bool, flag: str) -> list[str]:
    if has_app:
        return [f"Next: {PROGRAM} login{flag}"]
    return [
        f"Next: {PROGRAM} configure, which shows how to get an app of your own, then {PROGRAM} login{flag}",
        f"For a trial without an account: {PROGRAM} login --sandbox",
    ]


def _unknown(why: str, hint: str) -> Iterator[str]:
    yield coloured(f"Whether you are logged in is not known: {why}", "yellow", sys.stderr)
    if hint:
        yield f"{coloured('hint:', 'bold', sys.stderr)} {hint}"
    yield f"Next: {PROGRAM} doctor"
