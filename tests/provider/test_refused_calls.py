"""The error for a failed call, a call that the app signed, and an import: what was refused, and what to do."""

from __future__ import annotations

import pytest

from withings_auth.errors import ConfigurationError, LoginRequired, ProviderError, UnusableVariable, WithingsAuthError
from withings_auth.provider.failures import call_error, code_error, import_error, signed_error
from withings_auth.provider.replies import AnswerLost, Failure, NotSent, TokenReply, TokenResult, describe
from withings_auth.provider.statuses import FailureKind


def refused(status: int | None, words: str = "no", kind: FailureKind = FailureKind.REFUSED) -> Failure:
    return Failure(kind=kind, status=status, words=words)


def wait(seconds: float) -> Failure:
    return Failure(kind=FailureKind.TOO_MANY_REQUESTS, status=601, words="no", retry_after=seconds)


@pytest.mark.parametrize(
    ("failed", "message", "hint"),
    [
        (refused(401), "Withings refuses the access token (status 401: no)", "a new one was refused too"),
        (
            refused(403, "Insufficient Scope"),
            "the login does not have the scope that this call needs (status 403: Insufficient Scope)",
            "withings-auth status lists the granted scopes; to get more",
        ),
        (refused(277), "Withings does not allow this call (status 277: no)", "one may be missing"),
        (refused(503), "Withings refused the call (status 503: no)", "check its path, action and parameters"),
    ],
)
def test_a_refused_call(failed: Failure, message: str, hint: str) -> None:
    error = call_error(failed)
    assert (type(error), str(error)) == (ProviderError, message)
    assert hint in error.hint


@pytest.mark.parametrize(
    ("failed", "kind", "message", "hint"),
    [
        (refused(342), ConfigurationError, "does not know this client id with this client secret", "copy both again"),
        (refused(214), ProviderError, "Withings does not offer this to the app (status 214: no)", "a contract"),
        (refused(503), ProviderError, "Withings refused the request (status 503: no)", "check the app"),
        (NotSent(why="no route", remedy="pay"), WithingsAuthError, "Withings cannot be reached: no route", "pay"),
        (NotSent(why="odd", remedy="unset it", misconfigured=True), UnusableVariable, "odd", "unset it"),
    ],
)
def test_a_refused_signed_call(
    failed: Failure | NotSent, kind: type[WithingsAuthError], message: str, hint: str
) -> None:
    error = signed_error(failed)
    assert isinstance(error, kind)
    assert message in str(error)
    assert hint in error.hint


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (TokenReply(access_token="a", refresh_token=None, life_seconds=1, scopes=None, userid=None), "tokens"),
        (refused(503), "a failure: refused (status 503)"),
        (refused(None, kind=FailureKind.CODE_REFUSED), "a failure: code refused (status none)"),
        (NotSent(why="no route"), "no answer: no route"),
        (AnswerLost(why="closed"), "no answer: closed"),
    ],
)
def test_a_result_in_a_few_words(result: TokenResult, words: str) -> None:
    assert describe(result) == words


def test_a_refused_import() -> None:
    """The file's token, or the app that it belongs to, is not accepted; another failure can be tried again."""
    dead = import_error(refused(503, kind=FailureKind.REFRESH_TOKEN_REFUSED), deadline=None)
    assert isinstance(dead, LoginRequired)
    assert str(dead) == "Withings does not accept the refresh token in the file (status 503: no)"
    assert "nothing was saved" in dead.hint
    app = import_error(refused(503, kind=FailureKind.APP_REFUSED), deadline=None)
    assert isinstance(app, ConfigurationError)
    assert "(status 503: no)" in str(app)
    assert app.hint.startswith("it must be the app that the other tool used: copy both from that tool")
    lost = import_error(NotSent(why="no route"), deadline=1_700_028_800.0)
    assert "cannot be reached: no route; the outcome of the renewal is unknown" in str(lost)
    assert lost.hint.startswith("import the file again before that time; check the network")


def test_a_failure_of_few_words() -> None:
    """How long to wait is told from 13 seconds on; a shorter wait is over before anybody has read it."""
    assert str(code_error(AnswerLost(why="closed"))) == "there was no complete answer from Withings: closed"
    assert str(call_error(refused(None, "", FailureKind.UNAVAILABLE))) == "Withings is not available"
    assert str(call_error(wait(12.0))) == "Withings asks to wait (status 601: no)"
    assert str(call_error(wait(12.1))) == "Withings asks to wait 13 s (status 601: no)"
