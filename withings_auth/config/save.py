"""Saves an app for `configure`: its record in the store, and config.toml without disturbing the user's edits.

The secret goes to the store only, and first: config.toml never names an app with an unsaved secret.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

from withings_auth.errors import ConfigurationError
from withings_auth.model import App
from withings_auth.store.base import SecretStore, is_read_only
from withings_auth.store.files import make_private_directory, read_plain, replace_file
from withings_auth.store.records import LOCK_PATIENCE_SECONDS, app_name
from withings_auth.validation import printable, scope_list


def save_app(store: SecretStore, app: App, file: Path, values: Mapping[str, str]) -> None:
    """Saves the app: its record in the store, then these values in the file.

    Raises `StoreError` and `LockBusy`, with nothing changed, and `ConfigurationError` if the file cannot be written,
    with the record saved.
    """
    with store.lock(app_name(app.client_id), LOCK_PATIENCE_SECONDS) as held:
        held.save(app.to_record())
        try:
            write_config(file, values)
        except OSError as error:
            raise ConfigurationError(
                f"the client secret is saved in {store.description}, but {printable(str(file))} cannot be written:"
                f" {error.strerror or type(error).__name__}",
                hint="fix that and try again, or set WITHINGS_CLIENT_ID instead, unless it is the store's only app",
            ) from error


def save_values(store: SecretStore, name: str, file: Path, values: Mapping[str, str]) -> None:
    """Saves these values in the file, with this name in the store locked, unless this user may only read there.

    Raises `StoreError`, `LockBusy`, and `ConfigurationError` if the file cannot be written, with nothing changed.
    """
    with nullcontext() if is_read_only(store) else store.lock(name, LOCK_PATIENCE_SECONDS):
        try:
            write_config(file, values)
        except OSError as error:
            raise ConfigurationError(
                f"{printable(str(file))} cannot be written: {error.strerror or type(error).__name__}",
                hint="fix that and try again; until then, set WITHINGS_AUTH_STORE",
            ) from error


def write_config(file: Path, values: Mapping[str, str]) -> None:
    """Sets these values in the file, in one step; everything else stays, comments and order included. Raises OSError.

    A symbolic link stays a link, and its target is written. A file that needs no change is not written, and a list of
    scopes stays a list. The file must be TOML, and the caller must hold a lock.
    """
    import tomlkit  # here, because reading needs only the standard library

    target = Path(os.path.realpath(file))
    try:
        before = read_plain(target).decode("utf-8")
    except FileNotFoundError:
        before = ""
    document = tomlkit.parse(before)
    for name, text in values.items():
        earlier = document.get(name)
        if isinstance(earlier, list):
            if [str(item) for item in earlier] != list(scope_list(text)):
                document[name] = list(scope_list(text))
        elif earlier != text:
            document[name] = text
    after = tomlkit.dumps(document)
    if after != before:
        make_private_directory(target.parent)
        replace_file(target, after)
