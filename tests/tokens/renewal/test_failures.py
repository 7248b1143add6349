"""Renewals that fail, for now or for good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.support.stores import (
    clear_record,
    save_record_without_lock,
)
from tests.tokens.scene import LIFE, LOST, NOT_SENT, Scene, answer, refusal, tokens
from withings_auth.errors import (
    ConfigurationError,
    LoginRequired,
    ProviderError,
    ProviderUnavailable,
    WithingsAuthError,
)
from withings_auth.provider.replies import Answer, Outcome
from withings_auth.store.records import app_name, token_name


class TestTemporary:
    """“A temporary failure hands out the stored token while it has life, unless it is the rejected one.”"""

    TEMPORARY = (
        [NOT_SENT],
        [LOST, LOST],
        [LOST, NOT_SENT],
        [refusal(601, wait_seconds=60)],
        [refusal(601), refusal(601)],
        [refusal(522)],
        [Answer(http_status=500, body=b"")],
        [Answer(http_status=302, body=b"")],
        [Answer(http_status=200, body=b"<html>")],
        [Answer(http_status=429, body=b""), Answer(http_status=429, body=b"")],
    )

    @pytest.mark.parametrize("outcomes", TEMPORARY)
    def test_the_stored_token_is_handed_out_while_it_has_life(self, scene: Scene, outcomes: list[Outcome]) -> None:
        """Statement 31: transport errors, 5xx, HTML, 522, 601 are not a reason to fail who can be served."""
        old = scene.log_in(age=LIFE - 600)
        assert scene.renew(min_valid=900, post=scene.script(*outcomes)) == old

    @pytest.mark.parametrize("outcomes", TEMPORARY)
    def test_without_life_it_is_a_temporary_error(self, scene: Scene, outcomes: list[Outcome]) -> None:
        """Statement 31: exit 4, never “log in again”. Statement 30: nothing stored is touched."""
        old = scene.log_in()
        with pytest.raises(ProviderUnavailable) as caught:
            scene.renew(post=scene.script(*outcomes))
        assert (caught.value.exit_code, caught.value.temporary) == (4, True)
        assert scene.stored == old

    def test_a_token_that_died_while_waiting_is_not_handed_out(self, scene: Scene) -> None:
        scene.log_in(age=LIFE - 10)
        with pytest.raises(ProviderUnavailable):
            scene.renew(post=scene.script(LOST, LOST))


class TestRefusal:
    """“A definite refusal is `LoginRequired` with Withings' words. Neither deletes anything.”"""

    def test_a_definite_refusal_means_log_in_and_deletes_nothing(self, scene: Scene) -> None:
        """Statement 30: with Withings' words, and what was stored is still there."""
        old = scene.log_in()
        scene.sandbox.kill_refresh_token()
        with pytest.raises(LoginRequired, match="status 503: Invalid Params: invalid refresh_token") as caught:
            scene.renew()
        assert caught.value.hint.startswith("log in: withings-auth login; or")
        assert scene.stored == old
        assert scene.store.load(app_name(old.client_id)) is not None

    def test_a_dead_refresh_token_is_told_even_while_the_access_token_lives(self, scene: Scene) -> None:
        scene.log_in(age=LIFE - 600)
        with pytest.raises(LoginRequired):
            scene.renew(min_valid=900, post=scene.script(refusal(503, "Invalid Params: invalid refresh_token")))

    def test_the_store_is_read_again_before_it_is_believed(self, scene: Scene) -> None:
        """Statement 31: a program that knows no lock may have saved a newer pair; that one is adopted."""
        old = scene.log_in()
        newer = replace(old, access_token="newer", refresh_token="newer", expires_at=int(scene.clock()) + LIFE)

        def overtaken(_url: str, _form: Mapping[str, str], **_: object) -> Outcome:
            save_record_without_lock(scene.store, token_name("default"), newer.to_record())
            return refusal(503, "Invalid Params: invalid refresh_token")

        assert scene.renew(post=overtaken) == newer

    @pytest.mark.parametrize(
        ("outcome", "error_class", "exit_code"),
        [
            (refusal(503, "Invalid Params: invalid client id/secret"), ConfigurationError, 2),
            (refusal(503, "Invalid Params: invalid grant_type"), ProviderError, 1),
            (refusal(2554, "Not implemented"), ProviderError, 1),
            (refusal(342, "wrong signature"), ProviderError, 1),
        ],
    )
    def test_another_refusal_is_what_it_is(
        self, scene: Scene, outcome: Answer, error_class: type[WithingsAuthError], exit_code: int
    ) -> None:
        """Statement 31: it does not send anybody to the browser, and leaves nothing unknown."""
        old = scene.log_in()
        with pytest.raises(error_class) as caught:
            scene.renew(post=scene.script(outcome))
        assert type(caught.value) is error_class
        assert caught.value.exit_code == exit_code
        assert "unknown" not in str(caught.value)
        assert scene.stored == old

    def test_it_is_remembered_and_nothing_is_sent_again(self, scene: Scene) -> None:
        """Statement 49: whoever asks next gets the same answer at once, with Withings' words and their time."""
        old = scene.log_in(age=LIFE - 600)
        scene.sandbox.kill_refresh_token()
        with pytest.raises(LoginRequired):
            scene.renew(min_valid=900)
        scene.clock.at += 600
        scene.clock.waits.clear()
        for rejected in (None, old.access_token):
            with pytest.raises(
                LoginRequired, match=r"refused on 2023-11-1\d \d\d:\d\d: status 503: Invalid Params: inv"
            ):
                scene.renew(rejected=rejected)
        assert len(scene.sent) == 1
        assert scene.clock.waited == 0
        assert scene.stored == old

    def test_it_is_forgotten_when_the_record_changes(self, scene: Scene) -> None:
        """Statement 49: a new login, or one that was taken back, is renewed like any other."""
        scene.log_in()
        scene.sandbox.kill_refresh_token()
        with pytest.raises(LoginRequired):
            scene.renew()
        scene.log_in()
        assert scene.works(scene.renew())

    def test_it_is_sent_again_if_a_person_asks(self, scene: Scene) -> None:
        """Statement 49: but not within ten seconds, and a temporary refusal does not forget the definite one."""
        scene.log_in()
        dead = refusal(503, "Invalid Params: invalid refresh_token")
        with pytest.raises(LoginRequired):
            scene.renew(post=scene.script(dead))
        with pytest.raises(ProviderUnavailable):
            scene.renew(ask_anew=True, post=scene.script(refusal(601), refusal(601)))
        with pytest.raises(LoginRequired, match="refused on"):
            scene.renew()
        assert scene.nobody_was_hasty()
        assert scene.renew(ask_anew=True, post=scene.script(tokens())).access_token == "access-2"

    def test_nobody_logged_in(self, scene: Scene) -> None:
        with pytest.raises(LoginRequired, match="nobody is logged in as profile default"):
            scene.renew()

    def test_logged_out_while_waiting_for_the_lock(self, scene: Scene) -> None:
        scene.log_in()
        clear_record(scene.store, token_name("default"))
        with pytest.raises(LoginRequired):
            scene.renew()
        assert scene.sent == []

    @pytest.mark.parametrize("age", [LIFE - 600, LIFE])
    def test_nothing_that_fails_deletes_or_overwrites(self, scene: Scene, age: int) -> None:
        """Statement 30: after every failure there is, all records are what they were, to the letter."""
        old = scene.log_in(age=age)
        names = scene.store.names()
        before = [scene.store.load(name) for name in names]
        for outcome in (
            *(LOST, NOT_SENT, refusal(503, "invalid refresh_token"), refusal(503, "invalid client id/secret")),
            *(refusal(601), refusal(522), refusal(2554), refusal(0), tokens(userid=666), tokens(refresh_token=7)),
            *(Answer(http_status=502, body=b""), Answer(http_status=200, body=b"<html>"), answer([])),
        ):
            with pytest.raises(WithingsAuthError):
                scene.renew(rejected=old.access_token, ask_anew=True, post=scene.script(outcome, outcome))
            scene.clock.at += 20
        assert scene.store.names() == names
        assert [scene.store.load(name) for name in names] == before
