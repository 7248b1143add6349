"""The machine that the processes share: its store, its lock, its clocks and its network.

Each use is a stop: there other processes run, time passes, and a process can be killed. Whatever happens is reported to
the promises.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING

from greenlet import getcurrent  # type: ignore[import-untyped]  # it has no types

from tests.simulation.processes import TOO_MANY, AbandonedError, KilledError, Process
from tests.simulation.promises import BrokenPromiseError
from tests.simulation.schedule import AnswerFault
from tests.simulation.service import TOKEN_URL
from withings_auth.errors import LockBusy, StoreError, StoreNotDurable, StoreUnavailable
from withings_auth.model import Grant
from withings_auth.provider.replies import Answer, AnswerLost, Outcome

if TYPE_CHECKING:
    from tests.simulation.engine import Simulation

LATEST_LOCK_TIMEOUT_SECONDS = 30.0  # a lock's timeout is a lower bound: the machine is busy
NAME = "token/default"


class Machine:
    """The simulation's `SecretStore`, its one name while held, the notes, and the parts of the `Effects`."""

    description = "the simulation"

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._main = getcurrent()
        self._uses: dict[str, int] = {}
        self._answer_faults = iter(simulation.schedule.answer_faults)
        self._store_faults = simulation.schedule.store_faults
        self.record: str | None = None
        self.slip: str | None = None
        self.lock_owner: Process | None = None

    @property
    def notes(self) -> Machine:
        """The notes of the one name that there is."""
        return self

    def heal(self) -> None:
        """From now on nothing fails."""
        self._answer_faults, self._store_faults = iter(()), ()

    def _stop(self, seconds: float = 0.0, *, for_lock: bool = False) -> Process:
        """Lets other processes run; returns the running process when it is its turn again."""
        process = self._simulation.active
        if process.dead:
            raise KilledError
        process.wakes_at = self._simulation.now + seconds if seconds else 0.0
        process.waits_for_lock = for_lock
        self._main.switch()
        if process.dead:
            raise KilledError
        return process

    # The store

    def _use(self, use: str) -> tuple[Process, str | None]:
        """Stops before this use of the store; returns the running process, and how the use fails, None if it works."""
        process = self._stop()
        return process, self._fault(process, use)

    def load(self, name: str) -> str | None:
        """Returns the record."""
        assert name == NAME
        process, how = self._use("load")
        if how is not None:
            raise StoreUnavailable("the keyring is locked")
        if process.ask is not None:
            process.ask.nobody_logged_in |= self.record is None
            process.ask.read = None if self.record is None else _refresh_token(self.record)
        return self.record

    def save(self, text: str) -> None:
        """Replaces the record in one step; it can raise although it has saved."""
        process, how = self._use("save")
        if how is None or how == "saved, but raises":
            self._report_save(process, Grant.from_record(text))
            self.record = text
        self._stop()
        if how is not None:
            error: type[StoreError] = StoreUnavailable if how == "unavailable" else StoreNotDurable
            raise error("the disk is full", hint="make room")

    def overwrite(self, grant: Grant) -> None:
        """Replaces the record without the lock, as another program does."""
        self._simulation.log(self._simulation.active, f"saves {short(grant.access_token)} without the lock")
        self._simulation.promises.login_saved(grant)
        self.record = grant.to_record()
        for process in self._simulation.processes:
            if process.ask is not None:
                process.ask.overtaken = True

    def _report_save(self, process: Process, grant: Grant) -> None:
        self._simulation.log(process, f"saves {short(grant.access_token)} with {short(grant.refresh_token)}")
        if process.ask is None:
            self._simulation.promises.login_saved(grant)
        else:
            self._simulation.promises.saved(process.ask, grant)

    def clear(self) -> bool:
        """Removes the record, which only a logout may do."""
        process = self._stop()
        self._simulation.log(process, "removes the login")
        if process.ask is not None:
            raise BrokenPromiseError("a renewal removes the login")
        self._simulation.promises.login_saved(None)
        found, self.record = self.record is not None, None
        return found

    def names(self) -> list[str]:
        """Returns the one name if there is a record."""
        return [] if self.record is None else [NAME]

    def stamp(self, name: str) -> Hashable:
        """Returns the record itself, which never occurs twice."""
        return name, self.record

    def _fault(self, process: Process, use: str) -> str | None:
        """Returns how this use of the store fails, None if it works."""
        if not self._store_faults:
            return None
        number = self._uses.get(use, 0)
        self._uses[use] = number + 1
        for fault in self._store_faults:
            if fault.use == use and fault.number == number:
                self._simulation.log(process, f"{use}: {fault.how}")
                self._simulation.counts[f"store: {use}: {fault.how}"] += 1
                if process.ask is not None:
                    process.ask.trouble.append(fault.how)
                return fault.how
        return None

    # The lock, and the notes beside it

    def lock(self, name: str, timeout: float) -> Lock:
        """Holds the name, once it is entered."""
        assert name == NAME
        return Lock(self, timeout)

    def acquire(self, timeout: float) -> Process:
        """Takes the lock and returns its holder. Raises what a store raises."""
        self._simulation.promises.tries_the_lock(self._simulation.active.ask)
        process, how = self._use("lock")
        if how is not None:
            raise StoreUnavailable("the lock file cannot be opened")
        if self.lock_owner is not None:
            self._simulation.log(process, "waits for the lock")
            self._simulation.counts["waits for the lock"] += 1
            self._stop(max(timeout, LATEST_LOCK_TIMEOUT_SECONDS), for_lock=True)
            if self.lock_owner is not None:
                self._simulation.log(process, "has waited too long")
                if process.ask is not None:
                    process.ask.trouble.append("busy")
                raise LockBusy("busy")
        self.lock_owner = process
        return process

    def release(self, holder: Process) -> None:
        """Releases the lock, unless that has happened because its holder was killed, or has lost it."""
        if self.lock_owner is holder:
            self.lock_owner = None

    def recall(self) -> str | None:
        """Returns the notes."""
        self._stop()
        return self.slip

    def note(self, text: str | None) -> None:
        """Replaces the notes in one step."""
        process, how = self._use("note")
        if how is not None:
            raise StoreUnavailable("no space left on device")
        self.slip = text
        if process.ask is not None:
            self._simulation.promises.noted(process.ask, text)

    # The clocks, waiting, and the network

    def wall(self) -> float:
        """Returns the time of the clock that can be set."""
        ask = self._simulation.active.ask
        if ask is not None:
            ask.looked_at = self._simulation.now
            ask.clock = self._simulation.jumps, self._simulation.wall
        return self._simulation.wall

    def steady(self) -> float:
        """Returns the time of the clock that cannot."""
        return self._simulation.steady

    def wait(self, seconds: float) -> None:
        """Sleeps, unless nobody waits for the process any more."""
        process = self._simulation.active
        if process.abandoned:
            raise AbandonedError
        if seconds > 0:
            self._simulation.log(process, f"waits for {seconds:g} s")
            if process.ask is not None:
                process.ask.waited_seconds += seconds
            if self._stop(seconds).abandoned:
                raise AbandonedError

    def post(self, url: str, form: Mapping[str, str], **_: object) -> Outcome:
        """Asks Withings. The process can be killed before Withings acts, and again before it has the answer."""
        assert url == TOKEN_URL
        process = self._stop()
        process.in_flight = True
        fault = next(self._answer_faults, None)
        if fault is not None and fault.seconds_before:
            self._stop(fault.seconds_before)
        outcome, seconds = self._reach_withings(process, form, fault)
        self._stop(seconds)
        process.in_flight = False
        self._simulation.promises.heard(process.ask, outcome)
        return outcome

    def _reach_withings(
        self, process: Process, form: Mapping[str, str], fault: AnswerFault | None, seconds_left: float = math.inf
    ) -> tuple[Outcome, float]:
        simulation, ask, refresh_token = self._simulation, process.ask, form["refresh_token"]
        assert ask is not None
        wrong = f"; the answer fails: {fault.written()}" if fault else ""
        simulation.log(process, f"sends the refresh token {short(refresh_token)}{wrong}")
        simulation.counts["requests"] += 1
        ask.requests = ask.requests + 1 if ask.sends == refresh_token else 1
        ask.sends = refresh_token
        if fault is None or fault.kind != "not_sent":
            simulation.promises.request(ask, refresh_token)
        if fault is not None:
            ask.trouble.append(fault.trouble)
            simulation.counts[f"answers: {fault.kind}"] += 1
        outcome, seconds, renewed = simulation.service.trade(form, fault)
        if renewed:
            simulation.counts["refreshes"] += 1
            simulation.promises.renewed(ask, refresh_token)
        if seconds > seconds_left:
            outcome, seconds = AnswerLost(why="no answer in time"), seconds_left
        if isinstance(outcome, Answer):
            ask.heard = refresh_token if renewed else ask.heard
            if b"invalid refresh_token" in outcome.body:
                ask.ended = refresh_token
            if b'"status": 601' in outcome.body:
                ask.told_to_wait = True
                if fault is None or fault.kind != TOO_MANY:
                    ask.trouble.append(TOO_MANY)
        simulation.promises.answered(ask, refresh_token)
        return outcome, seconds


class Lock:
    """The one lock there is; the notes lie beside it."""

    def __init__(self, machine: Machine, timeout: float) -> None:
        self._machine = machine
        self._timeout = timeout

    def __enter__(self) -> Machine:
        self._holder = self._machine.acquire(self._timeout)
        return self._machine

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._machine.release(self._holder)


@lru_cache(maxsize=16)
def _refresh_token(record: str) -> str:
    return Grant.from_record(record).refresh_token


def short(token: str) -> str:
    """Returns the number from which the simulated Withings made the token."""
    return f"#{token[-40:].lstrip('0')}"
