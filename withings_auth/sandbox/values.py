"""The values that the sandbox's parts hand to each other: apps, people, requests and replies."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "sandbox-"
"""Everything that would be a secret or an identity at Withings begins with this, so that nobody mistakes it."""

SCOPES: Mapping[str, str] = {
    "user.info": "Your profile and your devices",
    "user.metrics": "Your weight and body values",
    "user.activity": "Your steps and workouts",
    "user.sleepevents": "Your sleep",
}
"""The four scopes of Withings' public API, each in the words that the consent page shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A program that was registered at the dashboard."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uris: tuple[str, ...]
    production: bool = False
    """The target environment; development apps run in restricted mode, with at most ten linked people."""
    contract: bool = False
    """Whether its owner has a contract with Withings; the public API is for those without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with a Withings account, and scales at home."""

    userid: int
    name: str
    demo: bool = False


PEOPLE = (
    Person(userid=38210457, name="Marie Laurent"),
    Person(userid=38210461, name="Jonas Laurent"),
)
"""Two people of one household, as one Withings account can hold them."""

DEMO_PERSON = Person(userid=1000000, name="Demo user", demo=True)
"""Who is behind `mode=demo` and `getdemoaccess`."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The parameters of a query or a form: the text under a name, and which names came more than once."""

    texts: Mapping[str, str] = field(repr=False)
    repeated: tuple[str, ...] = ()

    @classmethod
    def parse(cls, encoded: str) -> Fields:
        """Read `a=1&b=2`; of a repeated name the first text counts."""
        texts: dict[str, str] = {}
        repeated = []
        for name, text in parse_qsl(encoded, keep_blank_values=True):
            if name in texts:
                repeated.append(name)
            else:
                texts[name] = text
        return cls(texts, tuple(repeated))

    def text(self, name: str) -> str:
        """The text under the name; empty if it is absent, which Withings does not tell apart either."""
        return self.texts.get(name, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request as the sandbox sees it."""

    method: str
    path: str
    origin: str
    """Where the sandbox itself is reached, such as `http://127.0.0.1:8765`."""
    query: str = field(default="", repr=False)
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Header fields by their lower-case names."""

    @property
    def media_type(self) -> str:
        """What the body claims to be, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def form(self) -> Fields:
        """The body's fields; a body that is not a form has none."""
        if self.media_type != "application/x-www-form-urlencoded":
            return Fields({})
        return Fields.parse(self.body.decode("utf-8", "replace"))


Delivery = Literal["whole", "half", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP answer, and how it travels: late, cut off half way, or not at all."""

    http_status: int = 200
    media_type: str = "application/json"
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    delay_seconds: float = 0.0
    delivery: Delivery = "whole"


def json_reply(value: object, *, http_status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A value as JSON, which is how Withings' services answer."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return Reply(http_status=http_status, body=body, headers=headers or {})


def redirect_reply(location: str, *, http_status: int = 302) -> Reply:
    """Send the client elsewhere; the address must not be kept by anybody on the way."""
    headers = {"Location": location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return Reply(http_status=http_status, media_type="text/plain", headers=headers)
