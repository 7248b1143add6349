"""`withings-auth list`: every profile on this machine, and how it stands."""

from __future__ import annotations

import argparse
import sys
import time

from withings_auth.cli.options import open_store, settings
from withings_auth.cli.ui.colour import coloured
from withings_auth.cli.ui.spans import span
from withings_auth.cli.ui.terminal import answer, answer_json, complain
from withings_auth.config.settings import Settings
from withings_auth.errors import LoginRequired, StoreError, login_hint
from withings_auth.profiles.status import Standing, standing
from withings_auth.provider.failures import local_time
from withings_auth.store.base import SecretStore
from withings_auth.store.records import profiles
from withings_auth.validation import printable

EXAMPLE = (
    "example:\n"
    "  withings-auth list\n\n"
    "exit code: 0 every login is usable, 3 one has ended or there is none, 5 one\n"
    "cannot be read"
)

_HEAD = ("PROFILE", "USER", "ACCESS TOKEN", "LOGIN")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    parser.add_argument("--json", action="store_true", help="as one JSON object; times are Unix seconds")
    parser.set_defaults(profile=None)


def execute(options: argparse.Namespace) -> int:
    """Prints a line for each profile. Raises `LoginRequired` where there is none, and `StoreError`."""
    found = settings(options)
    store = open_store(found)
    # The set profile too: a keyring's index may have been lost, and reading repairs it.
    names = sorted({*profiles(store), found.profile})
    all_stand = [(name, stands) for name in names if (stands := _standing(store, name, found)) is not None]
    if options.json:
        answer_json({"profiles": [_fields(name, stands) for name, stands in all_stand]})
    elif all_stand:
        _print([_row(name, stands) for name, stands in all_stand], [_is_well(stands) for _, stands in all_stand])
    if not all_stand:
        raise LoginRequired("nobody is logged in", hint=login_hint("default"))
    for name, stands in all_stand:
        if isinstance(stands, StoreError):
            complain(f"profile {printable(name, limit=80)}: {stands}", stands.hint, stands.exit_code)
    return _exit_code([stands for _, stands in all_stand])


def _standing(store: SecretStore, profile: str, found: Settings) -> Standing | StoreError | None:
    try:
        return standing(store, profile, time.time(), secret_of=found.secret_of)
    except StoreError as error:
        return error


def _exit_code(all_stand: list[Standing | StoreError]) -> int:
    if any(isinstance(stands, StoreError) for stands in all_stand):
        return StoreError.exit_code
    return 0 if all(isinstance(stands, Standing) and stands.usable for stands in all_stand) else LoginRequired.exit_code


def _fields(profile: str, stands: Standing | StoreError) -> dict[str, object]:
    if isinstance(stands, StoreError):
        return {"profile": profile, "usable": False, "error": str(stands)}
    return stands.fields()


def _is_well(stands: Standing | StoreError) -> bool:
    return isinstance(stands, Standing) and stands.usable and not stands.ends_soon and stands.unknown_until is None


def _row(profile: str, stands: Standing | StoreError) -> tuple[str, ...]:
    name = printable(profile, limit=80)
    if isinstance(stands, StoreError):
        return name, "?", "cannot be read", "?"
    return name, stands.grant.userid, _access_token(stands), _login(stands)


def _access_token(stands: Standing) -> str:
    if stands.renewal_under_way:
        return "being renewed"
    left = stands.grant.seconds_left(stands.seen_at)
    state = f"good for {span(left)}" if stands.access_token_valid else "expired"
    return state if stands.unknown_until is None else f"{state}; a renewal's outcome is unknown"


def _login(stands: Standing) -> str:
    if stands.has_ended and not stands.usable:
        return "log in again"
    if not stands.secret_known:
        return "no client secret: configure"
    return f"{'ended' if stands.has_ended else 'until'} {local_time(stands.ends_at)}"


def _print(rows: list[tuple[str, ...]], are_well: list[bool]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(_HEAD, *rows, strict=True)]
    for row, is_well in zip([_HEAD, *rows], [True, *are_well], strict=True):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        answer(line if is_well else coloured(line, "yellow", sys.stdout))
