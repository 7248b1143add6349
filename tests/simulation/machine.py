"""The machine that the processes share: its store, its clocks, its waits and its way to Withings.

Each use of it is a stop, at which others can go on, time can pass, and a process can be killed. It reports what
happens to the promises.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from greenlet import getcurrent  # type: ignore[import-untyped]

from tests.simulation.processes import TOO_MANY, KilledError, LeftError, Process
from tests.simulation.promises import BrokenError
from tests.simulation.schedule import Mishap
from tests.simulation.service import TOKEN_URL
from withings_auth.errors import LockBusy, StoreError, StoreNotDurable, StoreUnavailable
from withings_auth.model import Grant
from withings_auth.provider.replies import Answer, Outcome

if TYPE_CHECKING:
    from tests.simulation.play import Play

LATEST_LOCK_TIMEOUT_SECONDS = 30.0  # a lock's time-out is the least one waits: the machine is busy
NAME = "token/default"


class Machine:
    """The play's `SecretStore`, its one name while that is held, and the notes; and all that a `Effects` is made of."""

    description = "the play"

    def __init__(self, play: Play) -> None:
        self._play = play
        self._main = getcurrent()
        self._uses: dict[str, int] = {}
        self._mishaps = iter(play.schedule.mishaps)
        self._store_faults = play.schedule.store_faults
        self.record: str | None = None
        self.slip: str | None = None
        self.lock_owner: Process | None = None

    @property
    def notes(self) -> Machine:
        """The notes of the one name that there is."""
        return self

    def heal(self) -> None:
        """From now on nothing goes wrong."""
        self._mishaps, self._store_faults = iter(()), ()

    def _stop(self, seconds: float = 0.0, *, for_lock: bool = False) -> Process:
        """Lets others go on; returns the running process when it is its turn again."""
        process = self._play.active
        if process.dead:
            raise KilledError
        process.wakes_at = self._play.true + seconds if seconds else 0.0
        process.waits_for_lock = for_lock
        self._main.switch()
        if process.dead:
            raise KilledError
        return process

    # The store

    def load(self, name: str) -> str | None:
        """Returns the record."""
        assert name == NAME
        process = self._stop()
        if self._fault(process, "load"):
            raise StoreUnavailable("the keyring is locked")
        if self.record is None and process.ask is not None:
            process.ask.nobody_logged_in = True
        return self.record

    def save(self, text: str) -> None:
        """Replaces the record in one step; what is told can be worse than what was done."""
        process = self._stop()
        how = self._fault(process, "save")
        if how is None or how == "saved, and cannot tell":
            self._report_save(process, Grant.read(text))
            self.record = text
        self._stop()
        if how is not None:
            error: type[StoreError] = StoreUnavailable if how == "unavailable" else StoreNotDurable
            raise error("the disk is full", hint="make room")

    def _report_save(self, process: Process, grant: Grant) -> None:
        self._play.happened(process, f"saves {short(grant.access_token)} with {short(grant.refresh_token)}")
        if process.ask is None:
            self._play.promises.login_saved(grant)
        else:
            self._play.promises.saved(process.ask, grant)

    def clear(self) -> bool:
        """Removes the record, as only a logout may."""
        process = self._stop()
        self._play.happened(process, "removes the login")
        if process.ask is not None:
            raise BrokenError("a renewal removes the login")
        self._play.promises.login_saved(None)
        found, self.record = self.record is not None, None
        return found

    def names(self) -> list[str]:
        """Returns the one name, if it holds something."""
        return [] if self.record is None else [NAME]

    def stamp(self, name: str) -> Hashable:
        """Returns the record itself, which never comes again."""
        return name, self.record

    def _fault(self, process: Process, use: str) -> str | None:
        """How this use of the store goes wrong, if it does."""
        if not self._store_faults:
            return None
        number = self._uses.get(use, 0)
        self._uses[use] = number + 1
        for fault in self._store_faults:
            if fault.use == use and fault.number == number:
                self._play.happened(process, f"{use}: {fault.how}")
                self._play.tally[f"store: {use}: {fault.how}"] += 1
                if process.ask is not None:
                    process.ask.trouble.append(fault.how)
                return fault.how
        return None

    # The lock, and the notes beside it

    def lock(self, name: str, timeout: float) -> Lock:
        """Holds the name, once it is entered."""
        assert name == NAME
        return Lock(self, timeout)

    def acquire(self, timeout: float) -> None:
        """Takes the lock, or raises what a store raises."""
        self._play.promises.tries_the_lock(self._play.active.ask)
        process = self._stop()
        if self._fault(process, "lock"):
            raise StoreUnavailable("the lock file cannot be opened")
        if self.lock_owner is not None:
            self._play.happened(process, "waits for the lock")
            self._play.tally["waits for the lock"] += 1
            self._stop(max(timeout, LATEST_LOCK_TIMEOUT_SECONDS), for_lock=True)
            if self.lock_owner is not None:
                self._play.happened(process, "has waited long enough")
                if process.ask is not None:
                    process.ask.trouble.append("busy")
                raise LockBusy("busy")
        self.lock_owner = process

    def release(self) -> None:
        """Lets the lock go, unless it went when its holder was killed."""
        if self.lock_owner is self._play.active:
            self.lock_owner = None

    def recall(self) -> str | None:
        """Returns what was noted last."""
        self._stop()
        return self.slip

    def note(self, text: str | None) -> None:
        """Replaces the notes in one step."""
        process = self._stop()
        if self._fault(process, "note"):
            raise StoreUnavailable("no space left on device")
        self.slip = text
        if process.ask is not None:
            self._play.promises.noted(process.ask)

    # The world

    def wall(self) -> float:
        """The clock that can be set."""
        ask = self._play.active.ask
        if ask is not None:
            ask.looked_at = self._play.true
        return self._play.wall

    def steady(self) -> float:
        """The clock that cannot."""
        return self._play.steady

    def wait(self, seconds: float) -> None:
        """Sleeps, unless nobody is there any more."""
        process = self._play.active
        if process.left:
            raise LeftError
        if seconds > 0:
            self._play.happened(process, f"waits for {seconds:g} s")
            if process.ask is not None:
                process.ask.waited_seconds += seconds
            if self._stop(seconds).left:
                raise LeftError

    def post(self, url: str, form: Mapping[str, str], **_: object) -> Outcome:
        """Asks Withings; can be killed before it acts, and after that before the answer is heard."""
        assert url == TOKEN_URL
        process = self._stop()
        process.in_flight = True
        mishap = next(self._mishaps, None)
        if mishap is not None and mishap.seconds_before:
            self._stop(mishap.seconds_before)
        outcome, seconds = self._reach_withings(process, form, mishap)
        self._stop(seconds)
        process.in_flight = False
        return outcome

    def _reach_withings(
        self, process: Process, form: Mapping[str, str], mishap: Mishap | None
    ) -> tuple[Outcome, float]:
        play, ask, refresh_token = self._play, process.ask, form["refresh_token"]
        assert ask is not None
        wrong = f"; what goes wrong: {mishap.written()}" if mishap else ""
        play.happened(process, f"sends the refresh token {short(refresh_token)}{wrong}")
        play.tally["requests"] += 1
        ask.requests = ask.requests + 1 if ask.sends == refresh_token else 1
        ask.sends = refresh_token
        if mishap is None or mishap.kind != "not_sent":
            play.promises.request(ask, refresh_token)
        if mishap is not None:
            ask.trouble.append(mishap.trouble)
            play.tally[f"answers: {mishap.kind}"] += 1
        outcome, seconds, renewed = play.service.trade(form, mishap)
        if renewed:
            play.tally["refreshes"] += 1
            play.promises.renewed(ask, refresh_token)
        if isinstance(outcome, Answer):
            ask.heard = refresh_token if renewed else ask.heard
            if b'"status": 601' in outcome.body:
                ask.told_to_wait = True
                if mishap is None or mishap.kind != TOO_MANY:
                    ask.trouble.append(TOO_MANY)
        play.promises.answered(ask, refresh_token)
        return outcome, seconds


class Lock:
    """The one lock there is; the notes lie beside it."""

    def __init__(self, machine: Machine, timeout: float) -> None:
        self._machine = machine
        self._timeout = timeout

    def __enter__(self) -> Machine:
        self._machine.acquire(self._timeout)
        return self._machine

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._machine.release()


def short(token: str) -> str:
    """Returns the number that the play's Withings made the token of."""
    return f"#{token[-40:].lstrip('0')}"
