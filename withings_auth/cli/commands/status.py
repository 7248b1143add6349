"""`withings-auth status`: how a login stands, for a person, a program and a monitor."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

from withings_auth.cli.options import add_profile, open_store, settings
from withings_auth.cli.ui.colour import coloured
from withings_auth.cli.ui.spans import span, wait_and_tell
from withings_auth.cli.ui.terminal import PROGRAM, answer, answer_json, tell
from withings_auth.config.settings import Settings
from withings_auth.errors import (
    ConfigurationError,
    LoginRequired,
    StoreError,
    WithingsAuthError,
    login_hint,
    secret_hint,
)
from withings_auth.model import Endpoints
from withings_auth.profiles.status import Standing, standing
from withings_auth.provider.check import check
from withings_auth.provider.failures import local_time
from withings_auth.store.base import SecretStore
from withings_auth.tokens.source import TokenSource, refuse_contradiction
from withings_auth.validation import origin

EXAMPLE = (
    "examples:\n"
    "  withings-auth status\n"
    "  withings-auth status --check || [ $? -ne 3 ] || notify-send 'Log in again'\n\n"
    "exit code: 0 the login is usable, 3 log in, 5 the store cannot be read; with\n"
    "--check also 4: Withings gave no answer, try again. Without --check nothing is\n"
    "asked of Withings and nothing is renewed."
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    add_profile(parser)
    parser.add_argument("--json", action="store_true", help="as one JSON object; times are Unix seconds")
    parser.add_argument(
        "--check", action="store_true", help="ask Withings whether the token works, renewed first if need be"
    )


def execute(options: argparse.Namespace) -> int:
    """Prints how the login stands. Raises `LoginRequired` where it is not usable, and what `check` and the store do."""
    found = settings(options)
    store = open_store(found)
    try:
        stands = _standing(store, found)
    except StoreError as error:
        if options.json:  # as `list --json` tells it
            answer_json({"profile": found.profile, "usable": False, "error": str(error), "store": found.store})
        raise
    if stands is None:
        if options.json:
            answer_json({"profile": found.profile, "logged_in": False, "usable": False, **_place(store, found)})
        raise LoginRequired(f"nobody is logged in as profile {found.profile}", hint=login_hint(found.profile))
    refuse_contradiction(found.profile, stands.grant, found, None)
    accepted, trouble = _checked(store, found, stands) if options.check else (None, None)
    if options.check:
        stands = _standing(store, found) or stands  # it may have been renewed
    if options.json:
        usable = stands.usable and not isinstance(trouble, LoginRequired | ConfigurationError)
        answer_json({**stands.fields(), "usable": usable, "accepted": accepted, **_place(store, found)})
    else:
        _print(stands, store, accepted)
    if trouble is not None:
        raise trouble
    if not stands.usable:
        raise _not_usable(stands)
    return 0


def _standing(store: SecretStore, found: Settings) -> Standing | None:
    return standing(store, found.profile, time.time(), secret_of=found.secret_of)


def _checked(store: SecretStore, found: Settings, stands: Standing) -> tuple[bool | None, WithingsAuthError | None]:
    """Returns whether Withings accepted the token, None where that is not known, and what went wrong."""
    source = TokenSource(found.profile, store=store)
    try:
        if check(source, found.profile, stands.grant.api_url, wait=wait_and_tell):
            return True, None
    except LoginRequired as error:
        return False, error
    except WithingsAuthError as error:
        return None, error
    tell("The granted scopes allow none of the calls that check a token: a token could be had, and that is all.")
    return None, None


def _place(store: SecretStore, found: Settings) -> dict[str, object]:
    return {"store": found.store, "backend": store.description}


def _print(stands: Standing, store: SecretStore, accepted: bool | None) -> None:
    rows = [*_rows(stands, store), *([("Withings", "accepts the access token", False)] if accepted else [])]
    for label, text, is_warning in rows:
        answer(f"{label:<14}{coloured(f'warning: {text}', 'yellow', sys.stdout) if is_warning else text}")


def _rows(stands: Standing, store: SecretStore) -> Iterator[tuple[str, str, bool]]:
    """The lines: what it is about, how that stands, and whether a person should do something about it."""
    grant = stands.grant
    yield "Profile", stands.profile, False
    yield "User", grant.userid, False
    yield "Scopes", ", ".join(grant.scopes), False
    if stands.access_token_valid:
        left = span(grant.seconds_left(stands.seen_at))
        yield "Access token", f"good until {local_time(grant.expires_at)} (in {left})", False
    else:
        yield (
            "Access token",
            "has expired; it is renewed when it is asked for" if stands.usable else "has expired",
            False,
        )
    yield "Login", _login(stands), stands.ends_soon
    if stands.renewal_under_way:
        yield "Renewal", "under way: another program holds the lock now", False
    elif stands.unknown_until is not None:
        yield "Renewal", _unknown(stands, stands.unknown_until), True
    yield "Store", store.description, False
    yield "App", _app(stands), not stands.secret_known
    if stands.service != origin(Endpoints().api_url):
        yield "Service", stands.service, False


def _login(stands: Standing) -> str:
    until = local_time(stands.ends_at)
    if stands.has_ended:
        return f"ended on {until}, a year after its last renewal"
    left = span(stands.ends_at - stands.seen_at)
    if stands.ends_soon and stands.secret_known:
        return f"ends on {until} (in {left}), unless it is renewed before that: {PROGRAM} token --renew"
    return f"{'ends on' if stands.ends_soon else 'lasts until'} {until} (in {left}), a year after its last renewal"


def _unknown(stands: Standing, until: float) -> str:
    said = "its outcome is not known; a new try"
    if stands.seen_at >= until:
        return f"{said} was sure only before {local_time(until)}: {PROGRAM} status --check"
    return f"{said} is sure only before {local_time(until)} (in {span(until - stands.seen_at)}): {PROGRAM} token"


def _app(stands: Standing) -> str:
    app = f"client id {stands.grant.client_id}"
    if stands.secret_known:
        return app
    return f"{app}; its client secret is not saved any more, and nothing can be renewed"


def _not_usable(stands: Standing) -> LoginRequired:
    if stands.has_ended:
        why, hint = "has ended: its last renewal is over a year ago", login_hint(stands.profile)
    else:
        why = "cannot be renewed: the client secret of its app is not saved any more"
        hint = secret_hint(stands.profile)
    return LoginRequired(f"the login of profile {stands.profile} {why}", hint=hint)
