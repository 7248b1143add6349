"""What Withings' answers mean, without I/O.

Withings answers HTTP 200 even for failures, and status 503 for any bad parameter; only the text says which one
(developer.withings.com, "API responses"). Whatever a server sends is read into a value or a `Failure`, and never
raises.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from withings_auth.provider.masking import mask, masked_value, repeats
from withings_auth.provider.statuses import TIMED_OUT, TOO_MANY_REQUESTS, FailureKind, kind_of
from withings_auth.validation import is_opaque_token, printable, readable_userid, usable_scopes, whole_number

DEFAULT_LIFE_SECONDS = 10_800  # as documented
LONGEST_LIFE_SECONDS = 366 * 86_400
LONGEST_RETRY_AFTER_SECONDS = 86_400
CHECK_NETWORK = "check the network and try again"
MOST_LEVELS = 100  # of lists and objects in each other; Withings' have ten
MOST_SCOPES = 32  # Withings has four; a record must stay small enough to be saved


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back over HTTP; the body is cut off at the limit that `http.post` reads."""

    http_status: int
    body: bytes = field(repr=False)
    retry_after: float | None = None
    oversized: bool = False
    sent: tuple[str, ...] = field(default=(), repr=False, compare=False)
    """The secrets that the service may repeat, which are masked before anything of the answer is shown."""
    date: float | None = field(default=None, compare=False)
    """The server's time in Unix seconds, if it sent one; it does not count when answers are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """The request was never sent, so Withings did nothing; `misconfigured` if trying again cannot help."""

    why: str
    remedy: str = field(default=CHECK_NETWORK, repr=False, compare=False)
    misconfigured: bool = field(default=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerLost:
    """The request was sent without a complete answer, so what Withings did is unknown."""

    why: str


Outcome = Answer | NotSent | AnswerLost


class Post(Protocol):
    """Posts a form, with the access token in its header if there is one, and returns what came back. Blocks."""

    def __call__(self, url: str, form: Mapping[str, str], /, *, access_token: str | None = None) -> Outcome: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReply:
    """A pair of tokens; `refresh_token`, `scopes` and `userid` are None if the answer left them out."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    life_seconds: int
    scopes: tuple[str, ...] | None
    userid: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An answer that means failure; `words` are Withings' own, escaped, and may be empty."""

    kind: FailureKind
    words: str
    status: int | None = None
    retry_after: float | None = None


TokenResult = TokenReply | Failure | NotSent | AnswerLost


def describe(result: TokenResult) -> str:
    """Returns the result of a request for tokens in a few words of our own."""
    match result:
        case TokenReply():
            return "tokens"
        case Failure(kind=kind, status=status):
            return f"a failure: {kind.name.lower().replace('_', ' ')} (status {'none' if status is None else status})"
        case NotSent(why=why) | AnswerLost(why=why):
            return f"no answer: {why}"


def read_token_reply(answer: Answer) -> TokenReply | Failure:
    """Reads an answer of the token service, in an envelope or in the flat shape of the old endpoint.

    A pair that is thrown away is lost, so an odd spelling beside the tokens is no reason to refuse it: what cannot be
    read counts as left out. Only the tokens themselves, and whom they are for, must be beyond doubt.
    """
    content = _content(answer)
    if isinstance(content, Failure):
        return content
    if content.get("status") is None:
        return _read_flat(content, answer)
    body = _body(content, answer)
    return body if isinstance(body, Failure) else _read_tokens(_tokens_in(content) or body, answer.sent)


def read_body(answer: Answer) -> dict[str, Any] | Failure:
    """Reads an answer of any other service and returns the envelope's body, without what was sent."""
    content = _content(answer)
    body = content if isinstance(content, Failure) else _body(content, answer)
    if isinstance(body, Failure):
        return body
    return _malformed("the answer is nested too deeply") if _is_deep(body) else _without_what_was_sent(body, answer)


def read_envelope(answer: Answer) -> dict[str, Any] | None:
    """Returns the whole answer, even a refusal, without what was sent; None if it is not a JSON object to print."""
    try:
        content = json.loads(_text(answer))
    except (ValueError, RecursionError):
        return None
    return _without_what_was_sent(content, answer) if isinstance(content, dict) and not _is_deep(content) else None


def _without_what_was_sent(content: dict[str, Any], answer: Answer) -> dict[str, Any]:
    if not repeats(_text(answer), answer.sent):
        return content
    masked: dict[str, Any] = masked_value(content, answer.sent)
    return masked


def _is_deep(value: object) -> bool:
    """Whether there are more levels than all that we do with an answer can follow; `json` may read thousands."""
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [inner for outer in level for inner in _inside(outer)]
    return bool(level)


def _inside(value: object) -> Iterable[object]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
    return ()


def _text(answer: Answer) -> str:
    # A wrong character beside the tokens is no reason to lose them.
    return answer.body.decode(json.detect_encoding(answer.body), "replace")


