"""Reads a login from another tool's file, recognised by its fields and not by its name.

`shapes` knows the fields. No value is used before it passes the same checks as our own records.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from withings_auth.config.envfile import decode_text, read_variables
from withings_auth.errors import ConfigurationError, LoginRequired
from withings_auth.profiles.shapes import ALL_VARIABLES, Found, find_in_variables, find_logins, home_assistant_entries
from withings_auth.validation import (
    is_client_id,
    is_client_secret,
    is_opaque_token,
    is_placeholder,
    is_userid,
    readable_userid,
    usable_scopes,
)

LARGEST_FILE_BYTES = 16 * 1024 * 1024  # Home Assistant keeps the entries of all its integrations in one file

_ID_NAMES = ("client_id", "clientId")
_SECRET_NAMES = ("client_secret", "consumer_secret", "clientSecret")

Choose = Callable[[Sequence[str]], int]
"""Returns the index of the login to take, of several with these names, or raises `ConfigurationError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignLogin:
    """A login in another tool's file; None, or empty, for what the file does not say. Its times are not trusted.

    `holds_more` says whether the file holds anything besides this login, so that it must stay.
    """

    tool: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    userid: str | None = None
    scopes: tuple[str, ...] = ()
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    holds_more: bool = False


SUPPORTED = (
    "a JSON object with access_token and refresh_token would do; supported are the JSON files of withings-sync"
    " (.withings_user.json), withings-mcp, withings-cli, withings-health-cli, Withings2Garmin and withings_api, Home"
    " Assistant's core.config_entries, Withings' own answer with or without its envelope, and .env files with a line"
    " REFRESH_TOKEN=…"
)


def _refuse_several(names: Sequence[str]) -> int:
    raise ConfigurationError(
        f"the file holds {len(names)} logins: {', '.join(names)}", hint="put the one to import in a file of its own"
    )


def read_foreign(data: bytes, choose: Choose = _refuse_several) -> ForeignLogin:
    """Returns the login in the file's content, the one that `choose` says if there are several.

    Raises `LoginRequired` if its tokens are gone, and `ConfigurationError`; neither quotes the content.
    """
    text = _decode(data)
    content = _parse(text)
    found = list(find_in_variables(text) if content is None else find_logins(content))
    if not found:
        raise _nothing_found(text if content is None else content)
    alive = [each for each in found if not each.is_gone] or found[:1]
    logins = list({json.dumps(each.refresh_token): each for each in reversed(alive)}.values())[::-1]  # each one once
    number = 0 if len(logins) == 1 else choose([each.shown for each in logins])
    return _read(logins[number], holds_more=any(each.refresh_token != found[0].refresh_token for each in found))


def _decode(data: bytes) -> str:
    """Returns the text. Raises `ConfigurationError` if it is none, or too large."""
    if len(data) > LARGEST_FILE_BYTES:
        raise ConfigurationError(
            f"the file is larger than {LARGEST_FILE_BYTES >> 20} MiB", hint="put the login in a file of its own"
        )
    text = decode_text(data)
    if text is None:
        raise ConfigurationError("the file is not text in UTF-8 or UTF-16", hint=SUPPORTED)
    return text


def _parse(text: str) -> Mapping[str, Any] | None:
    """Returns the JSON object that the text is, None if it is something else."""
    content = None
    with suppress(ValueError, RecursionError):  # not chained, since the error holds the whole text
        content = json.loads(text)
    return content if isinstance(content, dict) else None


def _nothing_found(content: Mapping[str, Any] | str) -> ConfigurationError:
    if isinstance(content, str):
        has_app, command = (
            "client_secret" in read_variables(content, ALL_VARIABLES),
            "withings-auth configure --env-file FILE",
        )
    else:
        has_app, command = any(name in content for name in _SECRET_NAMES), "withings-auth configure"
    if has_app:
        return ConfigurationError(
            "the file holds an app's credentials but no login", hint=f"set up the app with: {command}"
        )
    if not isinstance(content, str) and home_assistant_entries(content):
        return ConfigurationError("the file is Home Assistant's, but holds no Withings login", hint=SUPPORTED)
    return ConfigurationError("the file holds no login in a supported format", hint=SUPPORTED)


def _read(found: Found, *, holds_more: bool) -> ForeignLogin:
    part, (access_name, refresh_name) = found.part, found.pair
    if found.is_gone:
        why = "empty" if found.refresh_token == "" else "null" if refresh_name in part else "missing"
        raise LoginRequired(
            f"the login in this file ({found.tool}) is gone: its {refresh_name} is {why}",
            hint="log in: withings-auth login",
        )
    if is_placeholder(found.refresh_token):
        raise ConfigurationError(
            "the file has placeholders of withings-auth run --as, not a login", hint="see: withings-auth status"
        )
    client_id = next((part[name] for name in _ID_NAMES if part.get(name)), None)
    client_secret = next((part[name] for name in _SECRET_NAMES if part.get(name)), None)
    return ForeignLogin(
        tool=found.tool,
        access_token="" if part.get(access_name) is None else _read_token(part, access_name),
        refresh_token=_read_token(part, refresh_name),
        userid=_read_userid(part),
        scopes=_read_scopes(part),
        client_id=_check(client_id, is_client_id, "client id"),
        client_secret=_check(client_secret, is_client_secret, "client secret"),
        holds_more=found.holds_more or holds_more,
    )


def _read_token(part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    if not (isinstance(value, str) and is_opaque_token(value)):
        raise ConfigurationError(f"{name} in the file is not a token", hint=SUPPORTED)
    return value


def _read_userid(part: Mapping[str, Any]) -> str | None:
    value = part.get("userid", part.get("user_id"))
    return _check(readable_userid(value) or value, is_userid, "userid")


def _read_scopes(part: Mapping[str, Any]) -> tuple[str, ...]:
    value = part.get("scope")
    scopes = usable_scopes(value)
    if not scopes and isinstance(value, str) and value.strip():
        raise _invalid("scope")
    return scopes


def _check(value: object, is_valid: Callable[[str], bool], what: str) -> str | None:
    if value is None:
        return None
    if not (isinstance(value, str) and is_valid(value)):
        raise _invalid(what)
    return value


def _invalid(what: str) -> ConfigurationError:
    return ConfigurationError(f"the {what} in the file is invalid", hint="correct it or remove it from the file")
