"""Where an app, a profile, a store and the directories come from: command line, environment, config.toml, default.

The same order for every setting and for every program that asks. An empty variable counts as one that is not set.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from withings_auth.errors import ConfigurationError
from withings_auth.model import Endpoints
from withings_auth.store import KEYRING, open_named_store
from withings_auth.validation import (
    is_client_id,
    is_client_secret,
    is_profile,
    is_service_url,
    printable,
    scope_list,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from withings_auth.store.base import SecretStore

DEFAULT_PROFILE = "default"
CONFIG_FILE = "config.toml"
_PROFILE_NAMES = (
    "use up to 64 letters, digits, dots, hyphens and underscores, a letter or a digit first;"
    " not what is a device on Windows, such as con"
)

# The name of each setting in config.toml, and the environment variable that stands before it (listen has none).
_FILE_AND_VARIABLE = {
    "client_id": "WITHINGS_CLIENT_ID",
    "redirect_uri": "WITHINGS_REDIRECT_URI",
    "scopes": "WITHINGS_SCOPES",
    "listen": "",
    "store": "WITHINGS_AUTH_STORE",
    "profile": "WITHINGS_AUTH_PROFILE",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What was set, by whichever of the places said it first; None where nobody did."""

    client_id: str | None
    client_secret: str | None = field(repr=False)
    redirect_uri: str | None
    scopes: tuple[str, ...] | None
    listen: str | None
    profile: str
    store: str
    endpoints: Endpoints
    # What the environment alone says: a stored login is checked against it, not against the defaults.
    environment_client_id: str | None
    environment_api_url: str | None

    def secret_of(self, client_id: str) -> str | None:
        """Returns the client secret that was set, if it is this app's: it is sent with no other client id."""
        return self.client_secret if self.client_id == client_id else None

    def open_store(self, *, on_a_terminal: bool = False, announce: Callable[[], None] = lambda: None) -> SecretStore:
        """Returns the store that was set. Raises `ConfigurationError` where its name is none."""
        return open_named_store(self.store, state_directory(), on_a_terminal=on_a_terminal, announce=announce)


