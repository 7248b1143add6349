"""Which request may end a login: a pure judgement over the raw parts of one HTTP request.

Every page of the web, and every program on the machine, can send requests to the listener. What proves that a
request comes from this login is `state` alone (Withings knows no PKCE), so nothing is believed before it was
compared, and nothing without it changes anything. The order of the checks is part of the promise: Host, path,
method, prefetch, state, repetition, error or code.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import parse_qsl

from withings_auth.validation import is_opaque_token, printable


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request as it came over the wire: nothing decoded, nothing normalised."""

    method: str
    target: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)

    def values(self, name: str) -> list[str]:
        """Returns every value of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the one true callback looks like.

    `hosts` are the accepted values of the Host header in lower case, `path` is the raw path of the redirect URI,
    `start_path` the short address that the browser was given, `issuer` what RFC 9207's `iss` would have to be.
    """

    hosts: frozenset[str]
    path: str
    start_path: str = field(repr=False)
    state: str = field(repr=False)
    issuer: str


class Reason(Enum):
    """Why a request was ignored, in the words of the terminal."""

    FOREIGN_HOST = "for another host name"
    OTHER_PATH = "for another path"
    WRONG_METHOD = "not GET"
    PREFETCH = "a browser's prefetch"
    NO_STATE = "without state"
    FOREIGN_STATE = "with the state of another login"
    REPEATED = "with a repeated parameter"
    INCOMPLETE = "with neither a code nor an error, or an empty one"
    CONTRADICTORY = "with a code and an error at once"
    FOREIGN_ISSUER = "from another issuer"
    NOT_A_CODE = "with something that is no code"
    OTHER_CODE = "with another code than the first"
    START_USED = "for the start address, a second time"
    TLS = "in https, which this address does not speak"
    MALFORMED = "not readable as HTTP"


@dataclass(frozen=True, slots=True)
class Ignored:
    """Not the callback: the login goes on as if it had not come."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class StartVisited:
    """The browser that we opened is here, to be sent on to Withings."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The person, or Withings, said no; `words` is the error code, made harmless."""

    words: str


@dataclass(frozen=True, slots=True)
class Granted:
    """The person said yes."""

    code: str = field(repr=False)


Verdict = Ignored | StartVisited | Refused | Granted


def judge(expected: Expectation, request: HttpRequest) -> Verdict:
    """Returns what a request means for the login. Raises nothing, whatever came."""
    hosts = request.values("host")
    if len(hosts) != 1 or hosts[0].lower() not in expected.hosts or not request.target.startswith("/"):
        return Ignored(Reason.FOREIGN_HOST)
    path, _, query = request.target.partition("?")
    is_start = _same(path, expected.start_path)
    if path != expected.path and not is_start:
        return Ignored(Reason.OTHER_PATH)
    if request.method != "GET":
        return Ignored(Reason.WRONG_METHOD)
    if _is_ahead_of_its_time(request):
        return Ignored(Reason.PREFETCH)
    return StartVisited() if is_start else judge_query(expected, query)


def judge_query(expected: Expectation, query: str) -> Ignored | Refused | Granted:
    """Returns what the query of a callback, or a pasted one, means for the login."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=50, errors="replace")
    except ValueError:
        return Ignored(Reason.MALFORMED)
    states, codes, errors, issuers = (_of(pairs, name) for name in ("state", "code", "error", "iss"))
    if not states:
        return Ignored(Reason.NO_STATE)
    # Each one is compared, so that the time taken says nothing about which of them was right.
    if not any([_same(state, expected.state) for state in states]):  # noqa: C419  a generator would stop early
        return Ignored(Reason.FOREIGN_STATE)
    if any(len(values) > 1 for values in (states, codes, errors, issuers)):
        return Ignored(Reason.REPEATED)
    if issuers and issuers[0] != expected.issuer:
        return Ignored(Reason.FOREIGN_ISSUER)
    return _judge_answer(codes, errors)


def _judge_answer(codes: list[str], errors: list[str]) -> Ignored | Refused | Granted:
    match codes, errors:
        case [], [error] if error:
            return Refused(printable(error, limit=80))
        case [code], []:
            if not code:
                return Ignored(Reason.INCOMPLETE)
            return Granted(code) if is_opaque_token(code) else Ignored(Reason.NOT_A_CODE)
        case [_], [_]:
            return Ignored(Reason.CONTRADICTORY)
    return Ignored(Reason.INCOMPLETE)


def _of(pairs: Iterable[tuple[str, str]], wanted: str) -> list[str]:
    return [value for name, value in pairs if name == wanted]


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


def _is_ahead_of_its_time(request: HttpRequest) -> bool:
    purposes = [*request.values("sec-purpose"), *request.values("purpose"), *request.values("x-moz")]
    return any("prefetch" in purpose.lower() or "prerender" in purpose.lower() for purpose in purposes)