def _content(answer: Answer) -> dict[str, Any] | Failure:
    if answer.oversized:
        return _malformed("the answer is too large")
    if 300 <= answer.http_status < 400:
        return _unavailable(f"a redirect (HTTP {answer.http_status})", answer)
    if answer.http_status >= 500:
        return _unavailable(f"HTTP {answer.http_status}", answer)
    try:
        content = json.loads(_text(answer))
    except (ValueError, RecursionError):
        if answer.http_status == 429:
            return _too_many("HTTP 429", answer)
        what = "an HTML page" if answer.body.lstrip()[:1] == b"<" else "something else"
        return _unavailable(f"{what} instead of JSON (HTTP {answer.http_status})", answer)
    if not isinstance(content, dict):
        return _malformed("the answer is not a JSON object")
    return content


def _body(content: dict[str, Any], answer: Answer) -> dict[str, Any] | Failure:
    status = whole_number(content.get("status"))
    body = content.get("body")
    body = body if isinstance(body, dict) else {}
    if status is None or abs(status) > 999_999:
        return _malformed("the status is not a number")
    if status == 0:
        return body
    said = _words(content.get("error"))
    words = mask(said, answer.sent)
    if status == TOO_MANY_REQUESTS:
        return _too_many(words, answer, status=status, wait_seconds=body.get("wait_seconds"))
    if status == TIMED_OUT:
        return Failure(kind=FailureKind.UNAVAILABLE, words=words, status=status)
    return Failure(kind=kind_of(status, said), words=words, status=status)


def _read_flat(content: dict[str, Any], answer: Answer) -> TokenReply | Failure:
    tokens = _tokens_in(content)
    if tokens is not None:
        return _read_tokens(tokens, answer.sent)
    said = _words(content.get("error_description") or content.get("error"))
    errors = content.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        said = _words(errors[0].get("message"))
    words = mask(said, answer.sent)
    if answer.http_status == 429:
        return _too_many(words or "HTTP 429", answer)
    if not words:
        return _malformed("the answer has neither tokens nor an error")
    return Failure(kind=kind_of(None, said), words=words)


def _tokens_in(content: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the object with the tokens: the envelope's body, or the answer itself."""
    for part in (content.get("body"), content):
        if isinstance(part, dict) and "access_token" in part:
            return part
    return None


def _read_tokens(body: dict[str, Any], sent: tuple[str, ...]) -> TokenReply | Failure:
    access_token, refresh_token = _token(body.get("access_token")), _token(body.get("refresh_token"))
    if access_token is None:
        return _malformed("the access token is missing or malformed")
    if refresh_token is None and body.get("refresh_token") is not None:
        return _malformed("the refresh token is malformed")
    userid = readable_userid(body.get("userid"))
    if userid is None and body.get("userid") not in (None, ""):
        return _malformed("the userid is malformed")
    # What is shown to people and handed to programs must not be a secret of another kind.
    if access_token in sent or (userid is not None and repeats(userid, sent)):
        return _malformed("it repeats a secret that was sent")
    scopes = [scope for scope in usable_scopes(body.get("scope")) if not repeats(scope, sent)]
    return TokenReply(
        access_token=access_token,
        refresh_token=refresh_token,
        life_seconds=_life(body.get("expires_in")),
        scopes=tuple(scopes[:MOST_SCOPES]) or None,
        userid=userid,
    )


def _token(value: object) -> str | None:
    """Returns a token without the white space around it; None if it is not one."""
    text = value.strip() if isinstance(value, str) else ""
    return text if is_opaque_token(text) else None


def _life(value: object) -> int:
    """Returns the life of an access token in whole seconds; the documented one if the value is not believable."""
    if isinstance(value, float) and math.isfinite(value):
        value = math.floor(value)
    seconds = _seconds(value, at_most=LONGEST_LIFE_SECONDS)
    return DEFAULT_LIFE_SECONDS if seconds is None else seconds


def _seconds(value: object, *, at_most: int) -> int | None:
    """Reads a whole number of seconds, given as a number or as text; None if it is not one, or out of bounds."""
    seconds = whole_number(value)
    return seconds if seconds is not None and 0 <= seconds <= at_most else None


def _words(text: object) -> str:
    return printable(text.strip()) if isinstance(text, str) else ""


def _unavailable(what: str, answer: Answer) -> Failure:
    return Failure(kind=FailureKind.UNAVAILABLE, words=what, retry_after=answer.retry_after)


def _too_many(words: str, answer: Answer, *, status: int | None = None, wait_seconds: object = None) -> Failure:
    seconds = _seconds(wait_seconds, at_most=LONGEST_RETRY_AFTER_SECONDS)
    number = whole_number(wait_seconds)
    if seconds is None and number is not None:  # not believed, but a person may know better
        words = "; ".join(filter(None, (words, f"wait_seconds {printable(str(number), limit=20)}")))
    return Failure(
        kind=FailureKind.TOO_MANY_REQUESTS,
        words=words,
        status=status,
        retry_after=answer.retry_after if seconds is None else float(seconds),
    )


def _malformed(what: str) -> Failure:
    return Failure(kind=FailureKind.MALFORMED, words=what)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Returns the Retry-After header in seconds; None if there is none or it is a date."""
    text = headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
