"""Tables of which request means what, and the order of the checks."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.logins import new_request
from withings_auth.authorization.callback import (
    Expectation,
    Granted,
    HttpRequest,
    Ignored,
    Reason,
    Refused,
    StartVisited,
    Verdict,
    expected_by,
    judge,
)

STATE = "s" * 43
CODE = "c0de" * 10
TRUE = f"/callback?code={CODE}&state={STATE}"
EXPECTED = Expectation(
    hosts=frozenset({"localhost:8000", "127.0.0.1:8000", "[::1]:8000"}),
    path="/callback",
    start_path="/start/ticket",
    state=STATE,
    issuer="https://account.withings.com",
)


def verdict(target: str = TRUE, *, method: str = "GET", host: str | None = "localhost:8000", **headers: str) -> Verdict:
    named = [("Host", host)] if host is not None else []
    others = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return judge(EXPECTED, HttpRequest(method=method, target=target, headers=(*named, *others)))


def test_what_a_login_expects() -> None:
    """Its own addresses and state, and Withings as the issuer."""
    request = new_request()
    assert expected_by(request) == Expectation(
        hosts=EXPECTED.hosts,
        path="/",
        start_path=request.start_path,
        state=request.state,
        issuer="https://account.withings.com",
    )


def test_the_true_callback_is_granted() -> None:
    """A code with the true state ends the wait, in either order."""
    assert verdict() == Granted(CODE)
    assert verdict(f"/callback?state={STATE}&code={CODE}&scope=user.info") == Granted(CODE)
    assert verdict(f"{TRUE}{'&x=1' * 48}") == Granted(CODE)
    assert verdict(f"/callback?state={STATE}&code={CODE}&iss=https%3A%2F%2Faccount.withings.com") == Granted(CODE)


@pytest.mark.parametrize("host", ["localhost:8000", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000"])
def test_our_own_names_are_accepted(host: str) -> None:
    """Statement 7: the registered host and the loopback literals are ours, with the port."""
    assert verdict(host=host) == Granted(CODE)


@pytest.mark.parametrize(
    "host",
    [None, "", "localhost", "localhost:8001", "evil.example:8000", "localhost.evil.example:8000", "localhost:8000@"],
)
def test_a_foreign_host_is_ignored(host: str | None) -> None:
    """Statement 7: a Host header that is absent, foreign or of another port consumes nothing (DNS rebinding)."""
    assert verdict(host=host) == Ignored(Reason.FOREIGN_HOST)


def test_a_repeated_host_and_an_absolute_target_are_ignored() -> None:
    """Statement 7: two Host headers, or a target that names a host of its own, consume nothing."""
    twice = HttpRequest(method="GET", target=TRUE, headers=(("Host", "localhost:8000"), ("host", "localhost:8000")))
    assert judge(EXPECTED, twice) == Ignored(Reason.FOREIGN_HOST)
    assert verdict(f"http://localhost:8000{TRUE}") == Ignored(Reason.FOREIGN_HOST)
    assert verdict("*") == Ignored(Reason.FOREIGN_HOST)


@pytest.mark.parametrize(
    "path",
    ["/", "/callback/", "//callback", "/Callback", "/%63allback", "/x/../callback", "/callback;x", "/callback%3F"],
)
def test_only_the_exact_raw_path_counts(path: str) -> None:
    """Statement 8: the path is compared as it came over the wire, undecoded."""
    assert verdict(f"{path}?code={CODE}&state={STATE}") == Ignored(Reason.OTHER_PATH)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "PUT", "get", "CONNECT", ""])
def test_only_get_counts(method: str) -> None:
    """Statement 8: another method consumes nothing, on the callback and on the short address."""
    assert verdict(method=method) == Ignored(Reason.WRONG_METHOD)
    assert verdict("/start/ticket", method=method) == Ignored(Reason.WRONG_METHOD)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Sec_Purpose", "prefetch"),
        ("Sec_Purpose", "prefetch;prerender"),
        ("Sec_Purpose", "Prerender"),
        ("Purpose", "prefetch"),
        ("X_Moz", "Prefetch"),
    ],
)
def test_a_prefetch_consumes_nothing(header: str, value: str) -> None:
    """Statement 9: what a browser prefetches is not a visit of the user."""
    assert verdict(**{header: value}) == Ignored(Reason.PREFETCH)
    assert verdict("/start/ticket", **{header: value}) == Ignored(Reason.PREFETCH)


def test_another_purpose_is_a_visit() -> None:
    assert verdict(Purpose="navigation") == Granted(CODE)


def test_a_look_for_a_newer_service_worker_consumes_nothing() -> None:
    """Statement 9: a page that had this address before is no visit of the user, whatever path it asks for."""
    for target in (TRUE, "/start/ticket", "/worker.js"):
        assert verdict(target, Service_Worker="script") == Ignored(Reason.SERVICE_WORKER)
    assert verdict(Service_Worker="other") == Granted(CODE)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", Reason.NO_STATE),
        (f"code={CODE}", Reason.NO_STATE),
        ("error=access_denied", Reason.NO_STATE),
        (f"code={CODE}&state=", Reason.FOREIGN_STATE),
        (f"code={CODE}&state={STATE}x", Reason.FOREIGN_STATE),
        (f"code={CODE}&state={STATE[:-1]}", Reason.FOREIGN_STATE),
        ("error=access_denied&state=other", Reason.FOREIGN_STATE),
        (f"code={CODE}&state=%FF%FE", Reason.FOREIGN_STATE),
        (f"code={CODE}&state=a&state=b", Reason.FOREIGN_STATE),
        (f"code={CODE}&state={STATE}\ud800", Reason.FOREIGN_STATE),
    ],
)
def test_nothing_without_the_true_state_is_believed(query: str, reason: Reason) -> None:
    """Statement 11: a foreign or missing state never ends the login, whatever comes with it."""
    assert verdict(f"/callback?{query}") == Ignored(reason)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (f"code={CODE}&state={STATE}&state=other", Reason.REPEATED),
        (f"code={CODE}&code=another&state={STATE}", Reason.REPEATED),
        (f"error=a&error=b&state={STATE}", Reason.REPEATED),
        (f"code=&state={STATE}", Reason.INCOMPLETE),
        (f"error=&state={STATE}", Reason.INCOMPLETE),
        (f"state={STATE}", Reason.INCOMPLETE),
        (f"code={CODE}&error=access_denied&state={STATE}", Reason.CONTRADICTORY),
        (f"code=&error=access_denied&state={STATE}", Reason.CONTRADICTORY),
        (f"code=a%0Ab&state={STATE}", Reason.NOT_A_CODE),
        (f"code={'a' * 3000}&state={STATE}", Reason.NOT_A_CODE),
        (f"code={CODE}&state={STATE}{'&x=1' * 49}", Reason.MALFORMED),
    ],
)
def test_a_contradiction_is_ignored_even_with_the_true_state(query: str, reason: Reason) -> None:
    """Statement 12: repeated parameters, empty values, or a code together with an error: keep waiting."""
    assert verdict(f"/callback?{query}") == Ignored(reason)


def test_a_foreign_issuer_is_ignored() -> None:
    """Statement 14: if there is an `iss`, it must be the issuer's; it may be missing."""
    assert verdict(f"{TRUE}&iss=https://evil.example") == Ignored(Reason.FOREIGN_ISSUER)
    assert verdict(TRUE) == Granted(CODE)


