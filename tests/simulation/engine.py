"""Runs one schedule, from its first event until everything works again and a program has a token once more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from tests.simulation.machine import Machine, short
from tests.simulation.processes import AbandonedError, KilledError, Process, TokenRequest
from tests.simulation.promises import BrokenPromiseError, Promises
from tests.simulation.schedule import Action, Event, Schedule
from tests.simulation.server import ServedMachines
from tests.simulation.server_promises import ServerPromises
from tests.simulation.service import APP, Service
from tests.simulation.user import begin_holding, begin_login, begin_logout, begin_overtaking, start_logged_in
from withings_auth.errors import LoginRequired, WithingsAuthError
from withings_auth.model import Grant
from withings_auth.store.base import Notes
from withings_auth.tokens.renewal import Effects
from withings_auth.tokens.requirement import Requirement
from withings_auth.tokens.source import LONGEST_MIN_VALID_SECONDS

START = 1_700_000_000.0
MOST_STEPS = 3_000

Renew = Callable[..., Grant]


class Simulation:
    """The state of one simulation: time, three processes, the machine they share, Withings, and the promises."""

    def __init__(self, schedule: Schedule, counts: Counter[str], renew: Renew, trace: list[str] | None = None) -> None:
        self.counts = counts
        self.now = START
        self.offset = schedule.server.ahead if schedule.server is not None else 0.0
        self._right_offset = self.offset
        self.jumps = 0
        self._asleep_seconds = 0.0
        self._trace = trace
        self.schedule = schedule
        self._renew = renew
        self._picked = 0
        self._error: WithingsAuthError | None = None
        self.service = Service(lambda: self.now, schedule.switches)
        self.processes = [Process(name="A"), Process(name="B"), Process(name="C")]
        self.active = self.processes[0]
        self.machine = Machine(self) if schedule.server is None else ServedMachines(self, schedule.server)
        self.machine_notes: Notes = _Notes(self.machine)
        self.promises = Promises(self) if schedule.server is None else ServerPromises(self)
        self._effects = Effects(
            post=self.machine.post, now=self.machine.wall, wait=self.machine.wait, steady=self.machine.steady
        )

    @property
    def wall(self) -> float:
        """The store's clock: the machine's, which users and time servers set, or the server's."""
        return self.now + self.offset

    @property
    def steady(self) -> float:
        """The machine's monotonic clock, which stops while the machine sleeps."""
        return self.now - self._asleep_seconds

    def broken(self) -> str | None:
        """Runs it all; returns the promise that was broken, if any."""
        try:
            start_logged_in(self)
            self.now += self.schedule.token_age_seconds
            for event in self.schedule.events:
                self._run(event.after_steps)
                self._do(event)
            self._run(MOST_STEPS)
            self._heal()
        except BrokenPromiseError as error:
            return str(error)
        finally:
            for process in self.processes:
                if process.running is not None:
                    process.kill()
        return None

    def log(self, process: Process | None, what: str) -> None:
        """Adds a line to the trace."""
        if self._trace is not None:
            who = process.name if process else " "
            clock = f" (clock {self.offset:+g})" if self.offset else ""
            self._trace.append(f"{self.now - START:>10.1f} s  {who}  {what}{clock}")

    # The scheduler

    def _run(self, steps: int) -> None:
        for _ in range(steps):
            if not self._step():
                return
        if steps == MOST_STEPS:
            raise BrokenPromiseError("it never ends")

    def _step(self) -> bool:
        """Runs one process to its next stop, after a while if all of them wait. Returns false if none is running."""
        busy = [process for process in self.processes if process.running is not None]
        if not busy:
            return False
        while not (ready := [process for process in busy if self._is_ready(process)]):
            self.now = min(process.wakes_at for process in busy)
        if len(ready) > 1:
            picks = self.schedule.picks
            self._picked += 1
            self._resume(ready[picks[self._picked % len(picks)] % len(ready)])
        else:
            self._resume(ready[0])
        return True

    def _is_ready(self, process: Process) -> bool:
        freed = process.waits_for_lock and self.machine.lock_owner is None
        return freed or process.abandoned or process.wakes_at <= self.now

    def _resume(self, process: Process) -> None:
        self.active = process
        process.running.switch()
        if process.running.dead:
            process.running = process.ask = None

    def _do(self, event: Event) -> None:
        process = self.processes[event.who]
        match event.action:
            case Action.ASK:
                self._ask(process, event.amount, None)
            case Action.REJECT:
                self._ask(process, event.amount, process.held)
            case Action.USE:
                self._use(process)
            case Action.KILL | Action.ABANDON:
                busy = [one for one in self.processes if one.running is not None]
                if busy:
                    self._stop(busy[event.who % len(busy)], event.action)
            case Action.PASS | Action.SUSPEND:
                self._pass(event.amount, asleep=event.action is Action.SUSPEND)
            case Action.JUMP:
                self._jump(event.amount)
            case Action.LOSE | Action.AWAY:
                assert isinstance(self.machine, ServedMachines)
                self.log(None, event.action.value.format(amount=event.amount))
                self.counts["times the server was away"] += event.action is Action.AWAY
                self.machine.end_sessions(event.amount)
            case Action.LOG_IN:
                self.counts["logins"] += self._start(process, begin_login(self), "logs in")
            case Action.LOG_OUT:
                self.counts["logouts"] += self._start(process, begin_logout(self), "logs out")
            case Action.HOLD:
                self._start(process, begin_holding(self, event.amount), "hangs under the lock")
                self._ask(self.processes[event.who - 1], LONGEST_MIN_VALID_SECONDS, None)  # a living token may not do
            case Action.OVERTAKE:
                self._start(process, begin_overtaking(self, event.amount), "renews without the lock")
            case Action.EXPIRE:
                self.service.withings.ledger.expire_access_token()
                self.log(None, "Withings ends all access tokens")
            case Action.REVOKE:
                self.service.revoke()
                self.log(None, "the user ends the login at Withings")

    # The actions

    def _ask(self, process: Process, min_valid: float, rejected: str | None) -> None:
        ask = TokenRequest(min_valid=min_valid, rejected=rejected, jumps_before=self.jumps, began=self.steady)
        refused = f", because {short(rejected)} was refused" if rejected else ""
        if self._start(process, lambda: self._transaction(process, ask), f"asks for {min_valid:g} s{refused}", ask):
            self.counts["asks"] += 1

    def _start(self, process: Process, work: Callable[[], None], what: str, ask: TokenRequest | None = None) -> bool:
        if process.running is not None:
            return False
        self.log(process, what)
        process.start(work)
        process.ask = ask
        self._resume(process)
        return True

    def _transaction(self, process: Process, ask: TokenRequest) -> None:
        requirement = Requirement(min_valid=ask.min_valid, rejected=ask.rejected)
        try:
            grant = self._renew(
                self.machine, "default", requirement, secret_for=lambda _: APP.client_secret, effects=self._effects
            )
        except KilledError:
            return
        except AbandonedError:
            self.log(process, "stops, since nobody waits for it any more")
            self.counts["ended because nobody waited"] += 1
        except WithingsAuthError as error:
            self.log(process, f"gets {type(error).__name__}: {error}")
            self.counts[f"error {type(error).__name__}"] += 1
            self._error = error
            self.promises.failed(ask, error)
        else:
            self.log(process, f"has the access token {short(grant.access_token)}")
            self.promises.returned(ask, grant)
            self.counts["tokens returned"] += 1
            process.held = grant.access_token

    def _use(self, process: Process) -> None:
        if process.held is not None and process.running is None and not self._works(process):
            self._ask(process, 60.0, process.held)

    def _works(self, process: Process) -> bool:
        assert process.held is not None
        accepted = self.service.takes(process.held)
        self.log(process, f"uses {short(process.held)}, which is {'accepted' if accepted else 'refused'}")
        self.counts["tokens accepted" if accepted else "tokens refused"] += 1
        return accepted

    def _stop(self, process: Process, action: Action) -> None:
        if action is Action.ABANDON:
            self.log(process, "is abandoned")
            process.abandoned = process.ask is not None
            return
        self.log(process, "is killed")
        self._count_kill(process)
        process.kill()
        if self.machine.lock_owner is process:
            self.machine.lock_owner = None
        self.promises.deadline_is_noted()

    def _count_kill(self, process: Process) -> None:
        self.counts["kills"] += 1
        if process.in_flight:
            self.counts["kills before the answer is heard"] += 1
        elif process.ask is not None and process.ask.heard is not None:
            stored = self.promises.stored
            saved = stored is None or stored.refresh_token != process.ask.heard
            self.counts["kills after the save" if saved else "kills between answer and save"] += 1

    def _pass(self, seconds: float, *, asleep: bool) -> None:
        self.log(None, f"{seconds:g} s pass{' while the machine sleeps' if asleep else ''}")
        self.now += seconds
        self._asleep_seconds += seconds if asleep else 0.0
        self.counts["sleeps of the machine"] += asleep
        self._trouble("time passes")

    def _jump(self, seconds: float) -> None:
        self.offset += seconds
        self.jumps += 1
        self.counts["jumps of the clock"] += 1
        self.log(None, "the clock is set")
        self._trouble("the clock is set")

    def _trouble(self, what: str) -> None:
        for process in self.processes:
            if process.ask is not None:
                process.ask.trouble.append(what)

    # The end: everything works again

    def _heal(self) -> None:
        """Nothing fails any more and the clock is right: asking gives a token that works, or the user must log in."""
        self.log(None, "everything works again")
        self.machine.heal()
        if self.offset != self._right_offset:
            self._jump(self._right_offset - self.offset)
        process = self.processes[2]
        rejected: str | None = None
        for _ in range(4):
            error = self._ask_to_the_end(process, rejected)
            if isinstance(error, LoginRequired):
                return
            if error is not None:  # the promises allow one other error: the token is too young to be renewed
                self._pass((error.retry_after or 0) + 1, asleep=False)
            elif self._works(process):
                return
            else:
                rejected = process.held
        raise BrokenPromiseError("the login is alive and everything works, but nobody gets a token that works")

    def _ask_to_the_end(self, process: Process, rejected: str | None) -> WithingsAuthError | None:
        process.held = self._error = None
        self._ask(process, 60.0, rejected)
        self._run(MOST_STEPS)
        return self._error


class _Notes:
    """The notes as another program reads them."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def recall(self) -> str | None:
        return self._machine.slip

    def note(self, text: str | None) -> None:
        raise AssertionError(f"nobody else writes notes: {text}")
