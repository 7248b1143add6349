"""Where other tools keep a login in their files.

Each shape is taken from the tool's source, named beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from withings_auth.config.envfile import PREFIX, read_variables
from withings_auth.validation import printable

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
ALL_VARIABLES = _VARIABLES | {name.removeprefix(PREFIX): field_name for name, field_name in _VARIABLES.items()}
_CAMEL = ("accessToken", "refreshToken")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
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


def find_logins(content: Mapping[str, Any]) -> Iterator[Found]:
    """Yields the logins in a JSON object; the same one may be found twice."""
    for shape in _SHAPES:
        part = shape.match(content)
        if part is not None:
            yield Found(tool=shape.tool, part=part, pair=shape.pair)
    # github.com/Hiro5409/withings-cli, credentials.ts: ~/.config/withings-cli/credentials.json, by profile.
    sets = {
        name: part for name, part in content.items() if isinstance(part, dict) and {"clientId", *_CAMEL} <= part.keys()
    }
    for name, part in sets.items():
        yield Found(tool="withings-cli", part=part, pair=_CAMEL, name=name, holds_more=len(content) > 1)
    # github.com/home-assistant/core, config_entries.py and config_entry_oauth2_flow.py: .storage/core.config_entries.
    for entry in home_assistant_entries(content):
        token = _object(_object(entry).get("data")).get("token")
        if _object(entry).get("domain") == "withings" and isinstance(token, dict):
            yield Found(tool="Home Assistant", part=token, name=str(entry.get("title")), holds_more=True)


def home_assistant_entries(content: Mapping[str, Any]) -> list[Any]:
    """Returns the entries of its integrations; none if the object has another shape."""
    entries = _object(content.get("data")).get("entries")
    return entries if isinstance(entries, list) else []


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def find_in_variables(text: str) -> Iterator[Found]:
    """Yields the login in a file of shell variables; it is the app's file too, and often that of other things."""
    for names in (_VARIABLES, ALL_VARIABLES):  # without the prefix, a variable may be another service's
        part = {name: value for name, (value, _) in read_variables(text, names).items()}
        if "refresh_token" in part:
            yield Found(tool=".env file", part=part, holds_more=True)
            return
