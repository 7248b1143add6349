"""Replies with tokens, and the promise that no answer makes the reader raise."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.provider.replies.answers import TOKENS, read, read_tokens
from tests.support.canaries import Canaries
from withings_auth.provider.replies import (
    Answer,
    Failure,
    TokenReply,
    read_token_reply,
    retry_after_seconds,
)
from withings_auth.provider.statuses import FailureKind

REPLY = TokenReply(
    access_token="a" * 40,
    refresh_token="b" * 40,
    life_seconds=10800,
    scopes=("user.info", "user.metrics"),
    userid="38210457",
)
NO_LIVES: list[object] = [-1, 1e400, float("nan"), True, "soon", "", "\u0661", 10**11, 10**300, [], {}]


class TestTokens:
    @pytest.mark.parametrize("userid", ["38210457", 38210457])
    def test_the_userid_is_text_or_number(self, userid: str | int) -> None:
        """Text on the code exchange and a number on the refresh, as seen: text for us."""
        assert read({"status": 0, "body": {**TOKENS, "userid": userid}}) == REPLY

    def test_the_old_flat_shape_is_read_too(self) -> None:
        assert read(TOKENS) == REPLY

    @pytest.mark.parametrize(
        "content",
        [
            {"status": "0", "body": TOKENS},
            {"status": 0.0, "body": TOKENS},
            {"status": None, "body": TOKENS},
            {"body": TOKENS},
            {"status": 0, **TOKENS},
            {
                "status": 0,
                "body": {**TOKENS, "scope": "User.Info User.Metrics", "expires_in": None, "userid": 38210457.0},
            },
        ],
        ids=lambda content: ascii({**content, "body": "…"})[:40],
    )
    def test_an_odd_spelling_is_no_reason_to_lose_a_login(self, content: dict[str, object]) -> None:
        """The pair is new: if it were thrown away, the old refresh token would die within eight hours."""
        assert read(content) == REPLY

    def test_nor_is_a_wrong_character_beside_the_tokens(self) -> None:
        body = json.dumps({"status": 0, "body": {**TOKENS, "name": "X"}}).encode().replace(b'"X"', b'"Ren\xe9"')
        assert read_token_reply(Answer(http_status=200, body=body)) == REPLY
        assert read_token_reply(Answer(http_status=200, body=b"\xef\xbb\xbf" + json.dumps(TOKENS).encode())) == REPLY

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
            ({"scope": "user.info user.metrics"}, "scopes", ("user.info", "user.metrics")),
            ({"scope": " User.Info,\tUSER.METRICS\n"}, "scopes", ("user.info", "user.metrics")),
            ({"scope": ["user.info", "user.metrics", 7]}, "scopes", ("user.info", "user.metrics")),
            ({"scope": {"user.info": True}}, "scopes", None),
            ({"scope": "user.info,\x1b[2J"}, "scopes", ("user.info",)),
            ({"scope": "x" * 65}, "scopes", None),
            ({"scope": ",".join(f"user.{n}" for n in range(40))}, "scopes", tuple(f"user.{n}" for n in range(32))),
            ({"expires_in": None}, "life_seconds", 10800),
            ({"expires_in": "10800"}, "life_seconds", 10800),
            ({"expires_in": 1}, "life_seconds", 1),
            ({"expires_in": 0}, "life_seconds", 0),
            ({"expires_in": 31_622_400}, "life_seconds", 31_622_400),
            ({"expires_in": 31_622_401}, "life_seconds", 10800),
            ({"expires_in": 9000.0}, "life_seconds", 9000),
            ({"expires_in": 9000.9}, "life_seconds", 9000),
            ({"expires_in": " 9000.0 "}, "life_seconds", 9000),
            *(({"expires_in": odd}, "life_seconds", 10800) for odd in NO_LIVES),
            ({"userid": ""}, "userid", None),
            ({"userid": 123.0}, "userid", "123"),
            ({"userid": "123.0"}, "userid", "123"),
            ({"userid": " 123 "}, "userid", "123"),
            ({"access_token": f" {'c' * 40}\n"}, "access_token", "c" * 40),
            ({"refresh_token": f"\t{'c' * 40} "}, "refresh_token", "c" * 40),
            ({"csrf_token": None, "token_type": None}, "life_seconds", 10800),
        ],
    )
    def test_what_is_missing_or_unreadable_is_no_reason_either(
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
            {"userid": True},
            {"userid": 1.5},
            {"userid": "../../etc"},
            {"userid": "123.5"},
            {"userid": 1e22},
            {"userid": 10**300},
            {"userid": {}},
        ],
        ids=lambda changes: ascii(changes)[:40],
    )
    def test_what_matches_no_alphabet_is_never_used(self, changes: dict[str, object]) -> None:
        """Statement 36: tokens and userid have a fixed alphabet and length, or the answer makes no sense.

        A scope that has not is left out, above.
        """
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
        ({"Retry-After": "99999"}, 99_999.0),
        ({"Retry-After": "100000"}, None),
        ({"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "\u0661"}, None),
        ({"Retry-After": "9" * 50}, None),
    ],
)
def test_the_header_is_a_number_of_seconds_or_nothing(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds
