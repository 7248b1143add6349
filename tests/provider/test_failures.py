"""The error for each failure: its class, exit code and hint, and whether trying again helps."""

from __future__ import annotations

import json

import pytest

from withings_auth.errors import (
    ConfigurationError,
    LoginError,
    LoginRequired,
    ProtocolViolation,
    ProviderError,
    ProviderUnavailable,
    WithingsAuthError,
)
from withings_auth.provider.failures import code_error, refresh_error
from withings_auth.provider.replies import Answer, AnswerLost, Failure, NotSent, read_token_reply
from withings_auth.provider.statuses import FailureKind
from withings_auth.sandbox import HOSTILE_TEXT

ENDED = "Withings has ended the login of profile work, or another program that holds a copy has renewed it"
TAKE_BACK = (
    "log in: withings-auth login --profile work; or take it back from the other program:"
    " withings-auth import --profile work --replace FILE"
)

Failed = Failure | NotSent | AnswerLost
DEADLINE = 1_700_028_800.0


def said(kind: FailureKind, status: int | None = 503, words: str = "their words", wait: float | None = None) -> Failure:
    return Failure(kind=kind, status=status, words=words, retry_after=wait)


# What failed; when a login is renewed: class, exit code, temporary, words, hint; when a code is exchanged: class, hint.
TABLE: list[tuple[Failed, type[WithingsAuthError], int, bool, str, str, type[WithingsAuthError], str]] = [
    (
        NotSent(why="Connection refused"),
        *(ProviderUnavailable, 4, True, "Withings cannot be reached: Connection refused", "check the network"),
        *(ProviderUnavailable, "check the network"),
    ),
    (
        AnswerLost(why="the connection was closed"),
        *(ProviderUnavailable, 4, True, "no complete answer from Withings: the connection was closed", "try again"),
        *(ProviderUnavailable, "a code works only once: log in again"),
    ),
    (
        said(FailureKind.UNAVAILABLE, None, "HTTP 502"),
        *(ProviderUnavailable, 4, True, "Withings is not available (HTTP 502)", "try again in a few minutes"),
        *(ProviderUnavailable, "try again in a few minutes"),
    ),
    (
        said(FailureKind.UNAVAILABLE, 522, "Timeout"),
        *(ProviderUnavailable, 4, True, "Withings is not available (status 522: Timeout)", "try again"),
        *(ProviderUnavailable, "try again"),
    ),
    (
        said(FailureKind.TOO_MANY_REQUESTS, 601, "Same arguments", 9.0),
        *(ProviderUnavailable, 4, True, "Withings asks to wait (status 601: Same arguments)", "try again later"),
        *(ProviderUnavailable, "try again later"),
    ),
    (
        said(FailureKind.TOO_MANY_REQUESTS, 601, "Too many", 3600.0),
        *(ProviderUnavailable, 4, True, "Withings asks to wait 1 h (status 601: Too many)", "try again later"),
        *(ProviderUnavailable, "try again later"),
    ),
    (
        said(FailureKind.REFRESH_TOKEN_REFUSED),
        *(LoginRequired, 3, False, f"{ENDED} (status 503: their words)"),
        TAKE_BACK,
        *(ProviderError, "check the app at https://developer.withings.com/dashboard/"),
    ),
    (
        said(FailureKind.CODE_REFUSED, None, "invalid_grant"),
        *(LoginRequired, 3, False, f"{ENDED} (invalid_grant)"),
        TAKE_BACK,
        *(LoginError, "a code works once, for 30 seconds"),
    ),
    (
        said(FailureKind.APP_REFUSED),
        *(ConfigurationError, 2, False, "does not know this client id with this client secret (status 503: their"),
        "copy both again from your app at https://developer.withings.com/dashboard/",
        *(ConfigurationError, "copy both again"),
    ),
    (
        said(FailureKind.REDIRECT_URI_REFUSED, 293),
        *(ConfigurationError, 2, False, "does not accept the redirect URI (status 293: their words)"),
        "must be the app's registered URL, character for character",
        *(ConfigurationError, "to set it: withings-auth configure"),
    ),
    (
        said(FailureKind.REFUSED, 2554, "Not implemented"),
        *(ProviderError, 1, False, "Withings refused the request (status 2554: Not implemented)"),
        "look for a newer withings-auth",
        *(ProviderError, "look for a newer withings-auth"),
    ),
    (
        said(FailureKind.ERROR_OCCURRED, 5001, ""),
        *(ProviderError, 1, False, "an error occurred at Withings (status 5001)", "try again in a few minutes"),
        *(ProviderError, "try again in a few minutes"),
    ),
    (
        said(FailureKind.MALFORMED, None, "the status is not a number"),
        *(ProtocolViolation, 1, False, "Withings' answer makes no sense: the status is not a number"),
        "nothing in it was used",
        *(ProtocolViolation, "nothing in it was used"),
    ),
]


def test_the_table_is_complete() -> None:
    listed = {row[0].kind for row in TABLE if isinstance(row[0], Failure)}
    assert listed == set(FailureKind)


@pytest.mark.parametrize(("failed", "error_class", "exit_code", "temporary", "words", "hint", "_", "__"), TABLE)
def test_a_failed_renewal(
    failed: Failed,
    error_class: type[WithingsAuthError],
    exit_code: int,
    temporary: bool,
    words: str,
    hint: str,
    _: object,
    __: object,
) -> None:
    """Statement 31: only a definite refusal means “log in again”; each failure says what to do."""
    error = refresh_error(failed, profile="work", deadline=None)
    assert type(error) is error_class
    assert (error.exit_code, error.temporary) == (exit_code, temporary)
    assert words in str(error)
    assert hint in error.hint
    assert "unknown" not in str(error)
    if isinstance(failed, Failure) and isinstance(error, ProviderUnavailable):
        assert error.retry_after == failed.retry_after
    if isinstance(failed, Failure) and type(error) in {ProviderUnavailable, ProviderError}:
        assert isinstance(error, ProviderError)
        assert error.status == failed.status


@pytest.mark.parametrize(("failed", "error_class", "exit_code", "temporary", "words", "hint", "_", "__"), TABLE)
def test_a_failed_renewal_while_an_earlier_one_is_unknown(
    failed: Failed,
    error_class: type[WithingsAuthError],
    exit_code: int,
    temporary: bool,
    words: str,
    hint: str,
    _: object,
    __: object,
) -> None:
    """The message names the time until which another try is sure; class, code, status and hint stay the same."""
    plain = refresh_error(failed, profile="work", deadline=None)
    error = refresh_error(failed, profile="work", deadline=DEADLINE)
    assert type(error) is error_class
    assert (error.exit_code, error.temporary, error.retry_after) == (exit_code, temporary, plain.retry_after)
    assert getattr(error, "status", None) == getattr(plain, "status", None)
    assert words in str(error)
    assert hint in error.hint
    # A definite refusal settles what was unknown.
    definite = error_class is LoginRequired
    assert ("the outcome of the renewal is unknown" in str(error)) is not definite
    assert ("only before 2023-11-15 06:13" in str(error)) is not definite
    assert ("ask for a token again before that time" in error.hint) is not definite


@pytest.mark.parametrize(("failed", "_", "__", "___", "____", "_____", "error_class", "hint"), TABLE)
def test_a_failed_code_exchange(
    failed: Failed,
    _: object,
    __: object,
    ___: object,
    ____: object,
    _____: object,
    error_class: type[WithingsAuthError],
    hint: str,
) -> None:
    """No failed login says that the user is logged out, and none is repeated."""
    error = code_error(failed)
    assert type(error) is error_class
    assert hint in error.hint
    if isinstance(failed, Failure) and failed.words:
        assert failed.words in str(error)


@pytest.mark.parametrize("status", [503, 2555, 2554, 401, 601, 522, 9999])
@pytest.mark.parametrize("text", [HOSTILE_TEXT, "x" * 1_000_000, f"invalid refresh_token {HOSTILE_TEXT}"])
def test_hostile_words_end_up_harmless(status: int, text: str) -> None:
    """Statement 35: what Withings says reaches a terminal only escaped and bounded."""
    body = json.dumps({"status": status, "body": {}, "error": text}).encode()
    failed = read_token_reply(Answer(http_status=200, body=body))
    assert isinstance(failed, Failure)
    for error in (refresh_error(failed, profile="work", deadline=DEADLINE), code_error(failed)):
        for shown in (str(error), error.hint):
            assert shown.isprintable()
            assert len(shown) < 500