def test_a_refusal_with_the_true_state_is_a_refusal() -> None:
    """Withings' error code is passed on, made harmless."""
    assert verdict(f"/callback?error=access_denied&state={STATE}") == Refused("access_denied")
    assert verdict(f"/callback?error=%1b%5b2Jgone&state={STATE}") == Refused("\\x1b[2Jgone")
    assert verdict(f"/callback?error=bad+{STATE}&state={STATE}") == Refused("bad ***")
    assert verdict(f"/callback?error={'e' * 80}&state={STATE}") == Refused("e" * 80)
    assert verdict(f"/callback?error={'e' * 81}&state={STATE}") == Refused("e" * 79 + "…")


def test_the_short_address_leads_to_withings() -> None:
    """Statement 20: the one-time address is recognised by its ticket; another ticket is another path."""
    assert verdict("/start/ticket") == StartVisited()
    assert verdict("/start/ticket?x=1") == StartVisited()
    assert verdict("/start/other") == Ignored(Reason.OTHER_PATH)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"host": "evil:1", "target": "/other", "method": "POST"}, Reason.FOREIGN_HOST),
        ({"target": "/other", "method": "POST"}, Reason.OTHER_PATH),
        ({"target": "/callback", "method": "POST", "Purpose": "prefetch"}, Reason.WRONG_METHOD),
        ({"target": "/callback?state=other&state=more", "Purpose": "prefetch"}, Reason.PREFETCH),
        ({"target": "/callback?state=other&state=more&code=&error="}, Reason.FOREIGN_STATE),
        ({"target": f"/callback?state={STATE}&code=a&code=b&error=c"}, Reason.REPEATED),
    ],
)
def test_the_order_of_the_checks(request_: dict[str, str], reason: Reason) -> None:
    """Statement 10: Host, path, method, prefetch, state, repetition, then error or code; each hides the later ones."""
    target = request_.pop("target")
    assert verdict(target, **request_) == Ignored(reason)


_PARAMETERS = st.lists(
    st.tuples(st.sampled_from(["code", "state", "error", "iss", "Code", "STATE", "x", ""]), st.text(max_size=60)),
    max_size=6,
)


@given(parameters=_PARAMETERS, noise=st.text(max_size=30))
def test_no_request_without_the_true_state_changes_the_course(parameters: list[tuple[str, str]], noise: str) -> None:
    """Statement 10: whatever a web page can send is ignored without the state, and nothing raises."""
    query = f"{urlencode(parameters, errors='replace')}&{quote(noise, errors='replace')}"
    assert isinstance(verdict(f"/callback?{query}"), Ignored)


@given(
    method=st.text(max_size=8),
    target=st.one_of(st.text(max_size=80), st.text(max_size=60).map(lambda rest: f"/callback?state={STATE}&{rest}")),
    headers=st.lists(st.tuples(st.sampled_from(["Host", "Purpose", "x"]), st.text(max_size=20)), max_size=4),
)
def test_no_input_raises(method: str, target: str, headers: list[tuple[str, str]]) -> None:
    """Statement 10: every input has a verdict, even the true state followed by any rubbish."""
    judge(EXPECTED, HttpRequest(method=method, target=target, headers=(("Host", "localhost:8000"), *headers)))


def test_the_verdict_keeps_the_code_out_of_its_repr() -> None:
    """Statement 23: neither the request nor the verdict shows its secret when it is printed."""
    request = HttpRequest(method="GET", target=TRUE, headers=(("Cookie", CODE),))
    assert CODE not in repr(request)
    assert CODE not in repr(verdict())
    assert STATE not in repr(EXPECTED)
    assert "ticket" not in repr(EXPECTED)
