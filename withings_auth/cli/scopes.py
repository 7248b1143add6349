"""Checks of scopes as users type them: Withings answers a mistyped one with an error page and never returns here."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from withings_auth.cli.ui.terminal import PROGRAM, tell
from withings_auth.model import ALL_SCOPES
from withings_auth.validation import printable, scope_list


def check_scopes(text: str, *, known: Collection[str] | None = None) -> str | None:
    """Returns why the text is not a list of scopes, None if it is; with `known`, only these and Withings' own count."""
    try:
        names = scope_list(text)
    except ValueError as error:
        return str(error)
    if not names:
        return "at least one scope is needed"
    return None if known is None else _describe_unknown(name for name in names if name not in known)


def warn_of_unknown(names: Iterable[str]) -> None:
    """Warns of scopes that are not documented; they are requested all the same, since Withings may add some."""
    why = _describe_unknown(names)
    if why is not None:
        tell(f"{PROGRAM}: warning: {why}")


def _describe_unknown(names: Iterable[str]) -> str | None:
    unknown = [f"“{printable(name, limit=60)}”" for name in names if name not in ALL_SCOPES]
    return f"Withings has no scope {' or '.join(unknown)}; it has {', '.join(ALL_SCOPES)}" if unknown else None
