"""Reads settings, each from the first place that has it: command line, environment, config.toml, default.

The order is the same for every setting and every program. An empty variable counts as unset.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from withings_auth.config.app import PartialApp, parse_scopes
from withings_auth.config.file import read_config
from withings_auth.config.lines import DEFAULT_PROFILE, VARIABLES
from withings_auth.config.places import config_file, state_directory
from withings_auth.errors import ConfigurationError
from withings_auth.model import Endpoints
from withings_auth.store import KEYRING, expanded_name, has_password, open_named_store, refuse_password, shown_name
from withings_auth.store.base import SecretStore
from withings_auth.store.records import only_app, sound_app, sound_grant, stored_app, stored_grant
from withings_auth.validation import (
    is_client_id,
    is_client_secret,
    is_placeholder,
    is_profile,
    is_service_url,
    printable,
)

_PROFILE_NAMES = (
    "use up to 64 letters, digits, dots, hyphens and underscores, starting with a letter or a digit;"
    " names of Windows devices, such as con, are not allowed"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, from the first place that has it."""

    app: PartialApp
    client_id_place: str  # what to call it; see `place_of_client_id`
    listen: str | None
    profile: str
    store: str = field(repr=False)  # in the environment its name may have a password
    store_place: str
    usual_store: str  # the one that config.toml names, or the default: what a program without this environment uses
    endpoints: Endpoints
    # From the environment alone: a stored login is checked against it, not against config.toml or the defaults.
    environment_client_id: str | None
    environment_api_url: str | None
    on_renewed: tuple[str, ...] = ()  # this one and the next: a command's words, from config.toml alone
    on_login_needed: tuple[str, ...] = ()
    programs: Mapping[str, Any] = field(default_factory=dict)  # as config.toml has it; `borrow.programs` reads it

    def secret_of(self, client_id: str) -> str | None:
        """Returns the client secret that is set if it is this app's: it is sent with no other client id."""
        return self.app.client_secret if self.app.client_id == client_id else None

    @property
    def unsaved_store(self) -> str | None:
        """The store's name, with `~` expanded, if it is not the usual one: the environment or a flag chose it.

        None if it has a password, which is neither saved nor shown.
        """
        chosen = expanded_name(self.store)
        return None if chosen == expanded_name(self.usual_store) or has_password(chosen) else chosen

    @property
    def shown_store(self) -> str:
        """The store's name without a password."""
        return shown_name(self.store)

    @property
    def place_of_state(self) -> Path:
        """Where to keep what is no secret: beside the records of a `file:` store, or else in the state directory."""
        kind, _, directory = expanded_name(self.store).partition(":")
        return Path(directory) if kind == "file" else state_directory()

    def place_of_client_id(self, store: SecretStore) -> str:
        """Returns what to call the place that has the client id, which is the store if none is set."""
        return self.client_id_place if self.app.client_id else f"the app that is saved in {store.description}"

    def open_store(self, *, on_a_terminal: bool = False, announce: Callable[[], None] = lambda: None) -> SecretStore:
        """Opens the store that is set. Raises `ConfigurationError` if its name is invalid."""
        return open_named_store(
            self.store, state_directory(), place=self.store_place, on_a_terminal=on_a_terminal, announce=announce
        )


def read_settings(
    arguments: Mapping[str, str | None] | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
    *,
    name_argument: Callable[[str], str] = str,
) -> Settings:
    """Reads and checks every setting.

    `arguments` are the caller's own values, under the names of config.toml; they come first, and `name_argument` says
    what the caller calls one. Raises `ConfigurationError`, naming the place that has an invalid value.
    """
    environ = os.environ if environ is None else environ
    file = config_file(directory)
    config = read_config(file, known=VARIABLES)
    sources = _Sources(arguments or {}, name_argument, environ, config.values, file)
    usual_store = config.values.get("store") or KEYRING
    refuse_password(usual_store, sources.in_file_called("store"))
    client_secret = environ.get("WITHINGS_CLIENT_SECRET") or None
    if is_placeholder(client_secret):  # as in a program under `run --as` that asks us for a token itself
        client_secret = None
    if client_secret is not None and not is_client_secret(client_secret):
        raise ConfigurationError(
            "WITHINGS_CLIENT_SECRET has invalid characters",
            hint="copy it again from your app at Withings' dashboard, or unset it: withings-auth configure saves it",
        )
    scopes, scopes_place = sources.find("scopes")
    api_url = _check_service_url("WITHINGS_AUTH_API_URL", environ.get("WITHINGS_AUTH_API_URL", "").rstrip("/"))
    authorize_url = _check_service_url("WITHINGS_AUTH_AUTHORIZE_URL", environ.get("WITHINGS_AUTH_AUTHORIZE_URL", ""))
    standard = Endpoints()
    return Settings(
        app=PartialApp(
            client_id=sources.check(
                "client_id", is_client_id, "client id", hint="copy it again from your app at Withings' dashboard"
            ),
            client_secret=client_secret,
            redirect_uri=sources.find("redirect_uri")[0] or None,
            scopes=None if scopes is None else parse_scopes(scopes, scopes_place),
        ),
        client_id_place=sources.find("client_id")[1],
        listen=sources.find("listen")[0],
        profile=(sources.check("profile", is_profile, "profile name", hint=_PROFILE_NAMES) or DEFAULT_PROFILE).lower(),
        store=sources.find("store")[0] or KEYRING,
        store_place=sources.find("store")[1],
        usual_store=usual_store,
        endpoints=Endpoints(authorize_url=authorize_url or standard.authorize_url, api_url=api_url or standard.api_url),
        environment_client_id=environ.get("WITHINGS_CLIENT_ID") or None,
        environment_api_url=api_url,
        on_renewed=sources.find_command("on_renewed"),
        on_login_needed=sources.find_command("on_login_needed"),
        programs=config.programs,
    )


