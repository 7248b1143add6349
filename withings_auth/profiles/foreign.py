"""Reads a login from another tool's file, recognised by its fields and not by its name.

Each shape is taken from the tool's source, named beside it. No value is used before it passes the same checks as our
own records.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from withings_auth.errors import ConfigurationError
from withings_auth.validation import is_client_id, is_client_secret, is_opaque_token, is_userid, scope_list

LARGEST_FILE_BYTES = 64 * 1024

_SECRET_NAMES = ("client_secret", "consumer_secret", "clientSecret")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignLogin:
    """A login in another tool's file; None for what the file does not say. Its times are not trusted."""

    tool: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    userid: str | None = None
    scopes: tuple[str, ...] = ()
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """The fields that identify a tool's file: its two tokens, `marks`, and the object they are `inside`."""

    tool: str
    marks: frozenset[str] = frozenset()
    inside: str | None = None
    pair: tuple[str, str] = ("access_token", "refresh_token")

    def match(self, content: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Returns the object that holds the tokens, None if the file has another shape."""
        part = content if self.inside is None else content.get(self.inside)
        return part if isinstance(part, dict) and self.marks | set(self.pair) <= part.keys() else None


# The first match names the tool, so the most general shape is last.
_SHAPES = (
    # What /v2/oauth2 answers, saved whole: developer.withings.com, "Get your access token".
    _Shape(tool="Withings' own answer", inside="body"),
    # github.com/jaroslawhartman/withings-sync, withings2.py: ~/.withings_user.json.
    _Shape(tool="withings-sync", marks=frozenset({"authentification_code"})),
    # github.com/hugoh/Withings2Garmin, withings_client.py.
    _Shape(tool="Withings2Garmin", marks=frozenset({"user_id"})),
    # github.com/vangorra/python_withings_api, common.py: the fields of Credentials2, kept as JSON.
    _Shape(tool="withings_api", marks=frozenset({"client_id", "consumer_secret"})),
    # github.com/gchallen/withings-mcp, withingsClient.ts: ~/.withings-mcp/tokens.json.
    _Shape(tool="withings-mcp", pair=("accessToken", "refreshToken")),
    # github.com/partymola/withings-mcp, auth.py; github.com/davidmosiah/withings-mcp, token-store.ts.
    _Shape(tool="withings-mcp", marks=frozenset({"expires_at"})),
    # The answer of the old endpoint, and what is inside the envelope of the new one. withings-health-cli (pypi.org,
    # config.py) keeps it in ~/.config/withings-cli/tokens.json.
    _Shape(tool="withings-health-cli or an older script"),
)

SUPPORTED = (
    "supported are the JSON files of withings-sync (.withings_user.json), withings-mcp, withings-health-cli,"
    " Withings2Garmin and withings_api, and Withings' own answer with or without its envelope"
)


def read_foreign(data: bytes) -> ForeignLogin:
    """Returns the login in the file's content. Raises `ConfigurationError`, which never quotes the content."""
    content = _parse(data)
    matches = [(shape, part) for shape in _SHAPES if (part := shape.match(content)) is not None]
    if not matches:
        if any(name in content for name in _SECRET_NAMES):
            raise ConfigurationError(
                "the file holds an app's credentials but no login", hint="set up the app with: withings-auth configure"
            )
        raise ConfigurationError("the file holds no login in a supported format", hint=SUPPORTED)
    if len({_read_token(part, shape.pair[1]) for shape, part in matches}) > 1:
        raise ConfigurationError(
            "the file holds more than one login", hint="put the one to import in a file of its own"
        )
    shape, part = matches[0]
    client_secret = next((part[name] for name in _SECRET_NAMES if part.get(name)), None)
    return ForeignLogin(
        tool=shape.tool,
        access_token=_read_token(part, shape.pair[0]),
        refresh_token=_read_token(part, shape.pair[1]),
        userid=_read_userid(part),
        scopes=_read_scopes(part),
        client_id=_check(part.get("client_id"), is_client_id, "client id"),
        client_secret=_check(client_secret, is_client_secret, "client secret"),
    )


def _parse(data: bytes) -> Mapping[str, Any]:
    content = None
    with suppress(ValueError, RecursionError):  # not chained, since the error holds the whole text
        content = json.loads(data.decode("utf-8-sig")) if len(data) <= LARGEST_FILE_BYTES else None
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"the file is not a JSON object of at most {LARGEST_FILE_BYTES // 1024} KiB", hint=SUPPORTED
        )
    return content


def _read_token(part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    if not (isinstance(value, str) and is_opaque_token(value)):
        raise ConfigurationError(f"{name} in the file is not a token", hint=SUPPORTED)
    return value


def _read_userid(part: Mapping[str, Any]) -> str | None:
    value = part.get("userid", part.get("user_id"))
    return _check(str(value) if type(value) is int else value, is_userid, "userid")


def _read_scopes(part: Mapping[str, Any]) -> tuple[str, ...]:
    value = part.get("scope")
    try:
        return scope_list(value.replace(" ", ",")) if isinstance(value, str) else ()
    except ValueError:
        raise _invalid("scope") from None


def _check(value: object, is_valid: Callable[[str], bool], what: str) -> str | None:
    if value is None:
        return None
    if not (isinstance(value, str) and is_valid(value)):
        raise _invalid(what)
    return value


def _invalid(what: str) -> ConfigurationError:
    return ConfigurationError(f"the {what} in the file is invalid", hint="correct it or remove it from the file")
