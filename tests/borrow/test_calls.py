"""A call on its way: where it goes, where its token is put, and what its answer says about it."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from withings_auth.borrow.calls import Call, is_form, passed_on, read_status, refuses_token, target_url
from withings_auth.borrow.placeholders import ACCESS_TOKEN
from withings_auth.model import Token

API, OLD, US = "https://wbsapi.withings.net", "https://scalews.withings.com", "https://wbsapi.us.withingsmed.net"
SANDBOX = "http://127.0.0.1:9000/base"
SECRET = "a+real/token"


def call(**changes: Any) -> Call:
    return Call(**{"method": "POST", "url": f"{API}/measure", "headers": ()} | changes)


def token(api_origin: str = API) -> Token:
    return Token(access_token=SECRET, expires_at=0, scopes=(), userid="1", client_id="an-app", api_origin=api_origin)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            call(headers=(("Authorization", f"Bearer {ACCESS_TOKEN}"),)),
            call(headers=(("Authorization", f"Bearer {SECRET}"),)),
        ),
        (
            call(url=f"{API}/measure?access_token={ACCESS_TOKEN}&action=getmeas"),
            call(url=f"{API}/measure?access_token=a%2Breal%2Ftoken&action=getmeas"),
        ),
        (
            call(form=f"action=getmeas&access_token={ACCESS_TOKEN}".encode()),
            call(form=b"action=getmeas&access_token=a%2Breal%2Ftoken"),
        ),
    ],
    ids=["header", "query", "form"],
)
def test_the_token_goes_where_the_placeholder_was(before: Call, after: Call) -> None:
    assert before.wants_token
    assert before.with_token(token()) == after


def test_a_call_without_a_placeholder_wants_no_token() -> None:
    assert not call(headers=(("Authorization", "Bearer own"),), form=b"action=getmeas").wants_token


@pytest.mark.parametrize(
    ("url", "api_origin", "gets_it"),
    [
        (f"{API}/measure", API, True),
        (f"{OLD}/measure", API, True),
        (f"{API}/measure", US, False),
        (f"{OLD}/measure", US, False),
        ("https://account.withings.com/x", API, False),
        ("http://wbsapi.withings.net/measure", API, False),
        ("https://wbsapi.withings.net.example.com/measure", API, False),
    ],
)
def test_a_token_goes_to_its_own_service_only(url: str, api_origin: str, *, gets_it: bool) -> None:
    placed = call(url=url, headers=(("Authorization", f"Bearer {ACCESS_TOKEN}"),)).with_token(token(api_origin))
    assert (SECRET in str(placed.headers)) == gets_it


def test_secrets_are_in_no_repr() -> None:
    real = call(
        url=f"{API}/measure?access_token={ACCESS_TOKEN}",
        headers=(("Authorization", f"Bearer {ACCESS_TOKEN}"),),
        form=ACCESS_TOKEN.encode(),
    ).with_token(token())
    assert "real" not in repr(real)


@pytest.mark.parametrize(
    ("host", "api_url", "url"),
    [
        ("wbsapi.withings.net", API, f"{API}/measure?a=b"),
        ("wbsapi.withings.net", US, f"{US}/measure?a=b"),
        ("scalews.withings.com", API, f"{OLD}/measure?a=b"),
        ("account.withings.com", API, "https://account.withings.com/measure?a=b"),
        ("wbsapi.withings.net", SANDBOX, f"{SANDBOX}/measure?a=b"),
        ("scalews.withings.com", SANDBOX, f"{SANDBOX}/measure?a=b"),
        ("account.withings.com", SANDBOX, f"{SANDBOX}/measure?a=b"),
    ],
)
def test_a_call_goes_to_the_service_of_the_login(host: str, api_url: str, url: str) -> None:
    assert target_url(host, "/measure?a=b", api_url) == url


def test_headers_of_one_connection_stay_behind() -> None:
    headers = [
        ("Host", "wbsapi.withings.net"), ("Connection", "keep-alive, X-Mine"), ("X-Mine", "1"), ("TE", "trailers"),
        ("Transfer-Encoding", "chunked"), ("Proxy-Authorization", "Basic x"), ("Expect", "100-continue"),
        ("X-Kept", "1"), ("Cookie", "a=b"), ("Cookie", "c=d"),
    ]  # fmt: skip
    assert passed_on(headers) == (("X-Kept", "1"), ("Cookie", "a=b"), ("Cookie", "c=d"))


@pytest.mark.parametrize(
    ("accepted", "passed"),
    [("gzip, deflate, br, zstd", (("Accept-Encoding", "gzip"),)), ("br", ()), ("identity", ())],
)
def test_only_encodings_that_can_be_read_are_asked_for(accepted: str, passed: object) -> None:
    assert passed_on([("Accept-Encoding", accepted)]) == passed


@pytest.mark.parametrize(
    ("media_type", "it_is"),
    [
        ("application/x-www-form-urlencoded", True),
        ("Application/X-WWW-Form-URLencoded; charset=utf-8", True),
        ("multipart/form-data; boundary=x", False),
        ("application/json", False),
    ],
)
def test_a_form_is_known_by_its_media_type(media_type: str, *, it_is: bool) -> None:
    assert is_form({"Content-Type": media_type}) == it_is


REFUSAL = json.dumps({"status": 401, "body": {}, "error": "invalid_token"}).encode()
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {"": bytes, "gzip": gzip.compress, "deflate": zlib.compress}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_status_is_read_as_soon_as_it_is_there(encoding: str) -> None:
    body = ENCODINGS[encoding](REFUSAL)
    assert read_status(body, {"Content-Encoding": encoding}, whole=False) == 401
    assert read_status(b"", {"Content-Encoding": encoding}, whole=False) is None


@pytest.mark.parametrize(
    ("beginning", "whole", "status"),
    [
        (b'{"sta', False, None),
        (b' {\n "status" : 0, "body": {"measuregrps": [', False, 0),
        (b'{"body": {}, "status": 401', False, None),
        (b'{"body": {}, "status": 401}', True, 401),
        (b"<html>", False, 0),
        (b"[1, 2", False, 0),
        (b"", True, 0),
        (b"[]", True, 0),
        (b'{"status": "401"}', True, 0),
        (b'{"status": 401', True, 0),
        (b'{"body": ' + b"[" * 70_000, True, 0),
        (b'{"body": "' + b"x" * 70_000, False, 0),
    ],
)
def test_what_is_no_envelope_is_passed_on_early(beginning: bytes, *, whole: bool, status: int | None) -> None:
    assert read_status(beginning, {}, whole=whole) == status


def test_a_damaged_encoding_is_the_programs_affair() -> None:
    assert read_status(b"no gzip", {"Content-Encoding": "gzip"}, whole=True) == 0


def test_a_refusal_is_in_the_envelope_or_in_the_status_of_http() -> None:
    assert refuses_token(200, 401)
    assert refuses_token(401, 0)
    assert not refuses_token(200, 601)
