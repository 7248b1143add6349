"""What each failure means, by tables."""

from __future__ import annotations

import json

import pytest

from tests.provider.replies.answers import TOKENS, read_failure
from withings_auth.provider.replies import (
    Answer,
    Failure,
    read_token_reply,
)
from withings_auth.provider.statuses import FailureKind

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
            ({"error": "Wrong client"}, FailureKind.APP_REFUSED),
            ({"error": "a client"}, FailureKind.REFUSED),
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
            (300, b"", FailureKind.UNAVAILABLE, "a redirect (HTTP 300)"),
            (200, b'{"status": 999999, "error": "x"}', FailureKind.ERROR_OCCURRED, "x"),
            (200, b'{"status": 1000000, "error": "x"}', FailureKind.MALFORMED, "the status is not a number"),
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
            (200, b'{"status": "0"}', FailureKind.MALFORMED, "the access token is missing or malformed"),
            (200, b'{"status": "none"}', FailureKind.MALFORMED, "the status is not a number"),
            (200, b'{"status": 0.5}', FailureKind.MALFORMED, "the status is not a number"),
            (200, b'{"status": true}', FailureKind.MALFORMED, "the status is not a number"),
            (200, b'{"status": 0.0}', FailureKind.MALFORMED, "the access token is missing or malformed"),
            (200, b'{"status": null}', FailureKind.MALFORMED, "the answer has neither tokens nor an error"),
            (200, b'{"status": "601", "error": "wait"}', FailureKind.TOO_MANY_REQUESTS, "wait"),
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

    @pytest.mark.parametrize(
        ("told", "words"),
        [
            (86_400, "Same"),
            (86_401, "Same; wait_seconds 86401"),
            (-1, "Same; wait_seconds -1"),
            ("soon", "Same"),
            (10**30, f"Same; wait_seconds 1{'0' * 18}…"),
        ],
    )
    def test_a_number_that_is_not_believed_is_told(self, told: object, words: str) -> None:
        assert read_failure({"status": 601, "body": {"wait_seconds": told}, "error": "Same"}).words == words

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
