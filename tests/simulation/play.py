"""One schedule, played from its first event until all has healed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from tests.simulation.machine import Machine, short
from tests.simulation.person import logged_in, login, logout
from tests.simulation.processes import Ask, KilledError, LeftError, Process
from tests.simulation.promises import BrokenError, Promises
from tests.simulation.schedule import Deed, Event, Schedule
from tests.simulation.service import APP, Service
from withings_auth.errors import LoginRequired, WithingsAuthError
from withings_auth.model import Grant
from withings_auth.store.base import Notes
from withings_auth.tokens.renewal import Effects
from withings_auth.tokens.requirement import Requirement

START = 1_700_000_000.0
MOST_STEPS = 3_000

Renew = Callable[..., Grant]


class Play:
    """The state of one play: time, three processes, their machine, Withings, and the promises."""

    def __init__(self, schedule: Schedule, tally: Counter[str], renew: Renew, trace: list[str] | None = None) -> None:
        self.tally = tally
        self.true = START
        self.offset = 0.0
        self.jumps = 0
        self._asleep_seconds = 0.0
        self._trace = trace
        self.schedule = schedule
        self._renew = renew
        self._picked = 0
        self._told: WithingsAuthError | None = None
        self.service = Service(lambda: self.true, schedule.switches)
        self.processes = [Process(name="A"), Process(name="B"), Process(name="C")]
        self.active = self.processes[0]
        self.machine = Machine(self)
        self.machine_notes: Notes = _Slip(self.machine)
        self.promises = Promises(self)
        self._effects = Effects(
            post=self.machine.post, now=self.machine.wall, wait=self.machine.wait, steady=self.machine.steady
        )

    @property
    def wall(self) -> float:
        """The machine's clock, which people and time servers set."""
        return self.true + self.offset

    @property
    def steady(self) -> float:
        """The machine's clock that nobody sets; it stands still while the machine sleeps."""
        return self.true - self._asleep_seconds

    def broken(self) -> str | None:
        """Plays; returns what was not kept."""
        try:
            logged_in(self)
            self.true += self.schedule.token_age_seconds
            for event in self.schedule.events:
                self._run(event.after_steps)
                self._do(event)
            self._run(MOST_STEPS)
            self._heal()
        except BrokenError as error:
            return str(error)
        finally:
            for process in self.processes:
                if process.running is not None:
                    process.kill()
        return None

    def happened(self, process: Process | None, what: str) -> None:
        """Writes a line of the trace."""
        if self._trace is not None:
            who = process.name if process else " "
            clock = f" (clock {self.offset:+g})" if self.offset else ""
            self._trace.append(f"{self.true - START:>10.1f} s  {who}  {what}{clock}")

    # The scheduler

    def _run(self, steps: int) -> None:
        for _ in range(steps):
            if not self._step():
                return
        if steps == MOST_STEPS:
            raise BrokenError("it never ends")

    def _step(self) -> bool:
        """Lets one process go on to its next stop, if need be after a while; says whether there was one."""
        busy = [process for process in self.processes if process.running is not None]
        if not busy:
            return False
        while not (ready := [process for process in busy if self._is_ready(process)]):
            self.true = min(process.wakes_at for process in busy)
        if len(ready) > 1:
            picks = self.schedule.picks
            self._picked += 1
            self._go_on(ready[picks[self._picked % len(picks)] % len(ready)])
        else:
            self._go_on(ready[0])
        return True

    def _is_ready(self, process: Process) -> bool:
        freed = process.waits_for_lock and self.machine.lock_owner is None
        return freed or process.left or process.wakes_at <= self.true

    def _go_on(self, process: Process) -> None:
        self.active = process
        process.running.switch()
        if process.running.dead:
            process.running = process.ask = None

    def _do(self, event: Event) -> None:
        process = self.processes[event.who]
        match event.deed:
            case Deed.ASK:
                self._ask(process, event.amount, None)
            case Deed.REJECT:
                self._ask(process, event.amount, process.held)
            case Deed.USE:
                self._use(process)
            case Deed.KILL | Deed.LEAVE:
                busy = [one for one in self.processes if one.running is not None]
                if busy:
                    self._stop(busy[event.who % len(busy)], event.deed)
            case Deed.PASS | Deed.SUSPEND:
                self._pass(event.amount, asleep=event.deed is Deed.SUSPEND)
            case Deed.JUMP:
                self._jump(event.amount)
            case Deed.LOG_IN:
                self.tally["logins"] += self._start(process, login(self), "logs in")
            case Deed.LOG_OUT:
                self.tally["logouts"] += self._start(process, logout(self), "logs out")
            case Deed.EXPIRE:
                self.service.withings.ledger.expire_access_token()
                self.happened(None, "Withings ends all access tokens")
            case Deed.REVOKE:
                self.service.revoke()
                self.happened(None, "the person ends the login at Withings")

    # What is done

    def _ask(self, process: Process, min_valid: float, rejected: str | None) -> None:
        ask = Ask(min_valid=min_valid, rejected=rejected, jumps_before=self.jumps, began=self.steady)
        refused = f", {short(rejected)} having been refused" if rejected else ""
        if self._start(process, lambda: self._transaction(process, ask), f"asks for {min_valid:g} s{refused}", ask):
            self.tally["asks"] += 1

    def _start(self, process: Process, work: Callable[[], None], what: str, ask: Ask | None = None) -> bool:
        if process.running is not None:
            return False
        self.happened(process, what)
        process.start(work)
        process.ask = ask
        self._go_on(process)
        return True

    def _transaction(self, process: Process, ask: Ask) -> None:
        requirement = Requirement(min_valid=ask.min_valid, rejected=ask.rejected)
        try:
            grant = self._renew(
                self.machine, "default", requirement, secret_for=lambda _: APP.client_secret, effects=self._effects
            )
        except KilledError:
            return
        except LeftError:
            self.happened(process, "ends, nobody being there any more")
            self.tally["ended because nobody waited"] += 1
        except WithingsAuthError as error:
            self.happened(process, f"is told: {type(error).__name__}: {error}")
            self.tally[f"told {type(error).__name__}"] += 1
            self._told = error
            self.promises.failed(ask, error)
        else:
            self.happened(process, f"has the access token {short(grant.access_token)}")
            self.promises.handed_out(ask, grant)
            self.tally["tokens handed out"] += 1
            process.held = grant.access_token

    def _use(self, process: Process) -> None:
        if process.held is not None and process.running is None and not self._works(process):
            self._ask(process, 60.0, process.held)

    def _works(self, process: Process) -> bool:
        assert process.held is not None
        taken = self.service.takes(process.held)
        self.happened(process, f"uses {short(process.held)}, which is {'taken' if taken else 'refused'}")
        self.tally["tokens taken" if taken else "tokens refused"] += 1
        return taken

    def _stop(self, process: Process, deed: Deed) -> None:
        if deed is Deed.LEAVE:
            self.happened(process, "is not waited for any more")
            process.left = process.ask is not None
            return
        self.happened(process, "is killed")
        self._tally_kill(process)
        process.kill()
        if self.machine.lock_owner is process:
            self.machine.lock_owner = None
        self.promises.deadline_stands()

    def _tally_kill(self, process: Process) -> None:
        self.tally["kills"] += 1
        if process.in_flight:
            self.tally["kills before the answer is heard"] += 1
        elif process.ask is not None and process.ask.heard is not None:
            stored = self.promises.stored
            saved = stored is None or stored.refresh_token != process.ask.heard
            self.tally["kills after the save" if saved else "kills between answer and save"] += 1

    def _pass(self, seconds: float, *, asleep: bool) -> None:
        self.happened(None, f"{seconds:g} s pass{' while the machine sleeps' if asleep else ''}")
        self.true += seconds
        self._asleep_seconds += seconds if asleep else 0.0
        self.tally["sleeps of the machine"] += asleep
        self._trouble("time passes")

    def _jump(self, seconds: float) -> None:
        self.offset += seconds
        self.jumps += 1
        self.tally["jumps of the clock"] += 1
        self.happened(None, "the clock is set")
        self._trouble("the clock is set")

    def _trouble(self, what: str) -> None:
        for process in self.processes:
            if process.ask is not None:
                process.ask.trouble.append(what)

    # The end

    def _heal(self) -> None:
        """Nothing goes wrong any more and the clock is right: who asks now has a token that works, or must log in."""
        self.happened(None, "all is well again")
        self.machine.heal()
        if self.offset:
            self._jump(-self.offset)
        process = self.processes[2]
        rejected: str | None = None
        for _ in range(4):
            error = self._asked_to_the_end(process, rejected)
            if isinstance(error, LoginRequired):
                return
            if error is not None:  # the promises let one other error pass: that of a token too young to be renewed
                self._pass((error.retry_after or 0) + 1, asleep=False)
            elif self._works(process):
                return
            else:
                rejected = process.held
        raise BrokenError("the login lives, all is well, and nobody gets a token that works")

    def _asked_to_the_end(self, process: Process, rejected: str | None) -> WithingsAuthError | None:
        process.held = self._told = None
        self._ask(process, 60.0, rejected)
        self._run(MOST_STEPS)
        return self._told


class _Slip:
    """The notes, read from outside."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def recall(self) -> str | None:
        return self._machine.slip

    def note(self, text: str | None) -> None:
        raise AssertionError(f"nobody notes from outside: {text}")
