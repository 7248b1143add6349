"""Nobody knows some of Withings' behaviour: the same promises hold under every answer to the open questions."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from tests.support.logins import consent
from tests.support.stores import Unsavable, save_record
from tests.tokens.combinations import OF_REFUSALS, OF_REPETITIONS, Combinations
from tests.tokens.scene import HOUR, LIFE, Scene
from withings_auth.errors import LoginRequired, ProviderUnavailable, StoreNotDurable
from withings_auth.model import App, Grant
from withings_auth.provider.forms import authorize_url, code_form
from withings_auth.provider.http import post
from withings_auth.provider.replies import Answer, TokenReply, read_token_reply
from withings_auth.store.records import app_name

pytestmark = pytest.mark.usefixtures("unmeasured")


def test_a_chain_of_renewals(everywhere: Combinations) -> None:
    """Each token works, and so does its successor."""
    for combination in everywhere.without(*OF_REPETITIONS, *OF_REFUSALS):
        with combination as scene:
            scene.log_in()
            for _ in range(3):
                new = scene.renew()
                assert scene.works(new)
                scene.clock.at = new.expires_at


def test_a_lost_answer(everywhere: Combinations) -> None:
    """Repeated once after the guard; what is stored works, and so does its successor."""
    for combination in everywhere.without(*OF_REFUSALS):
        with combination as scene:
            scene.log_in()
            scene.sandbox.fail_next("lost")
            new = scene.renew()
            assert scene.works(new)
            scene.clock.at = new.expires_at
            assert scene.works(scene.renew())
            assert scene.nobody_was_hasty()


def test_every_answer_lost_until_the_last_moment(everywhere: Combinations) -> None:
    """Up to the deadline that was told, another try saves the login."""
    for combination in everywhere.without(*OF_REFUSALS):
        with combination as scene:
            scene.log_in()
            scene.sandbox.fail_next("lost", times=2)
            with pytest.raises(ProviderUnavailable, match="only before"):
                scene.renew()
            deadline = scene.sent[0].at + 8 * HOUR
            scene.clock.at = deadline - 1
            assert scene.works(scene.renew())


def test_after_the_deadline_it_is_found_or_told(everywhere: Combinations) -> None:
    """Statement 31: the refusal comes from Withings, never from our own count of hours.

    Where a repetition begins the eight hours anew, the login lives for some seconds after the deadline that was told.
    """
    for combination in everywhere:
        with combination as scene:
            old = scene.log_in()
            scene.sandbox.fail_next("lost", times=2)
            with pytest.raises(ProviderUnavailable):
                scene.renew()
            scene.clock.at = scene.sent[0].at + 8 * HOUR
            if scene.way_left:
                assert scene.works(scene.renew())
            else:
                with pytest.raises(LoginRequired, match="invalid refresh_token"):
                    scene.renew()
                assert scene.stored == old


def test_lost_before_it_arrived_is_never_too_late(everywhere: Combinations) -> None:
    """A request that did not arrive has used nothing up: days later the same refresh token is good."""
    for combination in everywhere.without(*OF_REFUSALS):
        with combination as scene:
            scene.log_in()
            scene.sandbox.fail_next("lost_before", times=2)
            with pytest.raises(ProviderUnavailable):
                scene.renew()
            scene.clock.at += 72 * HOUR
            assert scene.works(scene.renew())


def test_a_save_that_failed(everywhere: Combinations) -> None:
    """Statement 29: the new pair is not handed out, and the old one brings another when the store is well."""
    for combination in everywhere.without(*OF_REFUSALS):
        with combination as scene:
            old = scene.log_in()
            with pytest.raises(StoreNotDurable):
                scene.renew(store=Unsavable(scene.store, StoreNotDurable("it lies")))
            assert scene.stored == old
            new = scene.renew()
            assert scene.works(new)
            assert scene.stored == new
            assert scene.nobody_was_hasty()


def test_601_and_then_lost(everywhere: Combinations) -> None:
    """The refusal that comes before acting and the answer that is lost do not add up to a lost login."""
    for combination in everywhere.without(*OF_REFUSALS):
        with combination as scene:
            scene.log_in()
            scene.sandbox.fail_next("too_many")
            scene.sandbox.fail_next("truncated")
            assert scene.works(scene.renew())
            assert scene.nobody_was_hasty()


def test_a_repetition_that_came_too_early(everywhere: Combinations) -> None:
    """A 601 of Withings' own, with and without the seconds to wait, is waited out."""
    for combination in everywhere:
        with combination as scene:
            old = scene.log_in()
            form = {"action": "requesttoken", "grant_type": "refresh_token", "client_id": old.client_id}
            secret = scene.sandbox.client_secret
            post(old.token_url, {**form, "client_secret": secret, "refresh_token": old.refresh_token})
            assert scene.works(scene.renew())
            assert scene.clock.waited == 11
            assert scene.sandbox.counters.refreshes == 2 * scene.sandbox.counters.refusals


