"""What becomes of Withings' reply, how it is saved, and the secret that the request was made with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.support.canaries import Canaries
from tests.support.stores import (
    Unsavable,
    Wrapped,
    clear_record,
    save_record,
)
from tests.tokens.scene import LIFE, LOST, NOT_SENT, Scene, tokens
from withings_auth.errors import (
    ConfigurationError,
    ProtocolViolation,
    ProviderUnavailable,
    StoreError,
    StoreNotDurable,
    StoreUnavailable,
)
from withings_auth.model import App
from withings_auth.provider.replies import Answer, Outcome
from withings_auth.store.base import HeldName
from withings_auth.store.records import app_name, token_name


class TestReply:
    def test_tokens_of_another_user_are_not_saved(self, scene: Scene) -> None:
        old = scene.log_in()
        with pytest.raises(ProtocolViolation, match="tokens of user 666"):
            scene.renew(post=scene.script(tokens(userid=666)))
        assert scene.stored == old

    def test_what_the_reply_leaves_out_stays_as_it_was(self, scene: Scene) -> None:
        old = scene.log_in()
        new = scene.renew(post=scene.script(tokens(userid=None, scope=None, refresh_token=None)))
        assert (new.userid, new.scopes, new.refresh_token) == (old.userid, old.scopes, old.refresh_token)
        assert scene.stored == new

    def test_an_odd_spelling_is_saved_all_the_same(self, scene: Scene) -> None:
        """Thrown away, it would be a login lost: the old refresh token dies within eight hours."""
        old = scene.log_in()

        def respelled(url: str, form: Mapping[str, str], **_: object) -> Outcome:
            answer = scene.post(url, form)
            assert isinstance(answer, Answer)
            body = json.loads(answer.body)["body"]
            body |= {"scope": body["scope"].upper().replace(",", " "), "userid": float(body["userid"])}
            body["expires_in"] = None
            return replace(answer, body=json.dumps({"status": "0", "body": body}).encode())

        new = scene.renew(post=respelled)
        assert (scene.stored, scene.works(new)) == (new, True)
        assert (new.userid, new.scopes, new.seconds_left(scene.clock())) == (old.userid, old.scopes, LIFE)

    def test_after_a_reply_without_a_refresh_token_nothing_is_unknown(self, scene: Scene) -> None:
        """The refresh token stays, and the saved tokens settle what the journal has about it."""
        scene.log_in()
        new = scene.renew(post=scene.script(LOST, tokens(refresh_token=None)))
        scene.clock.at = new.expires_at
        with pytest.raises(ProviderUnavailable) as caught:
            scene.renew(post=scene.script(NOT_SENT))
        assert "unknown" not in str(caught.value)

    def test_a_pair_that_has_grown_old_is_saved_and_renewed_in_turn(self, scene: Scene) -> None:
        """A repetition hours later may bring the pair of the first answer: its refresh token must not be lost."""
        scene.log_in()
        new = scene.renew(post=scene.script(tokens(expires_in=0), tokens(access_token="a3", refresh_token="r3")))
        assert [sent.form["refresh_token"] for sent in scene.sent][1:] == ["refresh-2"]
        assert scene.stored == new
        assert scene.clock.waited == 0

    def test_tokens_without_life_are_not_asked_for_without_end(self, scene: Scene) -> None:
        scene.log_in()
        with pytest.raises(ProtocolViolation, match="already expired"):
            scene.renew(post=scene.script(tokens(expires_in=0), tokens(expires_in=0, refresh_token="refresh-3")))
        assert scene.stored.refresh_token == "refresh-3"

    def test_fewer_scopes_are_what_is_stored(self, scene: Scene) -> None:
        scene.log_in()
        assert scene.renew(post=scene.script(tokens(scope="user.info"))).scopes == ("user.info",)

    @pytest.mark.parametrize("changes", [{"access_token": "a\nb"}, {"refresh_token": "\x1b[2J"}, {"userid": "../x"}])
    def test_what_matches_no_alphabet_is_not_saved(self, scene: Scene, changes: dict[str, object]) -> None:
        """Statement 36: a reply that cannot be believed changes nothing, and the record stays readable."""
        old = scene.log_in()
        with pytest.raises(ProtocolViolation):
            scene.renew(post=scene.script(tokens(**changes)))
        assert scene.stored == old


class TestSave:
    """The save “is read back before it counts”; a pair that is not durable is not handed out."""

    @pytest.mark.parametrize("error", [StoreUnavailable("it is locked", hint="unlock it"), StoreNotDurable("it lies")])
    def test_a_failed_save_hands_out_nothing_and_says_until_when(
        self, scene: Scene, canaries: Canaries, error: StoreError
    ) -> None:
        """Statement 29: a pair that is not durable stays inside; the old one is repeated when the store is well."""
        old = scene.log_in()
        with pytest.raises(StoreNotDurable, match="renewed but could not be saved: it") as caught:
            scene.renew(store=Unsavable(scene.store, error))
        assert caught.value.exit_code == 5
        assert "before 2023-11-15 09:13" in caught.value.hint
        assert error.hint in caught.value.hint
        canaries.hear("the error", f"{caught.value} {caught.value.hint}")
        assert scene.stored == old
        assert scene.works(scene.renew())
        assert scene.nobody_was_hasty()

    def test_a_save_that_landed_all_the_same_is_adopted(self, scene: Scene) -> None:
        """A keyring that took too long has the new pair: the next one finds it and asks nobody."""
        scene.log_in()

        class Late(Wrapped):
            def save(self, held: HeldName, name: str, text: str) -> None:  # noqa: ARG002
                held.save(text)
                raise StoreUnavailable("it did not save a record within 10 seconds")

        with pytest.raises(StoreNotDurable):
            scene.renew(store=Late(scene.store))
        assert scene.works(scene.renew())
        assert scene.sandbox.counters.refreshes == 1

    def test_a_store_that_cannot_be_read_is_an_error_before_any_request(self, scene: Scene) -> None:
        scene.log_in()
        save_record(scene.store, token_name("default"), "{not ours")
        with pytest.raises(StoreError):
            scene.renew()
        assert scene.sent == []
        assert scene.store.load(token_name("default")) == "{not ours"


class TestSecret:
    """“A renewal uses the record's `client_id` and `token_url`”; the secret is the caller's, or the app record's."""

    def test_the_saved_app_is_enough(self, scene: Scene) -> None:
        """Other programs renew without the environment of the login."""
        scene.log_in()
        scene.renew()
        assert scene.sent[0].form["client_secret"] == scene.sandbox.client_secret

    def test_a_secret_that_the_caller_knows_comes_first(self, scene: Scene) -> None:
        """A secret that was made anew at the dashboard works once the environment has it."""
        scene.log_in()
        save_record(
            scene.store,
            app_name(scene.sandbox.client_id),
            App(client_id=scene.sandbox.client_id, client_secret="the-old-one").to_record(),
        )
        secrets = {scene.sandbox.client_id: scene.sandbox.client_secret}
        assert scene.works(scene.renew(secret_for=lambda grant: secrets[grant.client_id]))

    def test_no_secret_anywhere_is_an_error_before_any_request(self, scene: Scene) -> None:
        scene.log_in()
        clear_record(scene.store, app_name(scene.sandbox.client_id))
        with pytest.raises(ConfigurationError, match="secret") as caught:
            scene.renew()
        assert caught.value.exit_code == 2
        assert scene.sent == []

    def test_everything_goes_to_the_records_own_service_and_app(self, scene: Scene) -> None:
        """Statement 38: whatever the environment says, the record decides the service and the app."""
        old = scene.log_in()
        elsewhere = replace(old, token_url="http://127.0.0.1:1/v2/oauth2", client_id="another-app")
        scene.save(elsewhere)
        app = App(client_id="another-app", client_secret="its-secret")
        save_record(scene.store, app_name(app.client_id), app.to_record())
        scene.renew(post=scene.script(tokens()))
        (sent,) = scene.sent
        assert sent.url == "http://127.0.0.1:1/v2/oauth2"
        assert (sent.form["client_id"], sent.form["client_secret"]) == ("another-app", "its-secret")
