"""Reads values from the text of a file of shell variables, as scripts keep them, without a shell.

Nothing is run or expanded: anything that a shell would expand is refused, so that the value is the one the script
used. Other variables are ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from withings_auth.config.app import PartialApp, parse_scopes
from withings_auth.errors import ConfigurationError

PREFIX = "WITHINGS_"

# The names that scripts and client libraries use, each also with the prefix WITHINGS_. Withings' own pages first said
# consumer key and consumer secret, later client id and client secret.
_NAMES = {
    "client_id": ("CLIENT_ID", "CONSUMER_KEY"),
    "client_secret": ("CLIENT_SECRET", "CONSUMER_SECRET"),
    "redirect_uri": ("REDIRECT_URI", "REDIRECT_URL", "CALLBACK_URI", "CALLBACK_URL"),
    "scopes": ("SCOPES", "SCOPE"),
    "state": ("STATE",),
}
_FIELD_OF = {f"{prefix}{name}": field for field, names in _NAMES.items() for name in names for prefix in ("", PREFIX)}
# Blanks are those of a shell: other white space, such as U+00A0, is part of a value. None is given back (`*+`), or the
# time would grow with the square of their number.
_ASSIGNMENT = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=(.*)")
_QUOTED = re.compile(r"""[ \t]*+(['"])((?:(?!\1).)*)\1[ \t]*+(?:;.*|(?<=[ \t])#.*)?""")
_BARE = re.compile(r"""[ \t]*+()([^\s'"#;][^\s'";]*+)?[ \t]*+(?:;.*|(?<=[ \t])#.*)?""", re.ASCII)
_FOR_A_SHELL = re.compile(r"[$`\\]")
_HOME = re.compile(r"(?:^|:)~")  # which a shell expands there if it is not in quotes


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvFile:
    """The app's values in a file, and whether it sets STATE, which no login uses."""

    app: PartialApp
    has_state: bool = False


def decode_text(content: bytes) -> str | None:
    """Returns the text, in UTF-8 or, as PowerShell writes it, in UTF-16; None if it is neither."""
    with suppress(UnicodeDecodeError):  # not chained, since the error holds the content
        return content.decode(json.detect_encoding(content))
    return None


def read_env_file(text: str) -> EnvFile:
    """Reads assignments, one per line, with or without `export` and quotes.

    Raises `ConfigurationError`, naming lines but never a value, if a line needs a shell, if two lines contradict each
    other, or if a scope is invalid.
    """
    found = read_variables(text, _FIELD_OF)
    scopes, number = found.pop("scopes", (None, 0))
    has_state = found.pop("state", None) is not None
    return EnvFile(
        app=PartialApp(
            scopes=None if scopes is None else parse_scopes(scopes, f"line {number} of the file"),
            **{field: value for field, (value, _) in found.items()},
        ),
        has_state=has_state,
    )


def read_variables(text: str, field_of: Mapping[str, str]) -> dict[str, tuple[str, int]]:
    """Returns the values of the fields that the text gives by variables, each with the number of its line.

    `field_of` maps the names of variables to fields; a text without any of them may have them in lower case.
    Raises what `read_env_file` raises.
    """
    return _read(text, field_of) or _read(text, {name.lower(): field for name, field in field_of.items()})


def _read(text: str, field_of: Mapping[str, str]) -> dict[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        assignment = _ASSIGNMENT.fullmatch(line)
        field = field_of.get(assignment[1]) if assignment else None
        if assignment is None or field is None:
            continue
        value = _unquote(assignment[2], number)
        if not value:
            continue  # an empty variable counts as unset
        earlier, earlier_number = found.setdefault(field, (value, number))
        if earlier != value and field != "state":
            raise ConfigurationError(
                f"lines {earlier_number} and {number} of the file give two values for the {field.replace('_', ' ')}",
                hint="remove the wrong line",
            )
    return found


def _unquote(written: str, number: int) -> str:
    """Returns the value without its quotes and any comment after it."""
    written = written.rstrip(" \t\r")
    match = _QUOTED.fullmatch(written) or _BARE.fullmatch(written)
    if match is not None and match[1] == "'":
        return match[2]
    value = written if match is None else match[2] or ""
    if _FOR_A_SHELL.search(value) or (match is not None and not match[1] and _HOME.search(value)):
        raise ConfigurationError(
            f"line {number} of the file needs a shell ($, `, \\ or ~ in the value), but no shell is run",
            hint="write the value itself, in single quotes: NAME='value'",
        )
    if match is None:
        raise ConfigurationError(
            f"line {number} of the file cannot be read: its quotes are unbalanced", hint="write it as NAME='value'"
        )
    return value
