"""HTTP requests and replies as values, so that the services need no network to be tried."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a query or a form, and the names of those that came more than once."""

    texts: Mapping[str, str] = field(repr=False)
    repeated: tuple[str, ...] = ()

    @classmethod
    def parse(cls, encoded: str) -> Parameters:
        """Reads `a=1&b=2`; the first text of a repeated name counts."""
        texts: dict[str, str] = {}
        repeated = []
        for name, text in parse_qsl(encoded, keep_blank_values=True):
            if name in texts:
                repeated.append(name)
            else:
                texts[name] = text
        return cls(texts, tuple(repeated))

    def text(self, name: str) -> str:
        """Returns the text under the name, or "" if there is none: Withings treats both alike."""
        return self.texts.get(name, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request to the sandbox."""

    method: str
    path: str
    origin: str
    """The sandbox's own address, such as `http://127.0.0.1:8765`."""
    query: str = field(default="", repr=False)
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Header fields by their lower-case names."""

    @property
    def own_hosts(self) -> tuple[str, str]:
        """The `Host` headers that mean the sandbox."""
        parts = urlsplit(self.origin)
        return (parts.netloc, f"localhost:{parts.port}")

    @property
    def form(self) -> Parameters:
        """The body's parameters; none if the body is not a form."""
        media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        is_form = media_type == "application/x-www-form-urlencoded"
        return Parameters.parse(self.body.decode("utf-8", "replace") if is_form else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """A reply, and how it is delivered: late, cut off half way, or not at all."""

    http_status: int = 200
    media_type: str = "application/json"
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    delay_seconds: float = 0.0
    delivery: Literal["whole", "half", "none"] = "whole"


def json_reply(value: object, *, http_status: int = 200, headers: Mapping[str, str] | None = None) -> HttpReply:
    """Returns a reply with a value as JSON."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return HttpReply(http_status=http_status, body=body, headers=headers or {})


def redirect_reply(location: str) -> HttpReply:
    """Returns a redirect that no cache keeps and no referrer repeats, since the address may hold a code."""
    headers = {"Location": location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return HttpReply(http_status=302, media_type="text/plain", headers=headers)