def read_settings(
    command_line: Mapping[str, str | None] | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Settings:
    """Reads and checks every setting.

    `command_line` holds the flags that were given, by the names of config.toml. Raises `ConfigurationError`, naming
    the place that said something wrong.
    """
    environ = os.environ if environ is None else environ
    file = (config_directory() if directory is None else directory) / CONFIG_FILE
    said = _Said(command_line or {}, environ, _read_file(file), file)
    client_secret = environ.get("WITHINGS_CLIENT_SECRET") or None
    if client_secret is not None and not is_client_secret(client_secret):
        raise ConfigurationError(
            "WITHINGS_CLIENT_SECRET has characters that no client secret has",
            hint="copy it again from your app at Withings' dashboard, or unset it: withings-auth configure saves it",
        )
    return Settings(
        client_id=said.checked(
            "client_id", is_client_id, "a client id", hint="copy it again from your app at Withings' dashboard"
        ),
        client_secret=client_secret,
        redirect_uri=said.text("redirect_uri")[0],
        scopes=said.scopes(),
        listen=said.text("listen")[0],
        profile=checked_profile(
            said.checked("profile", is_profile, "a profile's name", hint=_PROFILE_NAMES) or DEFAULT_PROFILE
        ),
        store=said.text("store")[0] or KEYRING,
        endpoints=_endpoints(environ),
        environment_client_id=environ.get("WITHINGS_CLIENT_ID") or None,
        environment_api_url=_api_url(environ),
    )


def open_store(name: str | None = None) -> SecretStore:
    """Returns the store that `name` (`keyring` or `file:DIRECTORY`) stands for, else the one that was set.

    Raises `ConfigurationError`; what is wrong with the store itself shows when it is used.
    """
    return read_settings({"store": name}).open_store()


def checked_profile(name: str) -> str:
    """Returns the profile's name as it is stored: lower case, so that two names never share a file.

    Raises `ConfigurationError` where the text cannot be one.
    """
    if not is_profile(name):
        raise ConfigurationError(
            f"“{printable(name, limit=80)}” cannot be a profile's name",
            hint=_PROFILE_NAMES,
        )
    return name.lower()


def state_directory() -> Path:
    """Returns where the keyring's locks and stamps lie: one place for desktop, cron and services alike.

    XDG_STATE_HOME is not asked, because a cron job does not have the desktop's.
    """
    if sys.platform in {"darwin", "win32"}:
        import platformdirs

        return _home_known(lambda: platformdirs.user_data_path("withings-auth", appauthor=False))
    return _home_known(Path.home) / ".local" / "state" / "withings-auth"


def config_directory() -> Path:
    """Returns where config.toml lies, by the platform's custom."""
    import platformdirs

    return _home_known(lambda: platformdirs.user_config_path("withings-auth", appauthor=False))


def _home_known(path: Callable[[], Path]) -> Path:
    try:
        return path()
    except RuntimeError:  # as in a container whose user is only a number
        raise ConfigurationError(
            "this user has no home directory", hint="set HOME to a directory of this user, and try again"
        ) from None


@dataclass(frozen=True, slots=True)
class _Said:
    """Who said what: flags before variables before the file."""

    flags: Mapping[str, str | None]
    environ: Mapping[str, str]
    values: Mapping[str, str]
    file: Path

    def text(self, name: str) -> tuple[str | None, str]:
        """Returns the first that was said and the name of the place that said it."""
        flag = self.flags.get(name)
        if flag is not None:
            return flag, f"--{name.replace('_', '-').removesuffix('s')}"
        variable = _FILE_AND_VARIABLE[name]
        if self.environ.get(variable):
            return self.environ[variable], variable
        return self.values.get(name), f"“{name}” in {printable(str(self.file))}"

    def checked(self, name: str, is_right: Callable[[str], bool], what: str, *, hint: str) -> str | None:
        value, place = self.text(name)
        if value is not None and not is_right(value):
            raise ConfigurationError(
                f"{place} says “{printable(value, limit=80)}”, which cannot be {what}",
                hint=hint,
            )
        return value

    def scopes(self) -> tuple[str, ...] | None:
        value, place = self.text("scopes")
        if value is None:
            return None
        try:
            names = scope_list(value)
        except ValueError as error:
            raise ConfigurationError(
                f"{place}: {error}", hint="scopes are a comma list: user.info,user.metrics"
            ) from None
        if not names:
            raise ConfigurationError(f"{place} names no scope", hint="scopes are a comma list: user.info,user.metrics")
        return names


def _read_file(file: Path) -> Mapping[str, str]:
    try:
        content = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {printable(str(file))}: {error.strerror}", hint="it must be a file that you may read"
        ) from error
    import tomllib

    try:
        read = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"{printable(str(file))} is not TOML: {printable(str(error))}", hint="correct that line and try again"
        ) from None
    values: dict[str, str] = {}
    for name, value in read.items():
        if name not in _FILE_AND_VARIABLE:
            raise ConfigurationError(_unknown(name, file), hint=f"known are {', '.join(sorted(_FILE_AND_VARIABLE))}")
        if name == "scopes" and isinstance(value, list):
            value = ",".join(map(str, value))  # noqa: PLW2901  a list is the other way to write a comma list
        if not isinstance(value, str):
            raise ConfigurationError(f"“{name}” in {printable(str(file))} is not a text", hint="put it in quotes")
        values[name] = value
    return values


def _unknown(name: str, file: Path) -> str:
    if "secret" in name.lower():
        return f"{printable(str(file))} holds a secret, and must not: remove “{printable(name, limit=60)}”"
    return f"{printable(str(file))} has “{printable(name, limit=60)}”, which is not a setting"


def _endpoints(environ: Mapping[str, str]) -> Endpoints:
    standard = Endpoints()
    authorize_url = environ.get("WITHINGS_AUTH_AUTHORIZE_URL") or standard.authorize_url
    if not is_service_url(authorize_url):
        raise _not_a_service("WITHINGS_AUTH_AUTHORIZE_URL", authorize_url)
    return Endpoints(authorize_url=authorize_url, api_url=_api_url(environ) or standard.api_url)


def _api_url(environ: Mapping[str, str]) -> str | None:
    text = (environ.get("WITHINGS_AUTH_API_URL") or "").rstrip("/")
    if text and not is_service_url(text):
        raise _not_a_service("WITHINGS_AUTH_API_URL", text)
    return text or None


def _not_a_service(variable: str, text: str) -> ConfigurationError:
    return ConfigurationError(
        f"{variable} says “{printable(text, limit=80)}”, where no secret may be sent",
        hint="it must be an https URL, or http on localhost, without a query",
    )
