"""Three processes on one machine, the store that they share, and the moments at which they can be stopped.

A process is a greenlet that runs the real transaction. Wherever that touches the world it stops, and the play
decides who goes on. A killed process does nothing any more: what unwinds in it has no effect, and its lock is free,
as the kernel sees to it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]

from withings_auth.errors import RenewalBusy, StoreError, StoreNotDurable, StoreUnavailable
from withings_auth.protocol import Outcome

if TYPE_CHECKING:
    from .play import Play

LATEST_LOCK_TIMEOUT_SECONDS = 30.0  # a lock's time-out is the least one waits: the machine is busy
NAME = "token/default"


class KilledError(BaseException):
    """Unwinds a process that exists no more."""


class LeftError(BaseException):
    """Nobody waits for the process any more, as `source` has it."""


@dataclass(slots=True)
class Sent:
    """When a refresh token was sent, as far as whoever keeps the guard can know; and after how many jumps."""

    at: float
    arrived_at: float
    jumps: int


@dataclass(slots=True, kw_only=True)
class Ask:
    """What one process has done, and what has been done to it, since it asked."""

    min_valid: float
    rejected: str | None
    jumps_before: int
    waited_seconds: float = 0.0
    requests: int = 0
    looked_at: float = 0.0
    noted_at: float | None = None
    sent: Sent | None = None
    trouble: list[str] = field(default_factory=list)
    nobody_logged_in: bool = False
    refused: bool = False
    heard: str | None = None
    unheard: str | None = None
    told_to_wait: bool = False
    saved: str | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Process:
    """One of the three. `held` is the token in its memory; a process that is killed starts anew without one."""

    name: str
    held: str | None = None
    ask: Ask | None = None
    running: greenlet = None
    wakes_at: float = 0.0
    waits_for_lock: bool = False
    in_flight: bool = False
    left: bool = False
    dead: bool = False

    def start(self, work: Callable[[], None]) -> None:
        """Begins something; it goes on until its first stop."""
        self.dead = self.left = self.in_flight = self.waits_for_lock = False
        self.wakes_at = 0.0
        self.running = greenlet(work)

    def kill(self) -> None:
        """Ends what is running, at once."""
        self.dead = True
        if not self.running.dead:
            self.running.throw(KilledError)
        self.running = self.held = self.ask = None
        self.in_flight = False


class Machine:
    """What the processes share: `SecretStore` for the transaction, and its clocks, waits and requests."""

    description = "the play"

    def __init__(self, play: Play) -> None:
        self._play = play
        self._main = getcurrent()
        self.record: str | None = None
        self.slip: str | None = None
        self.lock_owner: Process | None = None
        self._uses: dict[str, int] = {}

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

    def _fault(self, process: Process, use: str) -> str | None:
        """How this use of the store goes wrong, if it does."""
        faults = self._play.store_faults
        if not faults:
            return None
        number = self._uses.get(use, 0)
        self._uses[use] = number + 1
        for fault in faults:
            if fault.use == use and fault.number == number:
                self._play.happened(process, f"{use}: {fault.how}")
                self._play.tally[f"store: {use}: {fault.how}"] += 1
                if process.ask is not None:
                    process.ask.trouble.append(fault.how)
                return fault.how
        return None

    def load(self, name: str) -> str | None:
        assert name == NAME
        process = self._stop()
        if self._fault(process, "load"):
            raise StoreUnavailable("the keyring is locked")
        if self.record is None and process.ask is not None:
            process.ask.nobody_logged_in = True
        return self.record

    def save(self, name: str, text: str) -> None:
        assert name == NAME
        process = self._stop()
        how = self._fault(process, "save")
        if how is None or how == "saved, and cannot tell":
            self._play.saves(process, text)
            self.record = text
        self._stop()
        if how is not None:
            error: type[StoreError] = StoreUnavailable if how == "unavailable" else StoreNotDurable
            raise error("the disk is full", hint="make room")

    def clear(self, name: str) -> bool:
        assert name == NAME
        process = self._stop()
        self._play.clears(process)
        found, self.record = self.record is not None, None
        return found

    def names(self) -> list[str]:
        return [] if self.record is None else [NAME]

    def stamp(self, name: str) -> Hashable:
        return name, self.record

    def lock(self, name: str, timeout: float) -> Lock:
        assert name == NAME
        return Lock(self, timeout)

    def acquire(self, timeout: float) -> None:
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
                raise RenewalBusy("busy")
        self.lock_owner = process

    def release(self) -> None:
        if self.lock_owner is self._play.active:  # a killed process lost it before
            self.lock_owner = None

    def recall(self) -> str | None:
        self._stop()
        return self.slip

    def note(self, text: str | None) -> None:
        process = self._stop()
        if self._fault(process, "note"):
            raise StoreUnavailable("no space left on device")
        self.slip = text
        self._play.notes(process)

    def wait(self, seconds: float) -> None:
        process = self._play.active
        if process.left:
            raise LeftError
        if seconds > 0:
            self._play.waits(process, seconds)
            if self._stop(seconds).left:
                raise LeftError

    def post(self, url: str, form: Mapping[str, str]) -> Outcome:
        process = self._stop()
        process.in_flight = True
        mishap = self._play.next_mishap()
        if mishap is not None and mishap.seconds_before:
            self._stop(mishap.seconds_before)
        outcome, seconds = self._play.sends(process, url, form, mishap)
        self._stop(seconds)
        process.in_flight = False
        return outcome

    def wall(self) -> float:
        ask = self._play.active.ask
        if ask is not None:
            ask.looked_at = self._play.true
        return self._play.wall

    def steady(self) -> float:
        return self._play.steady


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
