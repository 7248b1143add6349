"""What a program hears from the token service: placeholders, or a refusal in Withings' words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from withings_auth.borrow import token_service
from withings_auth.borrow.placeholders import ACCESS_TOKEN, REFRESH_TOKEN
from withings_auth.borrow.token_service import Request
from withings_auth.errors import LoginRequired, ProviderUnavailable
from withings_auth.model import Token
from withings_auth.validation import PLACEHOLDER_PREFIX, is_placeholder

RENEWAL = {"action": "requesttoken", "grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN}


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/v2/oauth2", "/v2/oauth2"),
        ("/v2/oauth2/", "/v2/oauth2"),
        ("//v2//oauth2", "/v2/oauth2"),
        ("/v2/%6Fauth2", "/v2/oauth2"),
        ("/measure/../v2/./OAuth2", "/v2/oauth2"),
        ("/v2/signature", "/v2/signature"),
        ("/oauth2/token", "/oauth2/token"),
        ("/v2/oauth2x", None),
        ("/v2/user", None),
        ("/measure", None),
        ("/", None),
    ],
)
def test_a_service_is_found_however_its_path_is_spelled(path: str, service: str | None) -> None:
    assert token_service.find_service(path) == service


@pytest.mark.parametrize(
    ("parameters", "request_"),
    [
        (RENEWAL, Request.RENEWAL),
        (RENEWAL | {"signature": "1", "nonce": "2"}, Request.RENEWAL),
        ({"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN}, Request.RENEWAL),  # the old service
        (RENEWAL | {"refresh_token": "0123456789abcdef"}, Request.OWN_RENEWAL),
        ({"action": "requesttoken", "grant_type": "refresh_token"}, Request.OWN_RENEWAL),
        ({"action": "requesttoken", "grant_type": "authorization_code", "code": "0123"}, Request.CODE),
        ({"action": "getnonce", "client_id": "x", "timestamp": "1", "signature": "2"}, Request.NONCE),
        (RENEWAL | {"action": "revoke", "userid": "1"}, Request.OTHER),
        ({"action": "getdemoaccess"}, Request.OTHER),
        ({}, Request.OTHER),
        ({"action": "requesttoken", "grant_type": "password"}, Request.OTHER),
    ],
)
def test_what_is_asked_for_is_read_from_the_parameters(parameters: dict[str, str], request_: Request) -> None:
    assert token_service.read_request(parameters) is request_


def token(**changes: Any) -> Token:
    values: dict[str, Any] = {"access_token": "real", "expires_at": 10_000, "scopes": ("user.info", "user.metrics")}
    values |= {"userid": "38", "client_id": "an-app", "api_origin": "https://wbsapi.withings.net", **changes}
    return Token(**values)


def test_a_renewal_gets_placeholders_and_the_true_life() -> None:
    answer = token_service.tokens_answer(token(), now=2_000.5)
    assert answer == {
        "status": 0,
        "body": {
            "userid": 38,
            "access_token": ACCESS_TOKEN,
            "refresh_token": REFRESH_TOKEN,
            "scope": "user.info,user.metrics",
            "expires_in": 7_999,
            "token_type": "Bearer",
        },
    }
    assert "real" not in json.dumps(answer)


def test_a_life_is_never_negative_and_a_userid_may_be_no_number() -> None:
    answer = token_service.tokens_answer(token(userid="mum"), now=20_000)
    assert (answer["body"]["expires_in"], answer["body"]["userid"]) == (0, "mum")


@pytest.mark.parametrize(
    ("request_", "status"), [(Request.CODE, 503), (Request.OTHER, 2554), (Request.OWN_RENEWAL, 601)]
)
def test_what_would_change_the_login_is_refused_and_said(request_: Request, status: int) -> None:
    """A renewal of the program's own login is not refused for good: it must not throw its tokens away."""
    answer = token_service.refusal_answer(request_)
    assert (answer["status"], answer["body"]) == (status, {})
    assert token_service.refusal_error(request_).hint


def test_an_error_is_put_in_withings_words() -> None:
    gone, away = LoginRequired("ended"), ProviderUnavailable("no answer")
    said = [
        token_service.error_answer(error, for_tokens=tokens)["status"]
        for error, tokens in [(gone, True), (gone, False), (away, True), (away, False)]
    ]
    assert said == [503, 401, 522, 522]


def test_the_old_service_has_no_envelope() -> None:
    good = token_service.tokens_answer(token(), now=0)
    bad = token_service.refusal_answer(Request.CODE)
    assert json.loads(token_service.write_answer(good, "/oauth2/token")) == good["body"]
    assert json.loads(token_service.write_answer(bad, "/oauth2/token")) == {
        "errors": [{"message": "Invalid Params: invalid code"}]
    }
    assert json.loads(token_service.write_answer(bad, "/v2/oauth2")) == bad


def test_a_nonce_is_another_one_each_time() -> None:
    first, second = (token_service.nonce_answer()["body"]["nonce"] for _ in range(2))
    assert first != second


def test_a_placeholder_is_recognised_by_its_beginning() -> None:
    assert is_placeholder(f"{PLACEHOLDER_PREFIX}-of-a-later-version")
    assert not any(is_placeholder(value) for value in ("0123456789abcdef", "", None, 5))
