"""Reads config.toml: settings that are strings, and the table of programs, which `borrow.descriptions` checks.

It must belong to the user, and nobody else may be able to change it: it says where the login is kept. It holds no
secret.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from withings_auth.config.lines import COMMANDS, read_plainly
from withings_auth.errors import ConfigurationError
from withings_auth.store.files import read_plain
from withings_auth.store.safety import OTHERS_HAVE_ACCESS, SETTINGS, SETTINGS_PLACE, Rule, find_fault, quoted, this_user
from withings_auth.validation import printable

PROGRAMS = "programs"


class ConfigFile(NamedTuple):
    """What config.toml says; nothing if it is not there."""

    values: Mapping[str, str]
    programs: Mapping[str, Any]


def read_config(file: Path, *, known: Collection[str]) -> ConfigFile:
    """Reads the file; `known` are the settings that are strings.

    Raises `ConfigurationError` if it is unsafe or not TOML, or if a setting is unknown, a secret or no string.
    """
    read = _read_toml(file)
    programs = read.pop(PROGRAMS, {})
    if not isinstance(programs, dict):
        raise ConfigurationError(
            f"“{PROGRAMS}” in {printable(str(file))} is not a table", hint=f"begin a program with [{PROGRAMS}.NAME]"
        )
    for name in read:
        if name not in known:
            raise ConfigurationError(
                _describe_unknown(name, file), hint=f"the settings are {', '.join(sorted((*known, PROGRAMS)))}"
            )
    return ConfigFile(values={name: _as_string(name, value, file) for name, value in read.items()}, programs=programs)


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        content = read_plain(file, accept=partial(_refuse_unsafe, file, file, rule=SETTINGS))
        _refuse_unsafe(file, file.parent, file.parent.stat(), rule=SETTINGS_PLACE)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {printable(str(file))}: {error.strerror}", hint="make it a small text file that you can read"
        ) from error
    try:
        return _parse(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"{printable(str(file))} is not TOML: {printable(str(error))}", hint="fix that line and try again"
        ) from None


def _parse(text: str) -> dict[str, Any]:
    plain = read_plainly(text)
    if plain is not None:
        return dict(plain)
    import tomllib  # here, because most files do without it

    return tomllib.loads(text)


def _as_string(name: str, value: object, file: Path) -> str:
    """Returns the setting as a string, for which a list of scopes or of a command's words is another spelling."""
    place = f"“{name}” in {printable(str(file))}"
    if name == "scopes" and isinstance(value, list):
        return ",".join(map(str, value))
    if name in COMMANDS and isinstance(value, list):
        from withings_auth.config.commands import join_words

        return join_words(value, place)
    if not isinstance(value, str):
        raise ConfigurationError(f"{place} is not a string", hint="put it in quotes")
    return value


def _refuse_unsafe(file: Path, path: Path, status: os.stat_result, *, rule: Rule) -> None:
    """Raises `ConfigurationError` if another user can decide what the file says: where the login is kept, for one."""
    fault = find_fault(status, rule, this_user())
    if fault is not None:
        raise ConfigurationError(
            f"{printable(str(path))} is not safe for settings: {fault}",
            hint=f"chmod go-w {quoted(file.parent)} {quoted(file)}"
            if fault == OTHERS_HAVE_ACCESS
            else "run the command as the user that it belongs to, or replace it by one of your own",
        )


def _describe_unknown(name: str, file: Path) -> str:
    if "secret" in name.lower():
        return f"{printable(str(file))} must not hold a secret: remove “{printable(name, limit=60)}”"
    return f"{printable(str(file))} has “{printable(name, limit=60)}”, which is not a setting"
