"""The files in which other tools keep a login, recognised by their shape, whatever they are called.

The shapes are facts about those tools' own sources, named beside each. Nothing of a file is believed before it is
checked against the alphabets that our own records have.
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
    """What a file of another tool says of a login; None where it does not say. Times are not believed at all."""

    tool: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    userid: str | None = None
    scopes: tuple[str, ...] = ()
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """How one tool's file is told from the others, besides by its two tokens: the names in `marks`, and `inside`."""

    tool: str
    marks: frozenset[str] = frozenset()
    inside: str | None = None
    pair: tuple[str, str] = ("access_token", "refresh_token")

    def tokens(self, content: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Returns the part of the content that holds the tokens; None where the file has another shape."""
        part = content if self.inside is None else content.get(self.inside)
        named = isinstance(part, dict) and self.marks | set(self.pair) <= part.keys()
        return part if isinstance(part, dict) and named else None


# The first that fits gives the file its name; what fits no other is the last.
_SHAPES = (
    # What /v2/oauth2 answers, saved whole: developer.withings.com, "Get your access token".
    _Shape(tool="Withings' own answer", inside="body"),
    # github.com/jaroslawhartman/withings-sync, withings2.py: ~/.withings_user.json.
    _Shape(tool="withings-sync", marks=frozenset({"authentification_code"})),
    # github.com/hugoh/Withings2Garmin, withings_client.py.
    _Shape(tool="Withings2Garmin", marks=frozenset({"user_id"})),
    # github.com/vangorra/python_withings_api, common.py: the fields of Credentials2, where they are kept as JSON.
    _Shape(tool="withings_api", marks=frozenset({"client_id", "consumer_secret"})),
    # github.com/gchallen/withings-mcp, withingsClient.ts: ~/.withings-mcp/tokens.json.
    _Shape(tool="withings-mcp", pair=("accessToken", "refreshToken")),
    # github.com/partymola/withings-mcp, auth.py; github.com/davidmosiah/withings-mcp, token-store.ts.
    _Shape(tool="withings-mcp", marks=frozenset({"expires_at"})),
    # The answer of the old endpoint, and what is inside the envelope of the new one. withings-health-cli (pypi.org,
    # config.py) keeps that in ~/.config/withings-cli/tokens.json.
    _Shape(tool="withings-health-cli or an older script"),
)

KNOWN = (
    "known are the JSON files of withings-sync (.withings_user.json), withings-mcp, withings-health-cli,"
    " Withings2Garmin and withings_api, and Withings' own answer with or without its envelope"
)


def read_foreign(data: bytes) -> ForeignLogin:
    """Recognises a login in the file's content. Raises `ConfigurationError`, which repeats nothing of the content."""
    content = _content(data)
    fitting = [(shape, part) for shape in _SHAPES if (part := shape.tokens(content)) is not None]
    if not fitting:
        if any(name in content for name in _SECRET_NAMES):
            raise ConfigurationError(
                "the file holds an app's credentials, and no login", hint="give these to: withings-auth configure"
            )
        raise ConfigurationError("the file holds no login of a known shape", hint=KNOWN)
    if len({_token(part, shape.pair[1]) for shape, part in fitting}) > 1:
        raise ConfigurationError("the file holds more than one login", hint="put the right one in a file of its own")
    shape, part = fitting[0]
    client_secret = next((part[name] for name in _SECRET_NAMES if part.get(name)), None)
    return ForeignLogin(
        tool=shape.tool,
        access_token=_token(part, shape.pair[0]),
        refresh_token=_token(part, shape.pair[1]),
        userid=_userid(part),
        scopes=_scopes(part),
        client_id=_checked(part.get("client_id"), is_client_id, "client id"),
        client_secret=_checked(client_secret, is_client_secret, "client secret"),
    )


def _content(data: bytes) -> Mapping[str, Any]:
    content = None
    with suppress(ValueError, RecursionError):  # not chained: the error holds the whole text
        content = json.loads(data.decode("utf-8-sig")) if len(data) <= LARGEST_FILE_BYTES else None
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"the file is not a JSON object of {LARGEST_FILE_BYTES // 1024} KiB at most", hint=KNOWN
        )
    return content


def _token(part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    if not (isinstance(value, str) and is_opaque_token(value)):
        raise ConfigurationError(f"what the file calls {name} is not a token", hint=KNOWN)
    return value


def _userid(part: Mapping[str, Any]) -> str | None:
    value = part.get("userid", part.get("user_id"))
    return _checked(str(value) if type(value) is int else value, is_userid, "userid")


def _scopes(part: Mapping[str, Any]) -> tuple[str, ...]:
    value = part.get("scope")
    try:
        return scope_list(value.replace(" ", ",")) if isinstance(value, str) else ()
    except ValueError:
        raise _not_one("scope") from None


def _checked(value: object, is_right: Callable[[str], bool], what: str) -> str | None:
    if value is None:
        return None
    if not (isinstance(value, str) and is_right(value)):
        raise _not_one(what)
    return value


def _not_one(what: str) -> ConfigurationError:
    return ConfigurationError(f"the {what} in the file is not one", hint="correct it in the file, or take it out")
