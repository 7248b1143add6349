"""A call with an access token: what may be asked, one renewal and one repetition, and nothing goes elsewhere."""

from __future__ import annotations

import asyncio

import pytest

from tests.tokens.scene import Scene
from withings_auth.errors import ConfigurationError, LoginRequired, ProviderError, ProviderUnavailable
from withings_auth.provider.calls import body_of, call, form_of, service_path
from withings_auth.provider.replies import Answer, Failure, read_body, read_envelope
from withings_auth.tokens.source import TokenSource

WEIGHTS = {"action": "getmeas", "meastype": "1"}


def url(scene: Scene) -> str:
    return f"{scene.sandbox.url}/measure"


def test_it_brings_what_stands_in_the_body(scene: Scene) -> None:
    body = read_body(call(TokenSource(store=scene.store), url(scene), WEIGHTS))
    assert isinstance(body, dict)
    assert body["measuregrps"]


def test_a_dead_token_is_renewed_once_and_the_call_repeated_once(scene: Scene) -> None:
    """Statement 33: Withings says so in HTTP 200, though the token looked alive."""
    scene.sandbox.expire_access_token()
    body = read_body(call(TokenSource(store=scene.store), url(scene), WEIGHTS))
    assert isinstance(body, dict)
    assert (scene.sandbox.counters.refreshes, scene.sandbox.counters.data_requests) == (1, 2)


def test_a_second_refusal_is_the_answer(scene: Scene) -> None:
    scene.sandbox.fail_next("status", where="measure", times=2, status=401, error="invalid_token")
    failure = read_body(call(TokenSource(store=scene.store), url(scene), WEIGHTS))
    assert isinstance(failure, Failure)
    assert (failure.status, scene.sandbox.counters.refreshes) == (401, 1)


def test_another_refusal_renews_nothing(scene: Scene) -> None:
    failure = read_body(call(TokenSource(store=scene.store), url(scene), {"action": "nothing"}))
    assert isinstance(failure, Failure)
    assert scene.sandbox.counters.refreshes == 0


def test_nobody_hears_the_token_but_its_api(scene: Scene) -> None:
    """Statement 26: another address gets nothing at all."""

    def send(_url: str, _form: object, *, access_token: str | None = None) -> Answer:
        raise AssertionError(f"an access token was sent: {access_token is not None}")

    with pytest.raises(ConfigurationError):
        call(TokenSource(store=scene.store), "https://elsewhere.invalid/measure", WEIGHTS, send=send)


def test_it_works_where_a_loop_is_running(scene: Scene) -> None:
    """As in a notebook; it blocks the loop, which is the caller's choice."""

    async def main() -> Answer:
        return call(TokenSource(store=scene.store), url(scene), WEIGHTS)

    assert body_of(asyncio.run(main()))["measuregrps"]


def test_no_answer_is_temporary(scene: Scene) -> None:
    scene.sandbox.fail_next("lost", where="measure")
    with pytest.raises(ProviderUnavailable):
        call(TokenSource(store=scene.store), url(scene), WEIGHTS)


def test_a_login_that_has_ended_is_told(scene: Scene) -> None:
    scene.sandbox.expire_access_token()
    scene.sandbox.kill_refresh_token()
    with pytest.raises(LoginRequired):
        call(TokenSource(store=scene.store), url(scene), WEIGHTS)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("measure", "/measure"),
        ("/measure", "/measure"),
        ("v2/user", "/v2/user"),
        ("/v2/sleep", "/v2/sleep"),
        ("v3/some-service/x_1", "/v3/some-service/x_1"),
    ],
)
def test_a_path_has_its_slash(text: str, path: str) -> None:
    assert service_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "//elsewhere.invalid/measure",
        "https://wbsapi.withings.net/measure",
        "@elsewhere.invalid",
        ".",
        "..",
        "v2/../measure",
        "v2//user",
        "measure/",
        "measure?action=x",
        "measure#x",
        "measure%2f",
        "meas ure",
        "measure\n",
        "mesüre",
        "x" * 101,
    ],
)
def test_what_is_more_than_a_path_is_refused(text: str) -> None:
    """Statement 26: no scheme, no host, no way around that would lead the token elsewhere."""
    with pytest.raises(ConfigurationError, match="is not a path") as caught:
        service_path(text)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["v2/oauth2", "/v2/oauth2", "oauth2", "v2/OAuth2", "v2/signature", "v3/oauth2"])
