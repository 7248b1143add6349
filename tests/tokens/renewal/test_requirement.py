"""When a token is renewed: its life, the caller's minimum, a rejected token, and clocks that are wrong."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.support.stores import Unnotable
from tests.tokens.scene import HOUR, LIFE, LOST, NOT_SENT, Scene, tokens
from withings_auth.errors import (
    ProviderUnavailable,
)
from withings_auth.provider.replies import Outcome


class TestRejected:
    """A rejected token is renewed once; one that replaced a rejected one is not renewed within 60 seconds."""

    def test_a_rejected_token_is_renewed_though_it_looks_alive(self, scene: Scene) -> None:
        """Statement 33: clocks jump and tokens are revoked; what the server refused is renewed once."""
        old = scene.log_in(age=HOUR)
        scene.sandbox.expire_access_token()
        new = scene.renew(rejected=old.access_token)
        assert scene.works(new)

    def test_all_who_report_the_same_token_get_the_same_successor(self, scene: Scene) -> None:
        old = scene.log_in(age=HOUR)
        assert len({scene.renew(rejected=old.access_token) for _ in range(3)}) == 1
        assert len(scene.sent) == 1

    def test_a_token_rejected_within_60_seconds_of_its_issue_is_renewed_once(self, scene: Scene) -> None:
        """Statement 33: another program with a copy, or the user, may have ended it by then."""
        scene.log_in()
        young = scene.renew()
        scene.clock.at += 5
        new = scene.renew(rejected=young.access_token)
        assert scene.works(new)
        assert len(scene.sent) == 2

    def test_but_its_successor_is_not_for_60_seconds(self, scene: Scene) -> None:
        """If two new tokens in a row are rejected, a third would be too; a loop of renewals would lock people out."""
        old = scene.log_in()
        new = scene.renew(rejected=old.access_token)
        scene.clock.at += 45
        with pytest.raises(ProviderUnavailable, match="issued 45 seconds ago, and the one before it") as caught:
            scene.renew(rejected=new.access_token)
        assert caught.value.retry_after == 15
        assert len(scene.sent) == 1
        scene.clock.at += 15
        assert scene.renew(rejected=new.access_token) != new

    def test_a_note_that_cannot_be_written_costs_one_renewal_more(self, scene: Scene) -> None:
        """The new pair is saved, and that is what counts."""
        old = scene.log_in()
        new = scene.renew(rejected=old.access_token, store=Unnotable(scene.store, after=1))
        assert scene.stored == new
        assert scene.works(scene.renew(rejected=new.access_token))

    def test_a_renewal_that_brings_the_rejected_token_again_is_no_renewal(self, scene: Scene) -> None:
        """What came is saved, since its refresh token may be the only one; the token is not handed out."""
        old = scene.log_in(age=HOUR)
        same = tokens(access_token=old.access_token)
        with pytest.raises(ProviderUnavailable, match="refused an access token that it issued 0 seconds ago"):
            scene.renew(rejected=old.access_token, post=scene.script(same))
        assert scene.stored.refresh_token == "refresh-2"

    def test_a_rejected_token_is_not_handed_out_when_renewing_fails(self, scene: Scene) -> None:
        old = scene.log_in(age=HOUR)
        with pytest.raises(ProviderUnavailable):
            scene.renew(rejected=old.access_token, post=scene.script(NOT_SENT))

    def test_an_old_report_costs_nothing(self, scene: Scene) -> None:
        """A token that is not the stored one any more was rejected rightly; the stored one is handed out."""
        old = scene.log_in(age=HOUR)
        assert scene.renew(rejected="long-gone") == old
        assert scene.sent == []


class TestMinValid:
    """“A token that was just renewed satisfies any caller.”"""

    def test_a_token_that_was_just_renewed_satisfies_any_caller(self, scene: Scene) -> None:
        """Where Withings grants less life than is asked for, asking again would never end."""
        scene.log_in()
        new = scene.renew(min_valid=9000, post=scene.script(tokens(expires_in=600)))
        scene.clock.at += 59
        assert scene.renew(min_valid=9000) == new
        scene.clock.at += 1
        with pytest.raises(StopIteration):  # Withings is asked, and the script has no more
            scene.renew(min_valid=9000, post=scene.script())

    def test_but_not_once_it_is_dead(self, scene: Scene) -> None:
        scene.log_in()
        scene.renew(post=scene.script(tokens(expires_in=5)))
        scene.clock.at += 5
        assert scene.renew(post=scene.script(tokens(access_token="access-3"))).access_token == "access-3"

    @pytest.mark.parametrize(("left", "renewed"), [(61, False), (60, False), (59, True), (0, True)])
    def test_the_least_life_is_exact(self, scene: Scene, left: int, renewed: bool) -> None:
        scene.log_in(age=LIFE - left)
        scene.renew(min_valid=60)
        assert (len(scene.sent) == 1) is renewed


class TestClock:
    """“Life left never exceeds life granted; a clock before `obtained_at` means expired.”"""

    def test_life_counts_from_the_moment_before_the_request(self, scene: Scene) -> None:
        """Statement 33: a slow answer does not make a token look younger than it is."""
        scene.log_in()
        asked = scene.clock()

        def slow(url: str, form: Mapping[str, str], **_: object) -> Outcome:
            outcome = scene.post(url, form)
            scene.clock.at += 15
            return outcome

        new = scene.renew(post=slow)
        assert (new.obtained_at, new.expires_at) == (asked, asked + LIFE)

    def test_a_clock_before_the_issue_means_expired(self, scene: Scene) -> None:
        """Statement 33: a clock that was set back does not give a dead token a second life."""
        old = scene.log_in(age=-HOUR)
        new = scene.renew()
        assert new != old
        assert new.obtained_at == scene.clock()
        assert scene.renew() == new

    def test_the_guard_holds_where_the_clock_was_set_back(self, scene: Scene) -> None:
        """An attempt in the future is waited out as if it had been made just now, and not for an hour."""
        scene.log_in(age=LIFE + HOUR)
        with pytest.raises(ProviderUnavailable):
            scene.renew(post=scene.script(LOST, LOST))
        scene.clock.at -= HOUR
        scene.clock.waits.clear()
        scene.renew(post=scene.script(tokens()))
        assert scene.clock.waited == 11

    def test_a_clock_far_ahead_costs_one_renewal(self, scene: Scene) -> None:
        scene.log_in(age=400 * 86_400)
        assert scene.renew(post=scene.script(tokens())).seconds_left(scene.clock()) == LIFE
        scene.renew(post=scene.script())
