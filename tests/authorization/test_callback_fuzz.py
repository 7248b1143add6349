"""Whatever a web page or a program sends: only the one true callback counts, read as `urllib` would read it."""

from __future__ import annotations

import dataclasses
import re
from urllib.parse import unquote_plus

from hypothesis import given
from hypothesis import strategies as st

from tests.authorization import test_callback
from tests.support.fuzzing import tries
from withings_auth.authorization.callback import (
    Granted,
    HttpRequest,
    Refused,
    judge,
)

STATE = "5tate-of_this_login" + "x" * 24
CODE = "c0dec0de" * 5
EXPECTED = dataclasses.replace(test_callback.EXPECTED, state=STATE)


def _escape(text: str, which: list[bool]) -> str:
    """Escapes some of the characters."""
    return "".join(
        "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass")) if escaped else char
        for char, escaped in zip(text, [*which, *[False] * len(text)], strict=False)
    )


NAMES = st.sampled_from(["code", "state", "error", "iss", "Code", "STATE", "scope", "x", "", "co", "code\0", "code "])
VALUES = st.sampled_from(
    [
        STATE,
        STATE,
        STATE,
        CODE,
        CODE,
        "access_denied",
        EXPECTED.issuer,
        STATE[:-1],
        STATE.upper(),
        f"{STATE} ",
        "",
        "\0",
    ]
) | st.text(max_size=12)
PAIRS = st.tuples(
    NAMES, VALUES, st.lists(st.booleans(), max_size=12), st.sampled_from(["=", "=", "=", "", "==", "%3D"])
)


def _query(pairs: list[tuple[str, str, list[bool], str]], joint: str) -> str:
    return joint.join(f"{_escape(name, which)}{sign}{_escape(value, which)}" for name, value, which, sign in pairs)


ANSWERS = st.permutations([f"code={CODE}", f"state={STATE}"])
QUERIES = st.one_of(
    st.builds(_query, st.lists(PAIRS, max_size=5), st.sampled_from(["&", "&", "&", "&&", ";", "&amp;"])),
    st.builds(
        lambda pairs, answer, joint: joint.join([*answer, *([_query(pairs, "&")] if pairs else [])]),
        st.lists(PAIRS, max_size=2),
        ANSWERS,
        st.sampled_from(["&", "&", "&", "#", ";"]),
    ),
)
PATHS = st.sampled_from(
    [
        *["/callback"] * 6,
        "/start/ticket",
        "/",
        "",
        "/callback/",
        "//callback",
        "/%63allback",
        "http://localhost:8000/callback",
    ]
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["Host", "host", "Purpose", "Sec-Purpose", "X-Moz", "Service-Worker", "Referer"]),
        st.sampled_from(["localhost:8000", "evil", "prefetch", "PreRender", "script", "", "\xff"]),
    ),
    max_size=3,
)  # fmt: skip


def _request(method: str, path: str, query: str, host: str | None, headers: list[tuple[str, str]]) -> HttpRequest:
    own = [] if host is None else [("Host", host)]
    return HttpRequest(method=method, target=f"{path}?{query}", headers=(*own, *headers))


REQUESTS = st.one_of(
    st.builds(_request, st.just("GET"), st.just("/callback"), QUERIES, st.just("localhost:8000"), st.just([])),
    st.builds(
        _request,
        st.sampled_from(["GET"] * 6 + ["POST", "get", "HEAD", ""]),
        PATHS,
        st.one_of(ANSWERS.map("&".join), QUERIES),
        st.sampled_from(["localhost:8000"] * 6 + ["[::1]:8000", "LOCALHOST:8000", "localhost", "evil", None]),
        st.one_of(st.just([]), HEADERS),
    ),
)


def oracle(request: HttpRequest) -> str | None:
    """The code, if this is the true callback, read step by step; None for anything else."""
    hosts = [value.lower() for name, value in request.headers if name.lower() == "host"]
    others = " ".join(
        value.lower() for name, value in request.headers if name.lower() in {"purpose", "sec-purpose", "x-moz"}
    )
    path, _, query = request.target.partition("?")
    if len(hosts) != 1 or hosts[0] not in EXPECTED.hosts or path != EXPECTED.path or request.method != "GET":
        return None
    if (
        "prefetch" in others
        or "prerender" in others
        or ("service-worker", "script") in [(name.lower(), value) for name, value in request.headers]
    ):
        return None
    values: dict[str, list[str]] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        values.setdefault(unquote_plus(name), []).append(unquote_plus(value))
    sound = (
        values.get("state") == [STATE]
        and len(values.get("code", [])) == 1
        and "error" not in values
        and values.get("iss", [EXPECTED.issuer]) == [EXPECTED.issuer]
    )
    return values["code"][0] if sound and re.fullmatch(r"[\w.~+/-]+=*", values["code"][0], re.ASCII) else None


@tries(100)
@given(REQUESTS)
def test_only_the_true_callback_is_granted_and_its_code_is_the_one_that_was_sent(request_: HttpRequest) -> None:
    """Statements 7 to 12: every request has a verdict, and it is that of a reader that knows only this one case."""
    verdict = judge(EXPECTED, request_)
    meant = oracle(request_)
    assert (verdict.code if isinstance(verdict, Granted) else None) == meant
    assert STATE not in repr(verdict)
    assert CODE not in repr(verdict)
    if isinstance(verdict, Refused):
        assert verdict.error.isprintable()
        assert 0 < len(verdict.error) <= 81
        assert "error" in unquote_plus(request_.target)
