"""`withings-auth list`: the status of every profile on this machine."""

from __future__ import annotations

import argparse
import sys

from withings_auth.cli.options import load_settings, open_store
from withings_auth.cli.ui.terminal import answer, answer_json, coloured, complain
from withings_auth.config.settings import Settings
from withings_auth.errors import LoginRequired, StoreError, login_hint, name_profile
from withings_auth.profiles.status import LoginStatus, read_statuses
from withings_auth.store.base import SecretStore
from withings_auth.tokens.practice import PRACTICE_END
from withings_auth.validation import is_profile, printable
from withings_auth.wording import local_time, span

EXAMPLE = (
    "example:\n"
    "  withings-auth list\n\n"
    "exit code: 0 every login is usable, 3 one is not or there is none, 5 one cannot\n"
    "be read"
)

_Result = LoginStatus | StoreError
_Row = tuple[tuple[str, ...], bool]  # its cells, and whether it needs attention
_HEADINGS = ("PROFILE", "USER", "ACCESS TOKEN", "LOGIN")


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON; times are Unix seconds")
    parser.set_defaults(profile=None)


def execute(options: argparse.Namespace) -> int:
    """Prints a line for each profile. Raises `LoginRequired` if there is none, and `StoreError`."""
    settings = load_settings(options)
    return show_all(settings, open_store(settings), as_json=options.json)


def show_all(settings: Settings, store: SecretStore, *, as_json: bool) -> int:
    """Prints every profile, and returns the exit code of the worst. Raises as `execute` does."""
    results = read_statuses(store, settings.profile, secret_of=settings.secret_of)
    if as_json:
        answer_json({"profiles": [_fields(name, result) for name, result in results.items()]})
    elif results:
        _print([_row(name, result) for name, result in results.items()])
    if not results:
        raise LoginRequired("nobody is logged in", hint=login_hint("default"))
    exit_code = 0
    for name, result in results.items():
        if isinstance(result, StoreError):
            hint = _name_profile(result.hint, name, settings)
            complain(f"profile {printable(name, limit=80)}: {result}", hint, result.exit_code)
            exit_code = max(exit_code, result.exit_code)
        elif not result.usable:
            exit_code = exit_code or LoginRequired.exit_code
    return exit_code


def _name_profile(hint: str, profile: str, settings: Settings) -> str:
    if not is_profile(profile):  # a file that somebody else put there, which no command can name
        return ""
    return hint if profile == settings.profile == "default" else name_profile(hint, profile)


def _fields(profile: str, result: _Result) -> dict[str, object]:
    if isinstance(result, StoreError):
        return {"profile": profile, "usable": False, "error": str(result)}
    return result.fields()


def _row(profile: str, result: _Result) -> _Row:
    name = printable(profile, limit=80)
    if isinstance(result, StoreError):
        return (name, "?", "cannot be read", "?"), True
    needs_attention = not result.usable or result.ends_soon or result.unknown_until is not None
    return (name, result.grant.userid, _describe_access_token(result), _describe_login(result)), needs_attention


def _describe_access_token(status: LoginStatus) -> str:
    if status.renewal_under_way:
        return "being renewed"
    if status.ended_early and status.access_token_valid:
        return "most likely ended"
    left = span(status.grant.seconds_left(status.seen_at))
    state = f"valid for {left}" if status.access_token_valid else "expired"
    return state if status.unknown_until is None else f"{state}; outcome of a renewal unknown"


def _describe_login(status: LoginStatus) -> str:
    if status.practice_ended:
        return f"ended: {PRACTICE_END}"
    if status.has_ended and not status.usable:
        return "log in again"
    if not status.secret_known:
        return "no client secret: configure"
    return f"{'ended' if status.has_ended else 'until'} {local_time(status.ends_at)}"


def _print(rows: list[_Row]) -> None:
    lines: list[_Row] = [(_HEADINGS, False), *rows]
    widths = [max(map(len, column)) for column in zip(*(cells for cells, _ in lines), strict=True)]
    for cells, needs_attention in lines:
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        answer(coloured(line, "yellow", sys.stdout) if needs_attention else line)
