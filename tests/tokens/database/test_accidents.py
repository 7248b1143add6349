"""A renewal in a real database, to whose server or session something happens at each step."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import pytest

from tests.support.postgresql import OF_OURS, Server
from tests.support.stores import Wrapped
from tests.support.waiting import wait_until
from tests.tokens.scene import HOUR, LIFE, Clock, Scene
from withings_auth.errors import LockLost, StoreNotDurable, StoreUnavailable, WithingsAuthError
from withings_auth.provider.replies import Outcome
from withings_auth.sandbox import Sandbox
from withings_auth.store.base import HeldName, Notes, SecretStore
from withings_auth.store.postgresql.address import parse_address
from withings_auth.store.postgresql.database_store import PostgresStore
from withings_auth.tokens.renewal import LATEST_ARRIVAL_SECONDS

EXPIRED = LIFE + 1  # the clock of the server is a little off

Accident = Callable[[Server], object]


ACCIDENTS: Mapping[str, Accident] = {
    "its session is ended": Server.end_sessions,
    "the server restarts": Server.restart,
    "the server crashes": lambda server: server.restart(signal.SIGQUIT),
}


class Steps(Wrapped):
    """A store that tells which step comes next."""

    def __init__(self, inner: SecretStore, reach: Callable[[str], object]) -> None:
        super().__init__(inner)
        self.reach = reach

    @contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldName]:
        self.reach("lock")
        with super().lock(name, timeout) as held:
            self.reach("read")
            yield held
            self.reach("release")

    def notes(self, held: HeldName) -> Notes:
        return _Notes(held.notes, self.reach)

    def save(self, held: HeldName, name: str, text: str) -> None:  # noqa: ARG002  there is only one
        self.reach("save")
        held.save(text)


class _Notes:
    def __init__(self, inner: Notes, reach: Callable[[str], object]) -> None:
        self._inner, self._reach = inner, reach

    def recall(self) -> str | None:
        return self._inner.recall()

    def note(self, text: str | None) -> None:
        self._reach("note")
        self._inner.note(text)


def renew_with(scene: Scene, step: str, happen: Callable[[], object], **how: object) -> WithingsAuthError | None:
    """Renews, and lets something happen at this step; returns the error of a renewal that failed."""
    steps: list[str] = []

    def reach(reached: str) -> None:
        if reached == step and reached not in steps:
            happen()
        steps.append(reached)

    def post(url: str, form: Mapping[str, str], **_: object) -> Outcome:
        outcome = scene.post(url, form)
        reach("answer")
        return outcome

    try:
        scene.renew(store=Steps(scene.store, reach), post=post, **how)  # type: ignore[arg-type]  # as it takes them
    except WithingsAuthError as error:
        return error
    finally:
        assert step in steps
    return None


@pytest.mark.parametrize("accident", ACCIDENTS)
class TestAtEachStep:
    """Statement 28: no step loses the login, hands out a dead token or sends a refresh token twice in ten seconds."""

    @pytest.mark.parametrize("step", ["lock", "release"])
    def test_before_the_lock_and_after_the_save(
        self, scene: Scene, postgresql: Server, step: str, accident: str
    ) -> None:
        """Nobody notices: a new session is opened for the lock, and there is nothing left to lose at the end."""
        old = scene.log_in(age=EXPIRED)
        assert renew_with(scene, step, lambda: ACCIDENTS[accident](postgresql)) is None
        assert scene.stored != old
        assert scene.works(scene.stored)
        assert scene.renew() == scene.stored
        assert scene.sandbox.counters.token_requests == 1

    @pytest.mark.parametrize("step", ["read", "note"])
    def test_before_the_request(self, scene: Scene, postgresql: Server, step: str, accident: str) -> None:
        """Nothing is sent without the lock, and the next one begins at once."""
        old = scene.log_in(age=EXPIRED)
        lost = renew_with(scene, step, lambda: ACCIDENTS[accident](postgresql))
        assert isinstance(lost, LockLost)
        assert (lost.exit_code, lost.temporary, lost.renewed, scene.sent) == (4, True, False, [])
        assert scene.stored == old
        assert scene.works(scene.renew())
        assert scene.clock.waited == 0

    @pytest.mark.parametrize("step", ["answer", "save"])
    def test_before_the_save(self, scene: Scene, postgresql: Server, step: str, accident: str) -> None:
        """The new pair is neither saved nor handed out; the next one repeats the refresh when that is allowed."""
        old = scene.log_in(age=EXPIRED)
        lost = renew_with(scene, step, lambda: ACCIDENTS[accident](postgresql))
        assert isinstance(lost, LockLost)
        assert (lost.exit_code, lost.renewed) == (4, True)
        assert "ask for a token again before" in lost.hint
        assert scene.stored == old
        assert scene.works(scene.renew())
        assert scene.clock.waited == pytest.approx(LATEST_ARRIVAL_SECONDS + 11, abs=0.5)
        assert (len(scene.sent), scene.nobody_was_hasty(), scene.sandbox.counters.refusals) == (2, True, 0)


def test_ended_during_the_save(scene: Scene, postgresql: Server, name: str) -> None:
    """The statement has arrived, and is rolled back with its session."""
    old = scene.log_in(age=EXPIRED)
    table = f"{parse_address(name).schema}.record"

    def block() -> None:
        with postgresql.connect() as blocker:
            blocker.execute(f"BEGIN; LOCK TABLE {table} IN EXCLUSIVE MODE".encode())  # nobody writes, all read
            blocked.set()
            wait_until(lambda: postgresql.execute(f"SELECT 1 {OF_OURS} AND wait_event_type = 'Lock'"))
            postgresql.end_sessions()

    blocked = threading.Event()
    blocker = threading.Thread(target=block)

    def begin() -> None:
        blocker.start()
        blocked.wait(60)

    lost = renew_with(scene, "save", begin)
    blocker.join()
    assert isinstance(lost, LockLost)
    assert scene.stored == old
    assert scene.works(scene.renew())
    assert scene.nobody_was_hasty()


def test_who_has_lost_the_lock_cannot_save_over_its_next_holder(scene: Scene, postgresql: Server, name: str) -> None:
    """Another machine renews while the first one still waits for its answer, and keeps what it has saved."""
    scene.log_in(age=EXPIRED)
    other = PostgresStore(parse_address(name))

    def lose() -> None:
        postgresql.end_sessions()
        scene.renew(store=other)

    assert isinstance(renew_with(scene, "answer", lose), LockLost)
    assert scene.works(scene.stored)
    assert scene.renew() == scene.stored
    assert len(scene.sent) == 2
    assert scene.nobody_was_hasty()


def test_ended_while_it_waits_for_the_lock(scene: Scene, postgresql: Server, name: str) -> None:
    """Who waits opens another session, and waits on."""
    scene.log_in(age=EXPIRED)
    waits = 0

    def wait(_: float) -> None:
        nonlocal waits
        waits += 1
        if waits < 4:
            ((holder,),) = postgresql.execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory'")
            postgresql.end_sessions(f"{OF_OURS} AND pid <> {holder}")
        else:
            holding.close()

    with ExitStack() as holding:
        holding.enter_context(PostgresStore(parse_address(name)).lock("token/default", 5))
        assert scene.works(scene.renew(wait=wait))
    assert waits >= 4
    assert scene.sandbox.counters.token_requests == 1


class TestFullDisk:
    """The server has no room for a note, or for a record."""

    def test_nothing_is_sent_that_cannot_be_noted(self, scene: Scene, postgresql: Server, name: str) -> None:
        old = scene.log_in(age=EXPIRED)
        fill(postgresql, name, "note")
        with pytest.raises(StoreUnavailable, match="disk full") as full:
            scene.renew()
        assert (full.value.exit_code, full.value.hint) == (5, "make room on the server")
        assert (scene.sent, scene.stored) == ([], old)
        free(postgresql, name)
        assert scene.works(scene.renew())
        assert scene.clock.waited == 0

    def test_what_cannot_be_saved_is_not_lost(self, scene: Scene, postgresql: Server, name: str) -> None:
        """Whoever asks within eight hours, once there is room again, gets a token that works."""
        old = scene.log_in(age=EXPIRED)
        fill(postgresql, name, "text")
        with pytest.raises(StoreNotDurable, match=r"renewed but could not be saved: .*disk full") as full:
            scene.renew()
        assert full.value.exit_code == 5
        assert full.value.hint.startswith("nothing is lost if you fix this and ask for a token again before ")
        assert full.value.hint.endswith("; make room on the server")
        assert scene.stored == old
        free(postgresql, name)
        scene.clock.at += 7 * HOUR
        assert scene.works(scene.renew())
        assert scene.nobody_was_hasty()


def fill(server: Server, name: str, column: str) -> None:
    """Lets every change of this column fail as on a full disk."""
    schema = parse_address(name).schema
    server.execute(f"""
        CREATE FUNCTION {schema}.full() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'disk full' USING ERRCODE = 'disk_full'; END $$;
        CREATE TRIGGER full_disk BEFORE UPDATE OF {column} ON {schema}.record EXECUTE FUNCTION {schema}.full()
    """)


def free(server: Server, name: str) -> None:
    schema = parse_address(name).schema
    server.execute(f"DROP FUNCTION {schema}.full CASCADE")


def test_a_server_that_hangs_is_left(
    scene: Scene, postgresql: Server, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, clock: Clock
) -> None:
    """It is given a while for each answer, and the lock counts as lost."""
    monkeypatch.setattr("withings_auth.store.postgresql.connection.ANSWER_SECONDS", 0.5)
    old = scene.log_in(age=EXPIRED)
    sessions: list[int] = []

    def hang() -> None:
        sessions.extend(postgresql.processes)
        for pid in sessions:
            os.kill(pid, signal.SIGSTOP)

    try:
        lost = renew_with(scene, "note", hang)
    finally:
        for pid in sessions:
            os.kill(pid, signal.SIGCONT)
    assert isinstance(lost, LockLost)
    assert "no answer within" in str(lost)
    assert sandbox.counters.token_requests == 0
    assert scene.stored == old
    assert clock.waited == 0
