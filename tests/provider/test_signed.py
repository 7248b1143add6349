"""The calls that an app signs, against the sandbox, which computes the signatures by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.support.canaries import Canaries
from withings_auth.errors import (
    ConfigurationError,
    ProtocolViolation,
    ProviderError,
    ProviderUnavailable,
    UnusableVariable,
    WithingsAuthError,
)
from withings_auth.model import App
from withings_auth.provider.replies import Answer, AnswerLost, NotSent, Outcome, Post
from withings_auth.provider.signed import check_app, refuse_wrong_app, revoke
from withings_auth.sandbox import Sandbox, Switches


def app_of(sandbox: Sandbox) -> App:
    return App(client_id=sandbox.client_id, client_secret=sandbox.client_secret)


def answering(outcome: Outcome) -> Post:
    def send(_url: str, _form: Mapping[str, str], **_: object) -> Outcome:
        return outcome

    return send


UNTELLING: list[tuple[Outcome, type[WithingsAuthError]]] = [
    (NotSent(why="Connection refused"), ProviderUnavailable),
    (NotSent(why="a variable", misconfigured=True), UnusableVariable),
    (AnswerLost(why="it was closed"), ProviderUnavailable),
    (Answer(http_status=502, body=b""), ProviderUnavailable),
    (Answer(http_status=200, body=b"<html>"), ProviderUnavailable),
    (Answer(http_status=200, body=b'{"status": 277, "error": "Insufficient permission"}'), ProviderError),
    (Answer(http_status=200, body=b'{"status": 503, "error": "Invalid Params: invalid timestamp"}'), ProviderError),
    (Answer(http_status=200, body=b'{"status": 0, "body": {}}'), ProtocolViolation),
    (Answer(http_status=200, body=b'{"status": 0, "body": {"nonce": "a b\\u001b"}}'), ProtocolViolation),
]


class TestCheckApp:
    def test_the_right_secret_is_proved_without_a_user(self) -> None:
        with Sandbox() as sandbox:
            check_app(app_of(sandbox), sandbox.url)
            assert sandbox.counters.nonces == 1

    def test_a_wrong_secret_is_a_matter_of_configuration(self) -> None:
        with Sandbox() as sandbox, pytest.raises(ConfigurationError, match="does not know this client id") as caught:
            check_app(replace(app_of(sandbox), client_secret="wrong"), sandbox.url)
        assert caught.value.exit_code == 2

    def test_a_wrong_client_id_too(self) -> None:
        with Sandbox() as sandbox, pytest.raises(ConfigurationError, match="does not know this client id"):
            check_app(replace(app_of(sandbox), client_id="0" * 64), sandbox.url)

    def test_the_secret_itself_is_not_sent(self) -> None:
        """Statement 23: only a signature travels."""
        sent: list[str] = []

        def send(_url: str, form: Mapping[str, str], **_: object) -> Outcome:
            sent.extend(form.values())
            return Answer(http_status=200, body=b'{"status": 0, "body": {"nonce": "abc"}}')

        check_app(App(client_id="id", client_secret="the-canary-secret"), "https://api.invalid", send=send)
        assert not any("the-canary-secret" in value for value in sent)
        assert len(sent) == 4

    @pytest.mark.parametrize(("outcome", "error"), UNTELLING)
    def test_what_proves_nothing_says_so(self, outcome: Outcome, error: type[WithingsAuthError]) -> None:
        with pytest.raises(error):
            check_app(App(client_id="id", client_secret="s"), "https://x.invalid", send=answering(outcome))

    def test_the_secret_is_masked_though_only_its_signature_was_sent(self, canaries: Canaries) -> None:
        """Statement 47: Withings knows it, and may name it in an error."""
        secret = canaries.plant("client secret")
        outcome = Answer(http_status=200, body=json.dumps({"status": 342, "error": f"not by {secret}"}).encode())
        with pytest.raises(ConfigurationError, match=r"status 342: not by \*\*\*\)"):
            check_app(App(client_id="id", client_secret=secret), "https://x.invalid", send=answering(outcome))


class TestRefuseWrongApp:
    def test_only_withings_refusal_counts(self) -> None:
        with Sandbox() as sandbox:
            right = app_of(sandbox)
            refuse_wrong_app(right, sandbox.url)
            for wrong in (replace(right, client_id="0" * 64), replace(right, client_secret="wrong")):
                with pytest.raises(ConfigurationError, match="does not know this client id"):
                    refuse_wrong_app(wrong, sandbox.url)

    @pytest.mark.parametrize(("outcome", "_error"), UNTELLING)
    def test_what_proves_nothing_is_passed_over(self, outcome: Outcome, _error: object) -> None:
        refuse_wrong_app(App(client_id="id", client_secret="s"), "https://x.invalid", send=answering(outcome))


class TestRevoke:
    def test_it_revokes_all_tokens_of_the_user(self) -> None:
        with Sandbox(switches=Switches(revoke_open_to_free_apps=True)) as sandbox:
            pair = sandbox.issue_pair()
            revoke(app_of(sandbox), sandbox.url, str(pair.userid))
            assert not sandbox.live_refresh_tokens

    def test_where_withings_does_not_offer_it_another_way_is_named(self) -> None:
        with Sandbox() as sandbox:
            pair = sandbox.issue_pair()
            with pytest.raises(ProviderError, match="does not offer this") as caught:
                revoke(app_of(sandbox), sandbox.url, str(pair.userid))
            assert "in the settings of your Withings account" in caught.value.hint
            assert sandbox.live_refresh_tokens
