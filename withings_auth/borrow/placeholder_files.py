"""Writes the files that a program insists on, with placeholders for what is secret.

A program may keep more in such a file, such as the time of its last call, so what we did not write stays. A file with a
login of its own is never changed: its refresh token may be the only copy.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from withings_auth.borrow.descriptions import Description
from withings_auth.borrow.templates import Fields, fill, fill_value, names_in, templates_in
from withings_auth.errors import ConfigurationError
from withings_auth.store.files import make_private_directory, read_plain, replace_file, unusable
from withings_auth.store.lock import file_lock
from withings_auth.store.safety import SECRETS, quoted, refuse_unsafe_places
from withings_auth.validation import is_placeholder, printable

LARGEST_FILE_BYTES = 16 * 1024 * 1024  # some list there what they have passed on
LOCK_PATIENCE_SECONDS = 10.0
_REFRESH_TOKEN = re.compile(r"refresh_?token", re.IGNORECASE)  # as programs call it


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a program's files are: `{directory}` and `{home}`, and the lock of all its runs.

    `is_ours` says whether the directory is the one that we keep for the program.
    """

    directory: Path
    home: Path
    lock: Path
    is_ours: bool

    @property
    def values(self) -> dict[str, str]:
        """What the names of places stand for in a template."""
        return {"directory": str(self.directory), "home": str(self.home)}


def refuse_logins(description: Description, places: Places) -> None:
    """Raises `ConfigurationError` if one of the files has a login of its own, or is not what the program writes."""
    for template, fields in description.files.items():
        _read(template, fields, places)


def refuse_unmarked(description: Description, places: Places) -> None:
    """Raises `ConfigurationError` if a real access token of ours could be taken for a login of the program's own.

    After a crash it is recognised by the placeholder beside it, or by lying in the directory that we keep.
    """
    for template, fields in description.files.items():
        named = {name for _, text in templates_in(fields) for name in names_in(text)}
        kept = places.is_ours and "directory" in names_in(template)
        if "access_token" in named and "refresh_token" not in named and not kept:
            raise ConfigurationError(
                f"{printable(fill(template, places.values))} cannot hold a real access token, which would stay there"
                " after a crash",
                hint='describe it with refresh_token = "{refresh_token}" as well, or put it into {directory}',
            )


def write_files(description: Description, places: Places, values: Mapping[str, str]) -> None:
    """Writes the files, each in one step and for this user alone; one that needs no change is left as it is.

    Raises what `refuse_logins` raises, before anything is written, `StoreUnavailable` if a file cannot be written, and
    `LockBusy`.
    """
    if places.is_ours and description.uses_directory:
        _make_safe(places.directory)
    if not description.files:
        return
    with file_lock(places.lock, LOCK_PATIENCE_SECONDS):
        contents = {each: _read(each, fields, places) for each, fields in description.files.items()}
        for template, fields in description.files.items():
            after = _merge(fields, contents[template], {**values, **places.values})
            if after != contents[template]:
                _write(_path(template, places), json.dumps(after, indent=2))


def _make_safe(directory: Path) -> None:
    """Makes the directory that we keep for a program. Raises `StoreUnavailable` if others could change it."""
    try:
        refuse_unsafe_places(directory.parent.parent, directory.parent, directory, rule=SECRETS, hint="remove it")
        make_private_directory(directory)
    except OSError as error:
        raise unusable(directory, error) from error


def _write(path: Path, text: str) -> None:
    try:
        make_private_directory(path.parent)
        replace_file(path, text)
    except OSError as error:
        raise unusable(path, error) from error


def _path(template: str, places: Places) -> Path:
    """Returns the file's path; a link stays a link, and its target is the file."""
    try:
        return Path(os.path.realpath(fill(template, places.values)))
    except FileNotFoundError as error:
        raise ConfigurationError(
            "the working directory is gone, and a file of the program would be there",
            hint="change to another directory",
        ) from error


def _read(template: str, fields: Fields, places: Places) -> dict[str, Any]:
    """Returns what is in the file, nothing if it is missing or empty, as a program leaves it if it is killed."""
    path = _path(template, places)
    try:
        text = read_plain(path, most_bytes=LARGEST_FILE_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _foreign(path, f"cannot be read: {error.strerror or type(error).__name__}") from error
    if not text.strip():
        return {}
    content = None
    with suppress(ValueError, RecursionError):  # not chained, since the error holds the whole text
        content = json.loads(text)
    in_ours = places.is_ours and path.is_relative_to(os.path.realpath(places.directory))
    if not isinstance(content, dict) or not (in_ours or content.keys() & fields.keys()):
        raise _foreign(path, "is not a file of this program's")
    try:
        has_login = _has_login(content, fields, in_ours=in_ours)
    except RecursionError:  # from 3.13 on, Python reads what is nested deeper than we can look
        raise _foreign(path, "is nested too deeply") from None
    if has_login:
        raise ConfigurationError(
            f"{printable(str(path))} holds a login of its own and was left as it is",
            hint=f"import it: withings-auth import --remove {quoted(path)}; or move it away",
        )
    return content


def _foreign(path: Path, what: str) -> ConfigurationError:
    return ConfigurationError(f"{printable(str(path))} {what}", hint="it was left as it is; move it away and try again")


def _has_login(content: Mapping[str, Any], fields: Fields, *, in_ours: bool) -> bool:
    """Whether the file has a refresh token that is real, or an access token that no run of ours has written there."""
    refresh_tokens = [value for name, value in templates_in(content) if _REFRESH_TOKEN.search(name)]
    if any(value and not is_placeholder(value) for value in refresh_tokens):
        return True
    written_by_us = in_ours or any(map(is_placeholder, refresh_tokens))
    return not written_by_us and any(map(_is_real, _values_of("access_token", fields, content)))


def _is_real(value: object) -> bool:
    return bool(value) and not is_placeholder(value)


def _values_of(what: str, fields: Fields, content: Mapping[str, Any]) -> Iterator[object]:
    """Yields what the file has in each field that is described with this name."""
    for name, template in fields.items():
        value = content.get(name)
        if isinstance(template, Mapping):
            yield from _values_of(what, template, value if isinstance(value, Mapping) else {})
        elif isinstance(template, str) and what in names_in(template):
            yield value


def _merge(fields: Fields, content: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """Returns the content with our fields, and with the app's as they are if the user has put in a secret there."""
    keeps_app = any(map(_is_real, _values_of("client_secret", fields, content)))
    merged = dict(content)
    for name, template in fields.items():
        before = content.get(name)
        if isinstance(template, Mapping):
            merged[name] = _merge(template, before if isinstance(before, Mapping) else {}, values)
            continue
        if keeps_app and isinstance(template, str) and {"client_id", "client_secret"} & {*names_in(template)}:
            continue
        value = fill_value(template, values)
        # A number instead of text, as programs write the userid, is no reason to write the file again.
        merged[name] = before if before is not None and str(before) == str(value) else value
    return merged
