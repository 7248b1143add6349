"""Which request may end a login: a pure function of the raw parts of one HTTP request.

Any web page, and any program on the machine, can send requests to the listener. Only `state` proves that a request
belongs to this login (Withings does not support PKCE), so nothing else is trusted before `state` was compared, and a
request without it changes nothing. The order of the checks is part of the promise: Host, path, method, prefetch, state,
repetition, error or code.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import parse_qsl

from withings_auth.authorization.options import LoginRequest
from withings_auth.authorization.visitors import Connection
from withings_auth.provider.masking import mask
from withings_auth.validation import is_opaque_token, origin, printable


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request as it came over the wire, neither decoded nor normalised; `connection` is what it came by."""

    method: str
    target: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    connection: Connection | None = None

    def values(self, name: str) -> list[str]:
        """Returns every value of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the one true callback looks like.

    `hosts` are the accepted values of the Host header in lower case, `path` is the raw path of the redirect URI,
    `start_path` that of the short address that the browser was given, `issuer` the only valid `iss` (RFC 9207).
    """

    hosts: frozenset[str]
    path: str
    start_path: str = field(repr=False)
    state: str = field(repr=False)
    issuer: str


def expected_by(request: LoginRequest) -> Expectation:
    """Returns what the true callback of this login looks like."""
    return Expectation(
        hosts=request.addresses.accepted_hosts,
        path=request.addresses.path,
        start_path=request.start_path,
        state=request.state,
        issuer=origin(request.endpoints.authorize_url),
    )


class Reason(Enum):
    """Why a request was ignored, as the terminal says it after “a request”."""

    FOREIGN_HOST = "for another host name"
    OTHER_PATH = "for another path"
    WRONG_METHOD = "with a method other than GET"
    PREFETCH = "from a browser's prefetch"
    NO_STATE = "without state"
    FOREIGN_STATE = "with the state of another login"
    REPEATED = "with a repeated parameter"
    INCOMPLETE = "without a code or an error"
    CONTRADICTORY = "with both a code and an error"
    FOREIGN_ISSUER = "from another issuer"
    NOT_A_CODE = "with a malformed code"
    OTHER_CODE = "with a different code than the first"
    START_USED = "for the start address, which was already used"
    ANOTHER_USER = "by another user of this computer"
    SERVICE_WORKER = "for a service worker, left in the browser by another program that used this address"
    TOO_LARGE = "with more than 1 MiB of headers"
    TLS = "in https, which this address does not support"
    MALFORMED = "that is not valid HTTP"


@dataclass(frozen=True, slots=True)
class Ignored:
    """Not the callback: the login goes on as if the request had not come."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class StartVisited:
    """The browser that we opened has come, to be sent on to Withings."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The user, or Withings, said no; `error` is the error code, made safe to print."""

    error: str


@dataclass(frozen=True, slots=True)
class Granted:
    """The user said yes."""

    code: str = field(repr=False)


Verdict = Ignored | StartVisited | Refused | Granted


def judge(expected: Expectation, request: HttpRequest) -> Verdict:
    """Returns what a request means for the login. Never raises."""
    hosts = request.values("host")
    if len(hosts) != 1 or hosts[0].lower() not in expected.hosts or not request.target.startswith("/"):
        return Ignored(Reason.FOREIGN_HOST)
    path, _, query = request.target.partition("?")
    is_start = _same(path, expected.start_path)
    if "script" in request.values("service-worker"):  # sent only by browsers, to look for a newer script
        return Ignored(Reason.SERVICE_WORKER)
    if path != expected.path and not is_start:
        return Ignored(Reason.OTHER_PATH)
    if request.method != "GET":
        return Ignored(Reason.WRONG_METHOD)
    if _is_prefetch(request):
        return Ignored(Reason.PREFETCH)
    return StartVisited() if is_start else judge_query(expected, query)


def judge_query(expected: Expectation, query: str) -> Ignored | Refused | Granted:
    """Returns what the query of a callback, or of a pasted address, means for the login."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return Ignored(Reason.MALFORMED)
    states, codes, errors, issuers = (_values(pairs, name) for name in ("state", "code", "error", "iss"))
    if not states:
        return Ignored(Reason.NO_STATE)
    # All are compared, so that the time taken does not tell which of them was right.
    if not any([_same(state, expected.state) for state in states]):  # noqa: C419  a generator would stop early
        return Ignored(Reason.FOREIGN_STATE)
    if any(len(values) > 1 for values in (states, codes, errors, issuers)):
        return Ignored(Reason.REPEATED)
    if issuers and issuers[0] != expected.issuer:
        return Ignored(Reason.FOREIGN_ISSUER)
    return _judge_answer(codes, errors, expected.state)


def _judge_answer(codes: list[str], errors: list[str], state: str) -> Ignored | Refused | Granted:
    match codes, errors:
        case [], [error] if error:
            return Refused(mask(printable(error, limit=80), [state]))
        case [code], [] if code:
            return Granted(code) if is_opaque_token(code) else Ignored(Reason.NOT_A_CODE)
        case [_], [_]:
            return Ignored(Reason.CONTRADICTORY)
    return Ignored(Reason.INCOMPLETE)


def _values(pairs: Iterable[tuple[str, str]], wanted: str) -> list[str]:
    return [value for name, value in pairs if name == wanted]


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


def _is_prefetch(request: HttpRequest) -> bool:
    purposes = [*request.values("sec-purpose"), *request.values("purpose"), *request.values("x-moz")]
    return any("prefetch" in purpose.lower() or "prerender" in purpose.lower() for purpose in purposes)
