"""Reads a login from another tool's file, recognised by its fields and not by its name.

Each shape is taken from the tool's source, named beside it. No value is used before it passes the same checks as our
own records.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from withings_auth.config.envfile import PREFIX, decode_text, read_variables
from withings_auth.errors import ConfigurationError, LoginRequired
from withings_auth.validation import (
    is_client_id,
    is_client_secret,
    is_opaque_token,
    is_placeholder,
    is_userid,
    printable,
    readable_userid,
    usable_scopes,
)

LARGEST_FILE_BYTES = 16 * 1024 * 1024  # Home Assistant keeps the entries of all its integrations in one file

_ID_NAMES = ("client_id", "clientId")
_SECRET_NAMES = ("client_secret", "consumer_secret", "clientSecret")
_VARIABLES = {
    f"{PREFIX}{name}": field_name
    for name, field_name in {
        "REFRESH_TOKEN": "refresh_token",
        "ACCESS_TOKEN": "access_token",
        "USERID": "userid",
        "USER_ID": "userid",
        "CLIENT_ID": "client_id",
        "CLIENT_SECRET": "client_secret",
        "CONSUMER_SECRET": "client_secret",
    }.items()
}
_ALL_VARIABLES = _VARIABLES | {name.removeprefix(PREFIX): field_name for name, field_name in _VARIABLES.items()}

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """The fields that identify a tool's file: its two tokens, `marks`, and the object they are `inside`.

    `others` are all the other fields that it can have; None if there may be any.
    """

    tool: str
    marks: frozenset[str] = frozenset()
    others: frozenset[str] | None = None
    inside: str | None = None
    pair: tuple[str, str] = ("access_token", "refresh_token")

    def match(self, content: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Returns the object that holds the tokens, None if the file has another shape."""
        part = content if self.inside is None else content.get(self.inside)
        if not isinstance(part, dict):
            return None
        needed = self.marks | set(self.pair)
        known = needed <= part.keys() and (self.others is None or part.keys() <= needed | self.others)
        return part if known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A login that the file may hold: the object with its tokens, and what tells it from others in the file."""

    tool: str
    part: Mapping[str, Any] = field(repr=False)
    pair: tuple[str, str] = ("access_token", "refresh_token")
    name: str = ""
    holds_more: bool = False

    @property
    def refresh_token(self) -> object:
        """Its refresh token as it is in the file, not checked yet."""
        return self.part.get(self.pair[1])

    @property
    def is_gone(self) -> bool:
        """Whether the tool has lost its tokens, as withings-sync does when Withings refuses a renewal."""
        return self.refresh_token is None or self.refresh_token == ""

    @property
    def shown(self) -> str:
        """What users call it."""
        userid = self.part.get("userid")
        name = printable(self.name or self.tool, limit=60)
        return name if userid is None else f"{name} (user {printable(str(userid), limit=64)})"


_CAMEL = ("accessToken", "refreshToken")

# The first match names the tool, so the most general shape is last.
_SHAPES = (
    # What /v2/oauth2 answers, saved whole: developer.withings.com, "Get your access token".
    _Shape(tool="Withings' own answer", inside="body"),
    # github.com/jaroslawhartman/withings-sync, withings2.py: ~/.withings_user.json. It writes nothing else, and the
    # code only if it has asked for one.
    _Shape(tool="withings-sync", marks=frozenset({"authentification_code"})),
    _Shape(tool="withings-sync", marks=frozenset({"userid"}), others=frozenset({"last_sync", "last_sync_tr"})),
    # github.com/hugoh/Withings2Garmin, withings_client.py.
    _Shape(tool="Withings2Garmin", marks=frozenset({"user_id"})),
    # github.com/vangorra/python_withings_api, common.py: the fields of Credentials2, kept as JSON.
    _Shape(tool="withings_api", marks=frozenset({"client_id", "consumer_secret"})),
    # A record of our own, as a `file:` store keeps it.
    _Shape(tool="withings-auth", marks=frozenset({"token_url"})),
    # github.com/gchallen/withings-mcp, withingsClient.ts: ~/.withings-mcp/tokens.json.
    _Shape(tool="withings-mcp", pair=_CAMEL),
    # github.com/partymola/withings-mcp, auth.py; github.com/davidmosiah/withings-mcp, token-store.ts.
    _Shape(tool="withings-mcp", marks=frozenset({"expires_at"})),
    # The answer of the old endpoint, and what is inside the envelope of the new one. withings-health-cli (pypi.org,
    # config.py) keeps it in ~/.config/withings-cli/tokens.json.
    _Shape(tool="withings-health-cli or an older script"),
)

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
    found = list(_find_in_variables(text) if content is None else _find(content))
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


def _find(content: Mapping[str, Any]) -> Iterator[_Found]:
    """Yields the logins in a JSON object; the same one may be found twice."""
    for shape in _SHAPES:
        part = shape.match(content)
        if part is not None:
            yield _Found(tool=shape.tool, part=part, pair=shape.pair)
    # github.com/Hiro5409/withings-cli, credentials.ts: ~/.config/withings-cli/credentials.json, by profile.
    sets = {
        name: part for name, part in content.items() if isinstance(part, dict) and {"clientId", *_CAMEL} <= part.keys()
    }
    for name, part in sets.items():
        yield _Found(tool="withings-cli", part=part, pair=_CAMEL, name=name, holds_more=len(content) > 1)
    # github.com/home-assistant/core, config_entries.py and config_entry_oauth2_flow.py: .storage/core.config_entries.
    for entry in _entries(content):
        token = _object(_object(entry).get("data")).get("token")
        if _object(entry).get("domain") == "withings" and isinstance(token, dict):
            yield _Found(tool="Home Assistant", part=token, name=str(entry.get("title")), holds_more=True)


def _entries(content: Mapping[str, Any]) -> list[Any]:
    entries = _object(content.get("data")).get("entries")
    return entries if isinstance(entries, list) else []


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _find_in_variables(text: str) -> Iterator[_Found]:
    """Yields the login in a file of shell variables; it is the app's file too, and often that of other things."""
    for names in (_VARIABLES, _ALL_VARIABLES):  # without the prefix, a variable may be another service's
        part = {name: value for name, (value, _) in read_variables(text, names).items()}
        if "refresh_token" in part:
            yield _Found(tool=".env file", part=part, holds_more=True)
            return


def _nothing_found(content: Mapping[str, Any] | str) -> ConfigurationError:
    if isinstance(content, str):
        has_app, command = (
            "client_secret" in read_variables(content, _ALL_VARIABLES),
            "withings-auth configure --env-file FILE",
        )
    else:
        has_app, command = any(name in content for name in _SECRET_NAMES), "withings-auth configure"
    if has_app:
        return ConfigurationError(
            "the file holds an app's credentials but no login", hint=f"set up the app with: {command}"
        )
    if not isinstance(content, str) and _entries(content):
        return ConfigurationError("the file is Home Assistant's, but holds no Withings login", hint=SUPPORTED)
    return ConfigurationError("the file holds no login in a supported format", hint=SUPPORTED)


def _read(found: _Found, *, holds_more: bool) -> ForeignLogin:
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