def known_app(
    settings: Settings, store: SecretStore, client_id: str | None = None, *, to_save: bool = False
) -> PartialApp:
    """Returns what settings and store know about an app: by client id, or else the one that is set.

    If none is set, it is the app of the profile's login, or else the only one that is saved. Raises `StoreError`; with
    `to_save`, not for a damaged record, which is about to be replaced.
    """
    client_id = client_id or settings.app.client_id
    if client_id is None:
        grant = (sound_grant if to_save else stored_grant)(store, settings.profile)
        client_id = grant.client_id if grant else only_app(store, settings.endpoints.api_url)
    known = replace(settings.app, client_id=client_id)
    # A secret in the environment belongs to the app that is set, and is sent with no other client id.
    if not {settings.environment_client_id, settings.app.client_id} <= {None, client_id}:
        known = replace(known, client_secret=None)
    load = sound_app if to_save else stored_app
    saved = load(store, client_id) if client_id else None
    return known if saved is None else known.over(saved)


def open_store(name: str | None = None) -> SecretStore:
    """Opens the store that `name` describes, such as `file:DIRECTORY`; if it is None, the one that is set.

    Raises `ConfigurationError`; problems with the store itself show when it is used.
    """
    return read_settings({"store": name}).open_store()


def checked_profile(name: str) -> str:
    """Returns the profile's name as it is stored: lower case, so that two names never share a file.

    Raises `ConfigurationError` if it is invalid.
    """
    if not is_profile(name):
        raise ConfigurationError(f"“{printable(name, limit=80)}” is not a valid profile name", hint=_PROFILE_NAMES)
    return name.lower()


class _Sources(NamedTuple):
    """The places that may have a setting: arguments before variables before the file."""

    arguments: Mapping[str, str | None]
    name_argument: Callable[[str], str]
    environ: Mapping[str, str]
    in_file: Mapping[str, str]
    file: Path

    def find(self, name: str) -> tuple[str | None, str]:
        """Returns the setting's value from the first place that has it, and what to call that place."""
        argument = self.arguments.get(name)
        if argument is not None:
            return argument, self.name_argument(name)
        variable = VARIABLES[name]
        if self.environ.get(variable):
            return self.environ[variable], variable
        return self.in_file.get(name), self.in_file_called(name)

    def in_file_called(self, name: str) -> str:
        """Returns what to call the setting in config.toml."""
        return f"“{name}” in {printable(str(self.file))}"

    def check(self, name: str, is_valid: Callable[[str], bool], what: str, *, hint: str) -> str | None:
        """Returns the setting's value. Raises `ConfigurationError` if it is invalid."""
        value, place = self.find(name)
        if value is not None and not is_valid(value):
            # What is no client id may be the secret, pasted at the wrong place.
            shown = "" if name == "client_id" else f"“{printable(value, limit=80)}”, "
            raise ConfigurationError(f"{place} is {shown}not a valid {what}", hint=hint)
        return value

    def find_command(self, name: str) -> tuple[str, ...]:
        """Returns the words of a command; none if it is not set. Raises `ConfigurationError`."""
        text, place = self.find(name)
        if not text:
            return ()
        from withings_auth.config.commands import split_words

        return split_words(text, place)


def _check_service_url(variable: str, url: str) -> str | None:
    if url and not is_service_url(url):
        raise ConfigurationError(
            f"{variable} is “{printable(url, limit=80)}”, and secrets must not be sent there",
            hint="use an https URL, or http on localhost, without a query",
        )
    return url or None
