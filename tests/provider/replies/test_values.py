"""What an outcome is by default, what of it counts when two are compared, and what is shown."""

from __future__ import annotations

from withings_auth.provider.replies import CHECK_NETWORK, Answer, NotSent, TokenReply


def test_an_answer() -> None:
    """Neither its body nor the secrets that were sent are shown; the secrets and the server's clock do not count."""
    answer = Answer(http_status=200, body=b"body")
    assert (answer.retry_after, answer.oversized, answer.sent, answer.date) == (None, False, (), None)
    assert answer == Answer(http_status=200, body=b"body", sent=("secret",))
    assert answer == Answer(http_status=200, body=b"body", date=1_700_000_000.0)
    assert repr(Answer(http_status=200, body=b"body", sent=("secret",), date=1.0)) == (
        "Answer(http_status=200, retry_after=None, oversized=False, date=1.0)"
    )


def test_a_request_that_was_not_sent() -> None:
    """What helps is for people: it is not shown to developers, nor does it count."""
    failed = NotSent(why="no route")
    assert (failed.remedy, failed.misconfigured) == (CHECK_NETWORK, False)
    assert failed == NotSent(why="no route", remedy="ask at the desk")
    assert failed != NotSent(why="no route", misconfigured=True)
    assert repr(NotSent(why="no route", remedy="ask at the desk", misconfigured=True)) == "NotSent(why='no route')"


def test_tokens() -> None:
    """Neither token is shown."""
    reply = TokenReply(access_token="access", refresh_token="refresh", life_seconds=1, scopes=None, userid="7")
    assert repr(reply) == "TokenReply(life_seconds=1, scopes=None, userid='7')"
