"""What is sent to Withings, to the character, and what every answer amounts to, by tables."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.canaries import Canaries
from withings_auth.model import ALL_SCOPES, App, Endpoints, Grant
from withings_auth.provider.forms import authorize_url, code_form, refresh_form
from withings_auth.provider.replies import (
    Answer,
    Failure,
    TokenReply,
    read_token_reply,
    retry_after_seconds,
)
from withings_auth.provider.statuses import FailureKind

TOKENS: dict[str, object] = {
    "userid": "38210457",
    "access_token": "a" * 40,
    "refresh_token": "b" * 40,
    "expires_in": 10800,
    "scope": "user.info,user.metrics",
    "token_type": "Bearer",
    "csrf_token": "not for us",
}


def app(redirect_uri: str = "http://localhost:8000", scopes: tuple[str, ...] = ALL_SCOPES) -> App:
    return App(client_id="0123abcd", client_secret="the-secret", redirect_uri=redirect_uri, scopes=scopes)


def read(content: object, http_status: int = 200) -> TokenReply | Failure:
    return read_token_reply(Answer(http_status=http_status, body=json.dumps(content).encode()))


def read_failure(content: object, http_status: int = 200) -> Failure:
    result = read(content, http_status)
    assert isinstance(result, Failure)
    return result


def read_tokens(**changes: object) -> TokenReply | Failure:
    """Reads an answer whose body has these fields changed; None leaves one out."""
    body = {name: value for name, value in {**TOKENS, **changes}.items() if value is not None}
    return read({"status": 0, "body": body})


class TestAuthorizeUrl:
    def test_it_is_exactly_this(self) -> None:
        """The documented parameters and no other, scopes joined by commas."""
        assert authorize_url(Endpoints(), app(), state="the-state") == (
            "https://account.withings.com/oauth2_user/authorize2"
            "?response_type=code&client_id=0123abcd&state=the-state"
            "&scope=user.info%2Cuser.metrics%2Cuser.activity%2Cuser.sleepevents"
            "&redirect_uri=http%3A%2F%2Flocalhost%3A8000"
        )

    def test_another_service_is_asked_at_its_own_address(self) -> None:
        endpoints = Endpoints(authorize_url="http://127.0.0.1:1234/oauth2_user/authorize2")
        assert authorize_url(endpoints, app(), state="s").startswith("http://127.0.0.1:1234/oauth2_user/authorize2?")

    @pytest.mark.parametrize(
        "redirect_uri",
        [
            "http://localhost:8000",
            "http://localhost:8000/",
            "http://LOCALHOST:8000/Callback",
            "http://localhost:80/",
            "https://example.org:443/a/../b",
            "http://localhost:8000/caf%C3%A9%2f%2F",
            "http://localhost:8000/?next=%2Fhome&a=1+2&b=%2B",
            "http://localhost:8000/?state=mine&redirect_uri=http://evil/#x",
            "http://[::1]:8000/a;b=c,d",
        ],
    )
    def test_the_redirect_uri_arrives_character_for_character(self, redirect_uri: str) -> None:
        """What was registered is text: nothing in it is normalised, and nothing in it becomes a parameter."""
        query = urlsplit(authorize_url(Endpoints(), app(redirect_uri), state="s")).query
        assert parse_qs(query, strict_parsing=True) == {
            "response_type": ["code"],
            "client_id": ["0123abcd"],
            "state": ["s"],
            "scope": [",".join(ALL_SCOPES)],
            "redirect_uri": [redirect_uri],
        }

    @given(st.text(alphabet="!#$%&()*+,-./09:;=?@AZ[]_az~"), st.text(min_size=1, alphabet="aZ0-_~/+=&%#"))
    def test_any_text_comes_back_out(self, rest: str, state: str) -> None:
        redirect_uri = f"http://localhost:8000/{rest}"
        url = authorize_url(Endpoints(), app(redirect_uri), state=state)
        assert url.isascii()
        sent = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
        assert (sent["redirect_uri"], sent["state"]) == (redirect_uri, state)


class TestForms:
    def test_the_code_is_exchanged_with_the_redirect_uri_that_was_sent(self) -> None:
        assert code_form(app("http://localhost:8000/a%2Fb?c=d"), "the-code") == {
            "action": "requesttoken",
            "grant_type": "authorization_code",
            "client_id": "0123abcd",
            "client_secret": "the-secret",
            "code": "the-code",
            "redirect_uri": "http://localhost:8000/a%2Fb?c=d",
        }

    def test_a_refresh_names_the_records_app_and_no_redirect_uri(self) -> None:
        grant = Grant(
            access_token="a",
            refresh_token="r",
            expires_at=2,
            obtained_at=1,
            scopes=(),
            userid="1",
            client_id="of-the-record",
            token_url="https://wbsapi.withings.net/v2/oauth2",
        )
        assert refresh_form(grant, "the-secret") == {
            "action": "requesttoken",
            "grant_type": "refresh_token",
            "client_id": "of-the-record",
            "client_secret": "the-secret",
            "refresh_token": "r",
        }


REPLY = TokenReply(
    access_token="a" * 40,
    refresh_token="b" * 40,
    life_seconds=10800,
    scopes=("user.info", "user.metrics"),
    userid="38210457",
)


class TestTokens:
    @pytest.mark.parametrize("userid", ["38210457", 38210457])
    def test_the_userid_is_text_or_number(self, userid: str | int) -> None:
        """Text on the code exchange and a number on the refresh, as seen: text for us."""
        assert read({"status": 0, "body": {**TOKENS, "userid": userid}}) == REPLY

    def test_the_old_flat_shape_is_read_too(self) -> None:
        assert read(TOKENS) == REPLY

    def test_the_shape_counts_and_not_the_content_type_or_white_space(self) -> None:
        body = b"\n " + json.dumps({"status": 0, "body": TOKENS}, indent=3).encode() + b"\n"
        assert read_token_reply(Answer(http_status=200, body=body)) == REPLY

    @pytest.mark.parametrize(
        ("changes", "attribute", "value"),
        [
            ({"refresh_token": None}, "refresh_token", None),
            ({"userid": None}, "userid", None),
            ({"scope": None}, "scopes", None),
            ({"scope": ""}, "scopes", None),
            ({"scope": 7}, "scopes", None),
            ({"scope": "user.info, user.metrics,"}, "scopes", ("user.info", "user.metrics")),
            ({"scope": "user.info"}, "scopes", ("user.info",)),
            ({"expires_in": None}, "life_seconds", 10800),
            ({"expires_in": "10800"}, "life_seconds", 10800),
            ({"expires_in": 1}, "life_seconds", 1),
            ({"expires_in": 0}, "life_seconds", 0),
            ({"csrf_token": None, "token_type": None}, "life_seconds", 10800),
        ],
    )
    def test_what_is_missing_or_spelled_otherwise_is_no_reason_to_lose_a_login(
        self, changes: dict[str, object], attribute: str, value: object
    ) -> None:
        assert getattr(read_tokens(**changes), attribute) == value

    @pytest.mark.parametrize(
        "changes",
        [
            {"access_token": None},
            {"access_token": ""},
            {"access_token": 7},
            {"access_token": ["a"]},
            {"access_token": "two words"},
            {"access_token": "line\nbreak"},
            {"access_token": "a\r\nX-Injected: yes"},
            {"access_token": "\u00e9" * 40},
            {"access_token": "a" * 2049},
            {"refresh_token": ""},
            {"refresh_token": 7},
            {"refresh_token": "\x1b[2J"},
            {"expires_in": -1},
            {"expires_in": 1e400},
            {"expires_in": True},
            {"expires_in": "soon"},
            {"expires_in": "\u0661"},
            {"expires_in": 10**11},
            {"expires_in": 10**300},
            {"expires_in": []},
            {"userid": ""},
            {"userid": True},
            {"userid": 1.5},
            {"userid": "../../etc"},
            {"userid": 10**300},
            {"userid": {}},
            {"scope": "user.info,\x1b[2J"},
            {"scope": "x" * 65},
            {"scope": ",".join(f"user.{number}" for number in range(33))},
        ],
        ids=lambda changes: ascii(changes)[:40],
    )
    def test_what_matches_no_alphabet_is_never_used(self, changes: dict[str, object]) -> None:
        """Statement 36: tokens, userid and scopes have a fixed alphabet and length, or the answer makes no sense."""
        result = read_tokens(**changes)
        assert isinstance(result, Failure)
        assert result.kind is FailureKind.MALFORMED
        assert result.words

    def test_nothing_secret_is_in_a_repr(self, canaries: Canaries) -> None:
        """Statement 23: an answer and a reply show no token."""
        access_token, refresh_token = canaries.plant("access token"), canaries.plant("refresh token")
        body = {**TOKENS, "access_token": access_token, "refresh_token": refresh_token}
        answer = Answer(http_status=200, body=json.dumps({"status": 0, "body": body}).encode())
        for shown in (repr(answer), repr(read_token_reply(answer))):
            canaries.hear("a repr", shown)


ROWS = [
    (503, "Invalid Params: invalid code", FailureKind.CODE_REFUSED),
    (503, "Invalid Params: invalid refresh_token", FailureKind.REFRESH_TOKEN_REFUSED),
    (503, "Invalid Params: invalid client id/secret", FailureKind.APP_REFUSED),
    (503, "Invalid Params: invalid grant_type", FailureKind.REFUSED),
    (503, "", FailureKind.REFUSED),
    (293, "Wrong redirect_uri - Please use same redirect_uri than for authorize", FailureKind.REDIRECT_URI_REFUSED),
    (293, "", FailureKind.REDIRECT_URI_REFUSED),
    (601, "Same arguments in less than 10 seconds", FailureKind.TOO_MANY_REQUESTS),
    (601, "", FailureKind.TOO_MANY_REQUESTS),
    (2554, "Not implemented", FailureKind.REFUSED),
    (2554, "Wrong action or wrong webservice", FailureKind.REFUSED),
    (342, "The signature (using Oauth) is invalid", FailureKind.REFUSED),
    (343, "Invalid Params: invalid nonce", FailureKind.REFUSED),
    (
        401,
        "XRequestID: Not provided invalid_token: The access token provided is invalid",
        FailureKind.REFRESH_TOKEN_REFUSED,
    ),
    (522, "Timeout", FailureKind.UNAVAILABLE),
    (522, "Timeout while reading refresh_token", FailureKind.UNAVAILABLE),
    (2556, "An error occurred while reading refresh_token", FailureKind.ERROR_OCCURRED),
    (-1, "Invalid client", FailureKind.ERROR_OCCURRED),
]

# The families as Withings' API reference lists them, written out a second time.
FAMILIES = {
    FailureKind.REFRESH_TOKEN_REFUSED: "100-102 200 401",
    FailureKind.UNAVAILABLE: "522",
    FailureKind.TOO_MANY_REQUESTS: "601",
    FailureKind.REDIRECT_URI_REFUSED: "293",
    FailureKind.REFUSED: (
        "214 277 2553 2555 524 2554 201-213 216-218 220-221 223 225 227-230 234-236 238 240-252 254 260-267 271-272"
        " 275-276 283-288 290 294-295 297 300-304 321 323-353 380-382 400 501-511 523 532 3017-3019"
    ),
}


def numbers(text: str) -> set[int]:
    found: set[int] = set()
    for part in text.split():
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


class TestFailures:
    @pytest.mark.parametrize(("status", "text", "kind"), ROWS)
    def test_every_documented_row_has_a_name(self, status: int, text: str, kind: FailureKind) -> None:
        failure = read_failure({"status": status, "body": {}, "error": text})
        assert (failure.kind, failure.words) == (kind, text)
        assert failure.status == status

    @pytest.mark.parametrize("content", [{"status": 503}, {"status": 503, "body": None}, {"status": 503, "body": []}])
    def test_the_body_of_a_failure_may_be_absent(self, content: object) -> None:
        assert read_failure(content).kind is FailureKind.REFUSED

    def test_every_number_belongs_to_its_family(self) -> None:
        """A number of no family only says that an error occurred, which settles nothing about the request."""
        kinds = {number: kind for kind, text in FAMILIES.items() for number in numbers(text)}
        for number in (*range(1, 6000), *range(-5, 0)):
            expected = kinds.get(number, FailureKind.ERROR_OCCURRED)
            assert read_failure({"status": number, "error": ""}).kind is expected, number

    def test_only_some_failures_leave_open_what_happened(self) -> None:
        """Statement 31: what makes no statement about the request is told apart from a refusal."""
        assert {kind for kind in FailureKind if kind.outcome_unknown} == {
            FailureKind.UNAVAILABLE,
            FailureKind.ERROR_OCCURRED,
            FailureKind.MALFORMED,
        }

    @pytest.mark.parametrize(
        ("content", "kind"),
        [
            ({"errors": [{"message": "invalid refresh_token"}]}, FailureKind.REFRESH_TOKEN_REFUSED),
            ({"errors": [{"message": "redirect_uri_mismatch: The redirect URI"}]}, FailureKind.REDIRECT_URI_REFUSED),
            ({"error": "invalid_client"}, FailureKind.APP_REFUSED),
            ({"error": "invalid_grant"}, FailureKind.CODE_REFUSED),
            ({"error": "x", "error_description": "invalid code"}, FailureKind.CODE_REFUSED),
            ({"errors": []}, FailureKind.MALFORMED),
            ({"errors": ["text"]}, FailureKind.MALFORMED),
            ({"errors": [{"message": 7}]}, FailureKind.MALFORMED),
            ({"error": {"message": "x"}}, FailureKind.MALFORMED),
            ({}, FailureKind.MALFORMED),
        ],
    )
    def test_the_old_flat_shape_of_a_failure_is_read_too(self, content: object, kind: FailureKind) -> None:
        assert read_failure(content, 400).kind is kind

    @pytest.mark.parametrize(
        ("http_status", "body", "kind", "words"),
        [
            (200, b"<!doctype html><h1>x</h1>", FailureKind.UNAVAILABLE, "an HTML page instead of JSON (HTTP 200)"),
            (200, b"  <html>", FailureKind.UNAVAILABLE, "an HTML page instead of JSON (HTTP 200)"),
            (404, b"<html>", FailureKind.UNAVAILABLE, "an HTML page instead of JSON (HTTP 404)"),
            (200, b"", FailureKind.UNAVAILABLE, "something else instead of JSON (HTTP 200)"),
            (200, b"\x1f\x8b\x08\x00", FailureKind.UNAVAILABLE, "something else instead of JSON (HTTP 200)"),
            (200, b'{"status": 0, "bo', FailureKind.UNAVAILABLE, "something else instead of JSON (HTTP 200)"),
            (200, b"\xff\xfe", FailureKind.UNAVAILABLE, "something else instead of JSON (HTTP 200)"),
            (200, b"[" * 100_000, FailureKind.UNAVAILABLE, "something else instead of JSON (HTTP 200)"),
            (302, b"", FailureKind.UNAVAILABLE, "a redirect (HTTP 302)"),
            (307, b'{"status": 0}', FailureKind.UNAVAILABLE, "a redirect (HTTP 307)"),
            (500, b'{"status": 503, "error": "invalid refresh_token"}', FailureKind.UNAVAILABLE, "HTTP 500"),
            (502, b"<html>", FailureKind.UNAVAILABLE, "HTTP 502"),
            (429, b"slow down", FailureKind.TOO_MANY_REQUESTS, "HTTP 429"),
            (429, b"{}", FailureKind.TOO_MANY_REQUESTS, "HTTP 429"),
            (429, b'{"error": "rate"}', FailureKind.TOO_MANY_REQUESTS, "rate"),
            (200, b"[]", FailureKind.MALFORMED, "the answer is not a JSON object"),
            (200, b"null", FailureKind.MALFORMED, "the answer is not a JSON object"),
            (200, b'"ok"', FailureKind.MALFORMED, "the answer is not a JSON object"),
            (200, b"NaN", FailureKind.MALFORMED, "the answer is not a JSON object"),
            (200, b'{"status": "0"}', FailureKind.MALFORMED, "the status is not a number"),
            (200, b'{"status": true}', FailureKind.MALFORMED, "the status is not a number"),
            (200, b'{"status": 0.0}', FailureKind.MALFORMED, "the status is not a number"),
            (200, b'{"status": null}', FailureKind.MALFORMED, "the status is not a number"),
            (200, b'{"status": 1' + b"0" * 4000 + b"}", FailureKind.MALFORMED, "the status is not a number"),
            (200, b'{"status": 0}', FailureKind.MALFORMED, "the access token is missing or malformed"),
            (200, b'{"status": 0, "body": 7}', FailureKind.MALFORMED, "the access token is missing or malformed"),
        ],
        ids=lambda value: ascii(value)[:30],
    )
    def test_every_other_answer_has_a_name_too(
        self, http_status: int, body: bytes, kind: FailureKind, words: str
    ) -> None:
        result = read_token_reply(Answer(http_status=http_status, body=body))
        assert isinstance(result, Failure)
        assert (result.kind, result.words) == (kind, words)

    def test_a_body_that_was_cut_is_not_read(self) -> None:
        """A prefix of something larger may be whole JSON by chance, and is no answer."""
        body = json.dumps({"status": 0, "body": TOKENS}).encode()
        result = read_token_reply(Answer(http_status=200, body=body, oversized=True))
        assert isinstance(result, Failure)
        assert (result.kind, result.words) == (FailureKind.MALFORMED, "the answer is too large")

    @pytest.mark.parametrize(
        ("told", "seconds"),
        [
            (7, 7.0),
            ("7", 7.0),
            (0, 0.0),
            (86_400, 86_400.0),
            (-1, 3.0),
            (1.5, 3.0),
            (True, 3.0),
            (None, 3.0),
            ("soon", 3.0),
            (10**400, 3.0),
            (86_401, 3.0),
            ([], 3.0),
        ],
        ids=lambda value: ascii(value)[:12],
    )
    def test_how_long_to_wait_is_a_believable_number_or_that_of_the_header(self, told: object, seconds: float) -> None:
        content = {"status": 601, "body": {"wait_seconds": told}, "error": "Same arguments"}
        answer = Answer(http_status=200, body=json.dumps(content).encode(), retry_after=3.0)
        result = read_token_reply(answer)
        assert isinstance(result, Failure)
        assert result.retry_after == seconds

    def test_an_outage_says_when_to_come_back(self) -> None:
        result = read_token_reply(Answer(http_status=503, body=b"", retry_after=30.0))
        assert isinstance(result, Failure)
        assert result.retry_after == 30.0

    @pytest.mark.parametrize("shape", [{"status": 503, "error": 0}, {"errors": [{"message": 0}]}, {"error": 0}])
    @pytest.mark.parametrize(
        "text",
        [
            "\x1b[2J\x1b]0;owned\x07 Invalid\r\n\x00\x08\u202e\u2066 line\x9b31m",
            "\ud800 lone",
            "x" * 1024 * 1024,
            "\x1b" * 1024 * 1024,
        ],
        ids=["terminal", "surrogate", "1 MiB", "1 MiB of escapes"],
    )
    def test_words_from_outside_are_escaped_and_bounded(self, shape: dict[str, object], text: str) -> None:
        """Statement 35: no control character, no terminal sequence, no flood."""
        content = json.loads(json.dumps(shape).replace(": 0", f": {json.dumps(text)}"))
        words = read_failure(content).words
        assert words.isprintable()
        assert 0 < len(words) <= 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [*TOKENS, "status", "body", "error", "errors", "error_description", "message", "wait_seconds", "x"]
)
OBJECT = st.dictionaries(NAMES, JSON | st.sampled_from([0, 601, 503, 10**400]), max_size=6)
BODIES = st.binary() | (
    st.dictionaries(NAMES, JSON | OBJECT | st.lists(OBJECT, max_size=2) | st.sampled_from([0, 601, 503]), max_size=6)
).map(lambda content: json.dumps(content).encode())


@given(st.integers(100, 999), BODIES, st.none() | st.floats(0, 1e5), st.booleans())
def test_reading_raises_for_nothing(http_status: int, body: bytes, retry_after: float | None, oversized: bool) -> None:
    """Whatever comes is a reply or a failure with a few harmless words."""
    result = read_token_reply(Answer(http_status=http_status, body=body, retry_after=retry_after, oversized=oversized))
    if isinstance(result, Failure):
        assert not result.words or (result.words.isprintable() and len(result.words) <= 200)
        assert result.retry_after is None or 0 <= result.retry_after <= 1e5
    else:
        assert result.life_seconds >= 0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "120"}, 120.0),
        ({"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "\u0661"}, None),
        ({"Retry-After": "9" * 50}, None),
    ],
)
def test_the_header_is_a_number_of_seconds_or_nothing(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds
