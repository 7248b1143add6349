"""What becomes of one call on its way to Withings and back: its address, its token, and whether that was refused."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from withings_auth.borrow.placeholders import ACCESS_TOKEN
from withings_auth.model import Token
from withings_auth.provider.statuses import LARGEST_REFUSAL_BYTES, TOKEN_REFUSED
from withings_auth.validation import origin

# Of the API, of the authorize page and of the old API; then the first two of the cloud for medical contracts in the US.
HOSTS = (
    "wbsapi.withings.net",
    "account.withings.com",
    "scalews.withings.com",
    "wbsapi.us.withingsmed.net",
    "account.us.withingsmed.com",
)
_API, _OLD_API = (f"https://{HOSTS[0]}", f"https://{HOSTS[2]}")

# Each is about one connection only (RFC 9110, section 7.6.1), or is made anew.
_OF_ONE_CONNECTION = {
    "connection", "expect", "host", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade",
}  # fmt: skip
_STATUS = re.compile(rb'\s*\{\s*"status"\s*:\s*(-?[0-9]+)\s*[,}]')

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request as it goes on: `form` is its body if that is a form, which may hold a token."""

    method: str
    url: str = field(repr=False)
    headers: Headers = field(repr=False)
    form: bytes | None = field(default=None, repr=False)

    @property
    def wants_token(self) -> bool:
        """Whether the placeholder is in the header, the query or the form."""
        return (
            ACCESS_TOKEN in self.url
            or ACCESS_TOKEN.encode() in (self.form or b"")
            or any(ACCESS_TOKEN in value for _, value in self.headers)
        )

    def with_token(self, token: Token) -> Call:
        """Returns the call with the real token in place of the placeholder; itself, if it goes to another service."""
        if not _accepts(self.url, token):
            return self
        secret, escaped = token.access_token, quote(token.access_token, safe="")
        return replace(
            self,
            url=self.url.replace(ACCESS_TOKEN, escaped),
            headers=tuple((name, value.replace(ACCESS_TOKEN, secret)) for name, value in self.headers),
            form=None if self.form is None else self.form.replace(ACCESS_TOKEN.encode(), escaped.encode()),
        )


def target_url(host: str, target: str, api_url: str) -> str:
    """Returns the URL that a request to a Withings host goes to: the API, and the sandbox, are those of the login."""
    elsewhere = urlsplit(api_url).hostname not in HOSTS
    return (api_url if elsewhere or host.startswith("wbsapi.") else f"https://{host}") + target


def without_length(headers: Headers) -> Headers:
    """Returns the headers of a body that is written anew."""
    return tuple((name, value) for name, value in headers if name.lower() != "content-length")


def passed_on(headers: Iterable[tuple[str, str]]) -> Headers:
    """Returns the headers without those that are about one connection, and without encodings that we cannot read."""
    headers = list(headers)
    named = {name.strip().lower() for key, value in headers if key.lower() == "connection" for name in value.split(",")}
    dropped = _OF_ONE_CONNECTION | named
    return tuple(
        (name, "gzip" if name.lower() == "accept-encoding" else value)
        for name, value in headers
        if name.lower() not in dropped and (name.lower() != "accept-encoding" or "gzip" in value.lower())
    )


def is_form(headers: Mapping[str, str]) -> bool:
    """Whether the body is a form, as an HTML page would send it."""
    media_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return media_type == "application/x-www-form-urlencoded"


def read_status(beginning: bytes, headers: Mapping[str, str], *, whole: bool) -> int | None:
    """Returns the status in Withings' envelope; None if what has come so far does not say it.

    0 if this is, or has become, no envelope at all.
    """
    text = _decode(beginning, headers.get("Content-Encoding", "").strip().lower())
    found = _STATUS.match(text)
    if found is not None:
        return int(found[1])
    if whole:
        return _status_of(text)
    could_be_one = text.lstrip()[:1] in {b"", b"{"} and len(beginning) < LARGEST_REFUSAL_BYTES
    return None if could_be_one else 0


def refuses_token(http_status: int, status: int | None) -> bool:
    """Whether Withings has refused the access token: by the status in the envelope, or by that of HTTP."""
    return TOKEN_REFUSED in {http_status, status}


def is_refusal(http_status: int, status: int | None) -> bool:
    """Whether an answer is no data: an error or a redirect of HTTP, or another status in the envelope than 0."""
    return http_status >= HTTPStatus.MULTIPLE_CHOICES or bool(status)


def hide_token(headers: Headers, body: bytes, token: str) -> tuple[Headers, bytes]:
    """Returns an answer with the placeholder in its body instead of the token, unless that is larger than a refusal."""
    encoding = next((value for name, value in headers if name.lower() == "content-encoding"), "")
    text = _decode(body, encoding.strip().lower())
    if token.encode() not in text or max(len(body), len(text)) >= LARGEST_REFUSAL_BYTES:
        return headers, body
    kept = tuple((name, value) for name, value in without_length(headers) if name.lower() != "content-encoding")
    return kept, text.replace(token.encode(), ACCESS_TOKEN.encode())


def _accepts(url: str, token: Token) -> bool:
    """Whether the token may be sent there: to its API, which Withings serves at its old address as well."""
    return origin(url) == token.api_origin or (origin(url), token.api_origin) == (_OLD_API, _API)


def _status_of(text: bytes) -> int:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return 0
    status = content.get("status") if isinstance(content, dict) else 0
    return status if type(status) is int else 0


def _decode(data: bytes, encoding: str) -> bytes:
    """Returns the text, or as much of it as has come and a refusal could have."""
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        return data
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(data, LARGEST_REFUSAL_BYTES)
    except zlib.error:
        return b"?"  # no envelope
