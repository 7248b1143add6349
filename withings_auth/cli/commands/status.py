"""`withings-auth status`: the status of a login, for people, programs and monitors."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

from withings_auth.cli.commands.list import show_all
from withings_auth.cli.options import add_profile, load_settings, open_store
from withings_auth.cli.ui.terminal import PROGRAM, answer, answer_json, as_flags, coloured, tell, wait_and_tell
from withings_auth.config.settings import Settings
from withings_auth.errors import ConfigurationError, LoginRequired, StoreError, WithingsAuthError
from withings_auth.model import Endpoints
from withings_auth.profiles.status import CANNOT_CHECK, OUTCOME_UNKNOWN, SECRET_MISSING, LoginStatus, read_status
from withings_auth.provider.check import check
from withings_auth.store.base import SecretStore
from withings_auth.store.records import not_logged_in
from withings_auth.tokens.practice import PRACTICE_END
from withings_auth.tokens.source import TokenSource, refuse_contradiction
from withings_auth.validation import origin
from withings_auth.wording import local_time, span

EXAMPLE = (
    "examples:\n"
    "  withings-auth status\n"
    "  withings-auth status --all --json\n"
    "  withings-auth status --check || [ $? -ne 3 ] || notify-send 'Log in again'\n\n"
    "Without --check, Withings is not asked and nothing is renewed.\n"
    "exit code: 0 the login is usable, 3 log in, 5 the store cannot be read; with\n"
    "--check also 4: Withings did not answer, try again"
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    add_profile(parser)
    parser.add_argument("--all", action="store_true", help="every profile, as `withings-auth list` prints them")
    parser.add_argument("--json", action="store_true", help="print JSON; times are Unix seconds")
    parser.add_argument(
        "--check", action="store_true", help="ask Withings whether the token works; an expired one is renewed first"
    )


def execute(options: argparse.Namespace) -> int:
    """Prints the status. Raises `LoginRequired` if the login is not usable, and what `check` and the store raise."""
    _check_flags(options)
    settings = load_settings(options)
    store = open_store(settings)
    if options.all:
        return show_all(settings, store, as_json=options.json)
    place = {"store": settings.shown_store, "backend": store.description}
    try:
        status = _read_status(store, settings)
    except StoreError as error:
        if options.json:  # in the form of `list --json`
            answer_json(
                {"profile": settings.profile, "usable": False, "error": str(error), "store": settings.shown_store}
            )
        raise
    if status is None:
        if options.json:
            answer_json({"profile": settings.profile, "logged_in": False, "usable": False, **place})
        raise not_logged_in(settings.profile)
    refuse_contradiction(settings.profile, status.grant, settings, None)
    accepted, failure = None, None
    if options.check:
        accepted, failure = _check(store, settings, status)
        status = _read_status(store, settings) or status  # it may have been renewed
    if options.json:
        usable = status.usable and not isinstance(failure, LoginRequired | ConfigurationError)
        answer_json({**status.fields(), "usable": usable, "accepted": accepted, **place})
    else:
        for label, text, is_warning in _rows(status, store, accepted=accepted):
            shown = as_flags(text)
            answer(f"{label:<14}{coloured(f'warning: {shown}', 'yellow', sys.stdout) if is_warning else shown}")
    if failure is not None:
        raise failure
    if not status.usable:
        raise LoginRequired(f"the login of profile {status.profile} {status.problem}", hint=status.remedy)
    return 0


def _check_flags(options: argparse.Namespace) -> None:
    for flag, given in (("--profile", options.profile), ("--check", options.check)):
        if options.all and given:
            raise ConfigurationError(f"--all and {flag} cannot be used together", hint=f"{PROGRAM} status --all")


def _read_status(store: SecretStore, settings: Settings) -> LoginStatus | None:
    return read_status(store, settings.profile, time.time(), secret_of=settings.secret_of)


def _check(store: SecretStore, settings: Settings, status: LoginStatus) -> tuple[bool | None, WithingsAuthError | None]:
    """Returns whether Withings accepted the token, None if that is unknown, and what failed."""
    source = TokenSource(settings.profile, store=store, ask_anew=True)
    try:
        if check(source, settings.profile, status.grant.api_url, wait=wait_and_tell):
            return True, None
    except LoginRequired as error:
        return False, error
    except WithingsAuthError as error:
        return None, error
    tell(f"Not checked: {CANNOT_CHECK}.")
    return None, None


def _rows(status: LoginStatus, store: SecretStore, *, accepted: bool | None) -> Iterator[tuple[str, str, bool]]:
    """Yields the lines: a label, a text, and whether it is a warning."""
    yield "Profile", status.profile, False
    yield "User", status.grant.userid, False
    yield "Scopes", ", ".join(status.grant.scopes), False
    left = ""
    if status.access_token_valid and not status.ended_early:
        left = f" (in {span(status.grant.seconds_left(status.seen_at))})"
    yield "Access token", f"{status.access_token_state}{left}", False
    yield "Login", _describe_end(status), status.ends_soon or status.has_ended
    if status.renewal_under_way:
        yield "Renewal", "under way: another program holds the lock", False
    elif status.unknown_until is not None:
        yield "Renewal", f"{OUTCOME_UNKNOWN}; {_describe_retry(status, status.unknown_until)}", True
    yield "Store", store.description, False
    app = f"client id {status.grant.client_id}"
    yield "App", app if status.secret_known else f"{app}; {SECRET_MISSING}", not status.secret_known
    if status.service != origin(Endpoints().api_url):
        yield "Service", status.service, False
    if accepted:
        yield "Withings", "accepts the access token", False


def _describe_end(status: LoginStatus) -> str:
    end = local_time(status.ends_at)
    if status.refused_at is not None:
        return f"ended: Withings refused to renew it on {local_time(status.refused_at)}"
    if status.practice_ended:
        return f"ended: {PRACTICE_END}"
    if status.has_ended:
        return f"ended on {end}, a year after its last renewal"
    left = span(status.ends_at - status.seen_at)
    if status.ends_soon and status.secret_known:
        return f"ends on {end} (in {left}) unless it is renewed: {PROGRAM} token --renew"
    return f"{'ends on' if status.ends_soon else 'lasts until'} {end} (in {left}), a year after its last renewal"


def _describe_retry(status: LoginStatus, until: float) -> str:
    if status.seen_at >= until:
        return f"a retry was certain to work only before {local_time(until)}: {PROGRAM} status --check"
    left = span(until - status.seen_at)
    return f"a retry is certain to work only before {local_time(until)} (in {left}): {PROGRAM} token"