def test_a_data_call_rejects_what_a_renewal_has_replaced(everywhere: Combinations) -> None:
    """Statement 33: a program that holds the old token reports it and gets the stored one, without a renewal."""
    for combination in everywhere.without(*OF_REPETITIONS, *OF_REFUSALS):
        with combination as scene:
            old = scene.log_in()
            new = scene.renew()
            assert scene.works(new)
            refreshes = scene.sandbox.counters.refreshes
            assert scene.renew(rejected=old.access_token) == new
            assert scene.sandbox.counters.refreshes == refreshes


class TestSecondConsent:
    """The same user logs in to the same app again; Withings decides what happens to the first login."""

    def test_between_two_renewals(self, everywhere: Combinations) -> None:
        """The first profile's token works if Withings leaves it one, or else “log in”; the second one's works."""
        for combination in everywhere.and_consents().without(*OF_REPETITIONS):
            with combination as scene:
                scene.log_in(age=0)
                assert scene.works(consent_again(scene))
                scene.clock.at += LIFE
                a_token_or_log_in(scene)
                assert scene.works(scene.renew(profile="second"))

    def test_after_a_lost_answer(self, everywhere: Combinations) -> None:
        """While the outcome of the first profile's renewal is unknown, the user logs in elsewhere."""
        for combination in everywhere.and_consents().without("wait_seconds_told"):
            with combination as scene:
                scene.log_in()
                scene.sandbox.fail_next("lost", times=2)
                with pytest.raises(ProviderUnavailable):
                    scene.renew()
                second = consent_again(scene)
                scene.clock.at += HOUR
                a_token_or_log_in(scene)
                assert scene.works(second)


def consent_again(scene: Scene) -> Grant:
    """Logs the user in to the app once more, under another profile, as a login does."""
    sandbox = scene.sandbox
    app = App(client_id=sandbox.client_id, client_secret=sandbox.client_secret)
    came_back = parse_qs(consent(authorize_url(sandbox.endpoints, app, state="s" * 32)))
    sent_at = int(scene.clock())
    outcome = post(sandbox.endpoints.token_url, code_form(app, came_back["code"][0]))
    assert isinstance(outcome, Answer)
    reply = read_token_reply(outcome)
    assert isinstance(reply, TokenReply)
    assert reply.refresh_token is not None
    grant = Grant(
        access_token=reply.access_token,
        refresh_token=reply.refresh_token,
        obtained_at=sent_at,
        expires_at=sent_at + LIFE,
        scopes=reply.scopes or (),
        userid=str(reply.userid),
        client_id=app.client_id,
        token_url=sandbox.endpoints.token_url,
    )
    scene.save(grant, profile="second")
    save_record(scene.store, app_name(app.client_id), app.to_record())
    return grant


def a_token_or_log_in(scene: Scene) -> None:
    """Asks, and expects a token that works if Withings' rules leave one, or else an unchanged record."""
    before, left = scene.stored, scene.way_left
    if left:
        assert scene.works(scene.renew())
    else:
        with pytest.raises(LoginRequired, match="invalid refresh_token"):
            scene.renew()
        assert scene.stored == before
