"""Scopes as a person types them: at a mistyped one Withings shows an error, of which nothing comes back to here."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from withings_auth.cli.ui.terminal import PROGRAM, tell
from withings_auth.model import ALL_SCOPES
from withings_auth.validation import printable, scope_list


def check_scopes(text: str, *, known: Collection[str] | None = None) -> str | None:
    """Says why the text cannot be a list of scopes; with `known`, no other ones will do than these and Withings'."""
    try:
        names = scope_list(text)
    except ValueError as error:
        return str(error)
    if not names:
        return "at least one scope is needed"
    return None if known is None else _strange(name for name in names if name not in known)


def warn_of_strange(names: Iterable[str]) -> None:
    """Tells which of the scopes are not documented; they are asked for all the same, since Withings may add some."""
    why = _strange(names)
    if why is not None:
        tell(f"{PROGRAM}: warning: {why}")


def _strange(names: Iterable[str]) -> str | None:
    strange = [f"“{printable(name, limit=60)}”" for name in names if name not in ALL_SCOPES]
    return f"Withings has no scope {' or '.join(strange)}; it has {', '.join(ALL_SCOPES)}" if strange else None
