"""The machines of three processes, whose store is on a server: it ends sessions, goes away, and has the right time.

A process that loses its session lives on without the lock; nothing that it saves or notes after that is kept.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, NoReturn

from greenlet import greenlet  # type: ignore[import-untyped]  # it has no types

from tests.simulation.machine import NAME, Machine
from tests.simulation.processes import Process
from tests.simulation.schedule import LATE_AND_LOST, Server
from tests.simulation.service import TIME_LIMIT_SECONDS, TOKEN_URL
from withings_auth.errors import LockLost
from withings_auth.model import Grant
from withings_auth.provider.replies import AnswerLost, Outcome
from withings_auth.store.base import STAMP_AGE_SECONDS

if TYPE_CHECKING:
    from tests.simulation.engine import Simulation

LATE_SECONDS = 30.0  # as if the machine had slept


class ServedMachines(Machine):
    """The store as each process sees it, and the parts of the `Effects` on its machine."""

    def __init__(self, simulation: Simulation, server: Server) -> None:
        super().__init__(simulation)
        self._server = server
        self._away_until = 0.0
        self._alive: dict[Process, bool] = {}  # whether the session in which a process took the lock is
        self._known: dict[greenlet, float] = {}  # how far the server's clock is ahead, as it has said
        self._seen: dict[greenlet, tuple[float, str | None]] = {}

    def heal(self) -> None:
        """From now on nothing fails."""
        super().heal()
        self._away_until = 0.0

    def end_sessions(self, seconds_away: float = 0.0) -> None:
        """Ends the session of the lock's holder; the server is away for so long."""
        self._away_until = max(self._away_until, self._simulation.now + seconds_away)
        owner, self.lock_owner = self.lock_owner, None
        if owner is not None and owner in self._alive:
            self._alive[owner] = False
            self._simulation.log(owner, "has lost the lock")
            self._simulation.counts["locks lost"] += 1
            if owner.in_flight:
                self._simulation.counts["locks lost with a request on its way"] += 1
            elif owner.ask is not None and owner.ask.heard is not None:
                self._simulation.counts["locks lost after the answer"] += 1

    # The store

    def _use(self, use: str) -> tuple[Process, str | None]:
        process = self._stop()
        how = self._fault(process, use)
        if how == "lost" or (how is not None and use in {"load", "lock"}):
            self._lose(process)
        self._hear(process)
        return process, how

    def _hear(self, process: Process) -> None:
        """Hears from the server. Raises `LockLost` if that is away, or the session has ended."""
        if self._simulation.now < self._away_until or self._alive.get(process) is False:
            self._lose(process)
        self._known[process.running] = self._server.ahead - self._machine_ahead(process)

    def _lose(self, process: Process) -> NoReturn:
        if self.lock_owner is process:
            self.end_sessions()
        if process.ask is not None:
            process.ask.trouble.append("server lost")
        raise LockLost("the server is out of reach", hint="ask again")

    def load(self, name: str) -> str | None:
        """Returns the record."""
        ask = self._simulation.active.ask
        if ask is not None:
            ask.load_lost = True
        process, _ = self._use("load")
        if ask is not None:
            ask.load_lost = False
            ask.nobody_logged_in |= self.record is None
            ask.read = None if self.record is None else Grant.from_record(self.record).refresh_token
            ask.read_under_lock = ask.read if process in self._alive else ask.read_under_lock
        assert name == NAME
        self._seen[process.running] = self._simulation.now, self.record
        return self.record

    def stamp(self, name: str) -> Hashable:
        """Returns what was seen within the last second, or before the server went away."""
        at, record = self._seen.get(self._simulation.active.running, (0.0, None))
        is_away = self._simulation.now < self._away_until
        return (name, record) if is_away or self._simulation.now - at < STAMP_AGE_SECONDS else None

    def save(self, text: str) -> None:
        """Replaces the record in one step, if the session has not ended; the answer can be lost."""
        process = self._simulation.active
        if process.ask is not None:
            process.ask.save_lost = True
        process, how = self._use("save")
        self._report_save(process, Grant.from_record(text))
        self.record = text
        self._overtake_who_lost_the_lock()
        self._stop()
        if how is not None:
            self._lose(process)
        self._hear(process)
        if process.ask is not None:
            process.ask.save_lost = False

    def clear(self) -> bool:
        """Removes the record, which only a logout may do."""
        self._use("clear")
        found = super().clear()
        self._overtake_who_lost_the_lock()
        return found

    def _overtake_who_lost_the_lock(self) -> None:
        for process, alive in self._alive.items():
            if process.ask is not None and not alive:
                process.ask.overtaken = True

    # The lock, and the notes beside it

    def acquire(self, timeout: float) -> Process:
        """Takes the lock in a new session, and returns its holder."""
        self._alive.pop(self._simulation.active, None)
        process = super().acquire(timeout)
        self._alive[process] = True
        self._hear(process)
        return process

    def release(self, holder: Process) -> None:
        """Ends the session."""
        super().release(holder)
        self._alive.pop(holder, None)

    def recall(self) -> str | None:
        """Returns the notes."""
        self._hear(self._stop())
        return self.slip

    def note(self, text: str | None) -> None:
        """Replaces the notes in one step, if the session has not ended; the answer can be lost."""
        process, how = self._use("note")
        self.slip = text
        if process.ask is not None:
            self._simulation.promises.noted(process.ask, text)
        if how == LATE_AND_LOST:
            self.end_sessions()
            self._stop(LATE_SECONDS)
        elif how is not None:
            self._lose(process)

    def lock_can_be_lost(self) -> bool:
        """Whether a holder can lose its lock and live on."""
        return True

    # The clocks, and the network

    def clock_offset(self) -> float:
        """Returns how far the server's clock is ahead, once the server has said so."""
        return self._known.get(self._simulation.active.running, 0.0)

    def wall(self) -> float:
        """Returns the time of this process's machine."""
        super().wall()
        return self._simulation.now + self._machine_ahead(self._simulation.active)

    def _machine_ahead(self, process: Process) -> float:
        return self._server.machines_ahead[self._simulation.processes.index(process)]

    def post(self, url: str, form: Mapping[str, str], **_: object) -> Outcome:
        """Asks Withings; a request that has not arrived within its time limit never does."""
        assert url == TOKEN_URL
        process, began = self._simulation.active, self._simulation.now
        process.in_flight_since = began
        self._stop()
        process.in_flight = True
        fault = next(self._answer_faults, None)
        if fault is not None and fault.seconds_before:
            self._stop(fault.seconds_before)
        left = began + TIME_LIMIT_SECONDS - self._simulation.now
        outcome: Outcome = AnswerLost(why="no answer in time")
        if left > 0:
            outcome, seconds = self._reach_withings(process, form, fault, left)
            self._stop(seconds)
        elif process.ask is not None:
            process.ask.trouble.append("slow")
        process.in_flight = False
        self._simulation.promises.heard(process.ask, outcome)
        return outcome
