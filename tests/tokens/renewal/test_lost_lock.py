"""A store on a server: its lock is lost at any step of a renewal, it goes away, and its clock is not this machine's."""

from __future__ import annotations

import itertools

import pytest

from tests.support.remote_store import RemoteStore, Server
from tests.tokens.scene import HOUR, LIFE, LOST, Clock, Scene
from withings_auth.errors import LockLost, ProviderUnavailable
from withings_auth.profiles.status import read_status
from withings_auth.provider.http import TIME_LIMIT_SECONDS
from withings_auth.provider.replies import Answer, Outcome
from withings_auth.sandbox import Sandbox
from withings_auth.tokens.renewal import LATEST_ARRIVAL_SECONDS, LONGEST_NOTE_SECONDS

LONGEST_MIN_VALID = 9000


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def scene(server: Server, sandbox: Sandbox, clock: Clock) -> Scene:
    return Scene(RemoteStore(server), sandbox, clock)


def losing(server: Server, at: str) -> RemoteStore:
    """Returns the store of a program whose session ends just before it wants to save or note."""
    store = RemoteStore(server)
    store.before = lambda what: server.end_sessions() if what == at else None
    return store


def noting(scene: Scene, server: Server, *, seconds: float) -> RemoteStore:
    """Returns a store whose first note takes so long."""
    store = RemoteStore(server)
    store.after = lambda what: scene.clock.wait(seconds) if what == "note" and not scene.clock.waited else None
    return store


class TestLock:
    def test_lost_before_the_request_nothing_is_sent(self, scene: Scene, server: Server) -> None:
        old = scene.log_in()
        with pytest.raises(LockLost, match="no longer held") as lost:
            scene.renew(store=losing(server, "note"))
        assert (lost.value.exit_code, lost.value.temporary, scene.sent) == (4, True, [])
        assert scene.stored == old
        assert scene.works(scene.renew())
        assert scene.clock.waited == 0

    def test_the_stored_token_is_returned_while_it_has_life(self, scene: Scene, server: Server) -> None:
        old = scene.log_in(age=2 * HOUR)
        assert scene.renew(min_valid=LONGEST_MIN_VALID, store=losing(server, "note")) == old
        with pytest.raises(LockLost):
            scene.renew(rejected=old.access_token, store=losing(server, "note"))

    def test_with_the_server_away_what_was_read_under_the_lock_is_returned(self, scene: Scene, server: Server) -> None:
        """Withings fails, and then the store cannot be asked any more."""
        old = scene.log_in(age=2 * HOUR)

        def post(*_: object, **__: object) -> Outcome:
            server.away = True
            return Answer(http_status=502, body=b"")

        assert scene.renew(min_valid=LONGEST_MIN_VALID, post=post) == old
        server.away = False
        with pytest.raises(ProviderUnavailable, match="502"):
            scene.renew(rejected=old.access_token, post=post)

    def test_lost_before_the_save_the_successor_is_not_handed_out(self, scene: Scene, server: Server) -> None:
        """The next holder waits until nothing of the first one's can arrive any more, and repeats the refresh."""
        old = scene.log_in()
        with pytest.raises(LockLost, match="nobody knows whether that was saved") as lost:
            scene.renew(store=losing(server, "save"))
        assert "if you ask for a token again before 2023-11-15 09:13" in lost.value.hint
        assert lost.value.exit_code == 4
        assert scene.stored == old
        assert scene.works(scene.renew())
        assert scene.nobody_was_hasty()
        assert scene.clock.waited == LATEST_ARRIVAL_SECONDS + 11

    def test_lost_before_the_save_the_token_before_is_not_handed_out_either(self, scene: Scene, server: Server) -> None:
        """It has life left by the record, but Withings has renewed the login, and that may have killed it."""
        old = scene.log_in(age=LIFE - 300)
        with pytest.raises(LockLost, match="nobody knows whether that was saved"):
            scene.renew(min_valid=600, store=losing(server, "save"))
        assert not scene.works(old)
        assert scene.works(scene.renew(min_valid=600))

    def test_lost_during_the_save_the_next_one_finds_the_pair(self, scene: Scene, server: Server) -> None:
        scene.log_in()
        store = RemoteStore(server)

        def lose_the_answer(what: str) -> None:
            if what == "save":
                server.away = True
                raise LockLost("no answer", hint="ask again")

        store.after = lose_the_answer
        with pytest.raises(LockLost, match="nobody knows"):
            scene.renew(store=store)
        server.away = False
        assert scene.works(scene.renew())
        assert scene.sandbox.counters.refreshes == 1

    def test_a_request_still_on_its_way_is_waited_out(self, scene: Scene, server: Server) -> None:
        """The holder lives on without its lock, and its request arrives as late as it can."""
        scene.log_in()
        arrivals: list[float] = []

        def post(*_: object, **__: object) -> Outcome:
            server.end_sessions()
            began = scene.clock()
            assert scene.works(scene.renew())  # somebody else, who waits under the lock
            arrivals.extend([began + TIME_LIMIT_SECONDS, *(sent.at for sent in scene.sent)])
            return LOST

        assert scene.works(scene.renew(post=post))
        assert min(abs(a - b) for a, b in itertools.combinations(arrivals, 2)) >= 10

    def test_a_request_is_not_sent_long_after_it_was_noted(self, scene: Scene, server: Server) -> None:
        """As by a machine that slept in between: the lock may be somebody else's."""
        scene.log_in()
        with pytest.raises(LockLost, match="nothing was sent") as late:
            scene.renew(store=noting(scene, server, seconds=6))
        assert late.value.hint.startswith("ask again; if this persists, check the network")
        assert scene.sent == []
        assert scene.works(scene.renew())
        assert scene.clock.waited == 6

    def test_a_server_may_take_its_time_for_a_note(self, scene: Scene, server: Server) -> None:
        scene.log_in()
        assert scene.works(scene.renew(store=noting(scene, server, seconds=LONGEST_NOTE_SECONDS)))
        assert len(scene.sent) == 1

    def test_after_an_outage_that_the_holder_saw_the_usual_guard_is_enough(self, scene: Scene) -> None:
        scene.log_in()
        with pytest.raises(ProviderUnavailable):
            scene.renew(post=scene.script(Answer(http_status=502, body=b"")))
        assert scene.works(scene.renew())
        assert scene.clock.waited == 11


