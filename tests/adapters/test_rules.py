"""The rules that all adapters share, case by case."""

from __future__ import annotations

import pytest

from withings_auth.adapters import rules
from withings_auth.model import Token

WITHINGS = "https://wbsapi.withings.net"


def token(api_origin: str = WITHINGS) -> Token:
    return Token(
        access_token="an-access-token",
        expires_at=0,
        scopes=("user.info",),
        userid="38210457",
        client_id="an-app",
        api_origin=api_origin,
    )


@pytest.mark.parametrize(
    ("api_origin", "scheme", "host", "port", "same"),
    [
        (WITHINGS, "https", "wbsapi.withings.net", None, True),
        (WITHINGS, "https", "wbsapi.withings.net", 443, True),
        (WITHINGS, "HTTPS", "WBSAPI.Withings.net", 443, True),
        (f"{WITHINGS}:443", "https", "wbsapi.withings.net", None, True),
        ("https://WBSapi.withings.net", "https", "wbsapi.withings.net", None, True),
        ("http://localhost", "http", "localhost", 80, True),
        ("http://[::1]:8080", "http", "::1", 8080, True),
        (WITHINGS, "http", "wbsapi.withings.net", None, False),
        (WITHINGS, "http", "wbsapi.withings.net", 443, False),
        (WITHINGS, "https", "wbsapi.withings.net", 8443, False),
        (WITHINGS, "https", "wbsapi.withings.net", 80, False),
        (WITHINGS, "https", "account.withings.com", None, False),
        (WITHINGS, "https", "wbsapi.withings.net.example", None, False),
        (WITHINGS, "https", "evil.wbsapi.withings.net", None, False),
        (WITHINGS, "https", "wbsapi.withings.net.", None, False),
        (WITHINGS, "https", None, None, False),
        (WITHINGS, "https", "wbsapi.withings.net", 0, False),
        (WITHINGS, "", "wbsapi.withings.net", None, False),
        (WITHINGS, "ftp", "wbsapi.withings.net", 443, False),
        ("http://127.0.0.1:8080", "http", "localhost", 8080, False),
        ("http://[::1]:8080", "http", "localhost", 8080, False),
        ("", "", None, None, False),
    ],
)
def test_the_token_goes_to_its_origin_only(
    api_origin: str, scheme: str, host: str | None, port: int | None, same: bool
) -> None:
    """Statement 26: scheme, host and port decide."""
    headers: dict[str, str] = {}
    assert rules.place(token(api_origin), headers, scheme=scheme, host=host, port=port) is same
    assert headers == ({"Authorization": "Bearer an-access-token"} if same else {})


@pytest.mark.parametrize(
    ("before", "after"),
    [("Bearer an-access-token", None), ("Bearer another", "Bearer another"), ("Basic eA==", "Basic eA==")],
)
def test_only_our_own_is_taken_out_elsewhere(before: str, after: str | None) -> None:
    headers = {"Authorization": before, "X-One": "1"}
    assert not rules.place(token(), headers, scheme="https", host="example.com", port=None)
    assert headers == {"X-One": "1", **({"Authorization": after} if after else {})}


@pytest.mark.parametrize(
    ("http_status", "headers", "needed"),
    [
        (200, {"Content-Type": "application/json"}, True),
        (200, {"Content-Type": "Application/JSON; charset=utf-8", "Content-Length": "65536"}, True),
        (200, {"Content-Type": "application/problem+json"}, True),
        (200, {"Content-Type": "application/json", "Content-Length": "65537"}, False),
        (200, {"Content-Type": "application/json", "Content-Length": "x"}, True),
        (200, {"Content-Type": "application/jsonp"}, False),
        (200, {"Content-Type": "text/html"}, False),
        (200, {}, False),
        (401, {"Content-Type": "application/json"}, False),
        (500, {"Content-Type": "application/json"}, False),
    ],
)
def test_only_small_json_is_looked_into(http_status: int, headers: dict[str, str], needed: bool) -> None:
    assert rules.needs_reading(http_status, headers) is needed


JSON = {"Content-Type": "application/json"}
RENEWED = rules.Retry(renews=True, wait_seconds=0)


def after(seconds: float) -> rules.Retry:
    return rules.Retry(renews=False, wait_seconds=seconds)


@pytest.mark.parametrize(
    ("body", "retry"),
    [
        (b'{"status": 401}', RENEWED),
        (b'{"status": 401, "body": {}, "error": "invalid_token"}', RENEWED),
        (b'{"status": 601}', after(11)),
        (b'{"status": 601, "body": {}, "error": "Same arguments in less than 10 seconds"}', after(11)),
        (b'{"status": 601, "body": []}', after(11)),
        (b'{"status": 601, "body": {"wait_seconds": 0}}', after(0)),
        (b'{"status": 601, "body": {"wait_seconds": 12}}', after(12)),
        (b'{"status": 601, "body": {"wait_seconds": "9"}}', after(9)),
        (b'{"status": 601, "body": {"wait_seconds": -1}}', after(11)),
        (b'{"status": 601, "body": {"wait_seconds": "soon"}}', after(11)),
        (b'{"status": 601, "body": {"wait_seconds": 13}}', None),
        (b'{"status": 601.0}', None),
        (b'{"status": [601]}', None),
        (b'{"status": 0, "body": {"status": 401}}', None),
        (b'{"status": true}', None),
        (b'{"status": 401.0}', None),
        (b'{"status": 100}', None),
        (b'{"status": 200}', None),
        (b'{"status": 401, "body": "' + b"x" * 65_536 + b'"}', None),
        (b"401", None),
        (b"[" * 60_000, None),
        (b"\xff\xfe", None),
        (b"", None),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_which_answers_are_worth_another_try(body: bytes, retry: rules.Retry | None) -> None:
    """The same answer is not worth a third one."""
    attempts = rules.Attempts(longest_wait=12)
    assert [attempts.judge(200, JSON, body) for _ in range(2)] == [retry, None]


@pytest.mark.parametrize(("http_status", "retry"), [(401, RENEWED), (200, None), (429, None), (500, None)])
def test_what_is_not_read_is_judged_by_its_http_status(http_status: int, retry: rules.Retry | None) -> None:
    assert rules.Attempts(longest_wait=12).judge(http_status, {}, None) == retry


def test_a_header_may_name_the_time_too() -> None:
    """Withings documents none, but a proxy before it may know it."""
    headers = {**JSON, "Retry-After": "3"}
    assert rules.Attempts(longest_wait=12).judge(200, headers, b'{"status": 601}') == after(3)


def test_a_wait_and_a_renewal_do_not_count_for_each_other() -> None:
    attempts = rules.Attempts(longest_wait=60)
    bodies = [b'{"status": 601, "body": {"wait_seconds": 60}}', b'{"status": 401}', b'{"status": 601}']
    assert [attempts.judge(200, JSON, body) for body in bodies] == [after(60), RENEWED, None]


def test_no_wait_at_all() -> None:
    """Not even one of no seconds, which would still be another request."""
    attempts = rules.Attempts(longest_wait=0)
    assert attempts.judge(200, JSON, b'{"status": 601, "body": {"wait_seconds": 0}}') is None
    assert attempts.judge(200, JSON, b'{"status": 401}') == RENEWED