def test_the_token_service_is_not_called_by_hand(text: str) -> None:
    """A refresh token used up beside the store would lose the login; and its answer holds tokens."""
    with pytest.raises(ConfigurationError, match="is only for logins and renewals"):
        service_path(text)


def test_a_form_is_what_was_typed() -> None:
    words = ["meastype=1", "empty=", "text=a=b & c", "comment=Größe\n\t"]
    assert form_of("getmeas", words) == {
        "action": "getmeas",
        "meastype": "1",
        "empty": "",
        "text": "a=b & c",
        "comment": "Größe\n\t",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["meastype"], "parameter 1 is not NAME=VALUE"),
        (["a=1", "=1"], "parameter 2 is not NAME=VALUE"),
        (["two words=1"], "parameter 1 is not NAME=VALUE"),
        (["größe=1"], "parameter 1 is not NAME=VALUE"),
        (["a=1", "a=2"], "“a” is given twice"),
        (["action=getdevice"], "“action” is given twice"),
        (["a=\udcff"], "the value of “a” is not UTF-8"),
    ],
)
def test_a_parameter_is_a_name_and_a_value(words: list[str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        form_of("getmeas", words)


@pytest.mark.parametrize("action", ["", "meastype=1", "get meas", "get-meas", "action\x1b[31m"])
def test_an_action_is_one_word(action: str) -> None:
    with pytest.raises(ConfigurationError, match="is not an action") as caught:
        form_of(action, [])
    assert "\x1b" not in str(caught.value)


def test_what_may_be_a_secret_is_not_repeated() -> None:
    """Statement 23: somebody may have taken a token for a parameter."""
    with pytest.raises(ConfigurationError) as caught:
        form_of("getmeas", ["0123456789abcdef"])
    assert "0123456789abcdef" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize(
    ("body", "whole"),
    [
        (b'{"status": 601, "body": {"wait_seconds": 3}}', {"status": 601, "body": {"wait_seconds": 3}}),
        (b'{"status": 0, "body": {"rows": []}}', {"status": 0, "body": {"rows": []}}),
        (b"<html>", None),
        (b"", None),
        (b"[1]", None),
        (b"\xff", None),
        (b"[" * 100_000, None),
    ],
)
def test_the_envelope_is_the_whole_answer(body: bytes, whole: object) -> None:
    assert read_envelope(Answer(http_status=200, body=body)) == whole


@pytest.mark.parametrize(("lists", "body", "envelope"), [(97, True, True), (98, True, False), (99, False, False)])
def test_a_hundred_levels_are_the_most(lists: int, body: bool, envelope: bool) -> None:
    """The number is on the last; the body is one level above the lists, and the envelope one more."""
    answer = Answer(http_status=200, body=b'{"status": 0, "body": {"x": ' + b"[" * lists + b"1" + b"]" * lists + b"}}")
    assert (not isinstance(read_body(answer), Failure), read_envelope(answer) is not None) == (body, envelope)


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (Answer(http_status=404, body=b"<html>"), ProviderError, "no service at this path"),
        (Answer(http_status=200, body=b'{"status": 2554}'), ProviderError, "status 2554"),
        (Answer(http_status=200, body=b'{"status": 601}'), ProviderUnavailable, "asks to wait"),
        (Answer(http_status=502, body=b""), ProviderUnavailable, "HTTP 502"),
    ],
)
def test_a_refusal_is_an_error(answer: Answer, kind: type[ProviderError], said: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        body_of(answer)
    assert type(caught.value) is kind


def test_what_stands_in_the_body_is_returned() -> None:
    assert body_of(Answer(http_status=200, body=b'{"status": 0, "body": {"rows": [1]}}')) == {"rows": [1]}