class TestClocks:
    @pytest.mark.parametrize("behind", [HOUR, -HOUR])
    def test_machines_an_hour_apart_renew_once_per_expiry(
        self, scene: Scene, server: Server, clock: Clock, behind: int
    ) -> None:
        """The server's clock is right, and so is the first machine's."""
        scene.log_in(age=0)
        other = RemoteStore(server, behind_seconds=behind)
        for turn in range(40):
            store, now = (other, lambda: clock() - behind) if turn % 2 else (scene.store, clock)
            grant = scene.renew(store=store, now=now)
            assert scene.works(grant)
            assert clock() - LIFE <= grant.obtained_at <= clock(), "its times are the server's"
            clock.at += HOUR / 2
        assert scene.sandbox.counters.refreshes == 40 * (HOUR / 2) // LIFE

    @pytest.mark.parametrize("behind", [HOUR, -HOUR])
    def test_they_keep_the_guard_that_another_one_started(self, scene: Scene, server: Server, behind: int) -> None:
        scene.log_in()
        with pytest.raises(LockLost):
            scene.renew(store=losing(server, "save"))
        other = RemoteStore(server, behind_seconds=behind)
        assert scene.works(scene.renew(store=other, now=lambda: scene.clock() - behind))
        assert scene.nobody_was_hasty()

    def test_the_status_is_by_this_machines_clock(self, scene: Scene, server: Server) -> None:
        grant = scene.log_in(age=2 * HOUR)
        status = read_status(RemoteStore(server, behind_seconds=HOUR), "default", scene.clock() - HOUR)
        assert status is not None
        assert status.access_token_valid
        assert (status.grant.expires_at, status.ends_at) == (
            grant.expires_at - HOUR,
            status.grant.obtained_at + 31536000,
        )

    def test_the_status_of_a_lost_answer_too(self, scene: Scene, server: Server) -> None:
        scene.log_in()
        with pytest.raises(LockLost):
            scene.renew(store=losing(server, "save"))
        status = read_status(RemoteStore(server, behind_seconds=HOUR), "default", scene.clock() - HOUR)
        assert status is not None
        assert status.unknown_until == scene.clock() - HOUR + 8 * HOUR
