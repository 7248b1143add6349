"""What happens in one simulation, as data: drawn from a seed, so that a number is enough to repeat it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from itertools import product
from random import Random
from typing import Any, NamedTuple, TypeVar

from withings_auth.sandbox.switches import Switches

T = TypeVar("T")

HOUR = 3600.0
UNTIL_QUIET = 1_000
ANOTHER_USER = "another_user"
LATE_AND_LOST = "done, the answer is late, and the lock is lost"
TOO_LONG_SECONDS = 13  # a renewal waits for up to twelve


class Action(Enum):
    """What happens to the three processes, to the clocks and to the login."""

    ASK = "asks for a token that lives {amount:g} s"
    REJECT = "reports its token as refused, and asks for one that lives {amount:g} s"
    USE = "uses its token, and asks again if that is refused"
    KILL = "a running process is killed"
    ABANDON = "a running process is abandoned"
    PASS = "{amount:g} s pass"
    SUSPEND = "the machine sleeps for {amount:g} s"
    JUMP = "the machine's clock jumps by {amount:g} s"
    LOG_IN = "the user logs in again"
    LOG_OUT = "the user logs out"
    EXPIRE = "Withings ends the access token early"
    REVOKE = "the user ends the login at Withings"
    HOLD = "another program holds the lock for {amount:g} s"
    OVERTAKE = "a program that ignores the lock renews the login, and saves it {amount:g} s later"
    LOSE = "the store's server ends the session of the lock's holder"
    AWAY = "the store's server is away for {amount:g} s"


class Event(NamedTuple):
    """An action, and how many steps of the processes come before it. `who` is a process, or one of those that run."""

    after_steps: int
    action: Action
    who: int
    amount: float


class AnswerFault(NamedTuple):
    """How an answer fails: a fault of the sandbox with its details, `not_sent`, or tokens of another user.

    `seconds_before` is how long the request takes to arrive.
    """

    kind: str
    details: Mapping[str, Any]
    seconds_before: float = 0.0

    @property
    def trouble(self) -> str:
        """Returns the kind, marked if a renewal cannot recover from it by itself."""
        return f"{self.kind} for long" if self.details.get("wait_seconds") == TOO_LONG_SECONDS else self.kind

    def written(self) -> str:
        """Returns the kind and its details."""
        on_its_way = f"{self.seconds_before:g} s on its way, then " if self.seconds_before else ""
        return on_its_way + " ".join([self.kind, *(f"{name}={value}" for name, value in self.details.items())])


class StoreFault(NamedTuple):
    """The n-th use of the store of this kind fails in this way."""

    use: str
    number: int
    how: str


class Server(NamedTuple):
    """The store is on a server: how far its clock is ahead of the true time, and those of A's, B's and C's machines."""

    ahead: float
    machines_ahead: tuple[float, ...]

    def written(self) -> str:
        """Returns the clocks."""
        on_machines = ", ".join(f"{ahead:+g} s" for ahead in self.machines_ahead)
        return f"{self.ahead:+g} s on the server; {on_machines} on the machines of A, B and C"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One simulation. `picks` says which process takes the next step, as indices into those that can."""

    seed: int
    switches: Switches
    token_age_seconds: float
    events: tuple[Event, ...]
    answer_faults: tuple[AnswerFault | None, ...]
    store_faults: tuple[StoreFault, ...]
    picks: bytes
    server: Server | None = None

    def written(self) -> str:
        """Returns the schedule as text."""
        changed = [
            f"{field.name}={value}"
            for field in fields(Switches)
            if (value := getattr(self.switches, field.name)) != field.default
        ]
        answer_faults = [fault.written() if fault else "works" for fault in self.answer_faults]
        lines = [
            f"schedule {self.seed}: the token is {self.token_age_seconds:g} s old",
            f"  switches: {', '.join(changed) or 'the defaults'}",
            f"  answers:  {', '.join(answer_faults) or 'works'}",
            f"  store:    {', '.join(f'{use} {number}: {how}' for use, number, how in self.store_faults) or 'works'}",
        ]
        if self.server is not None:
            lines.append(f"  clocks:   {self.server.written()}")
        for event in self.events:
            when = "when nothing runs" if event.after_steps == UNTIL_QUIET else f"after {event.after_steps} steps"
            who = f"{'ABC'[event.who]} " if event.action in _OF_A_PROCESS else ""
            lines.append(f"  {when:>17}: {who}{event.action.value.format(amount=event.amount)}")
        return "\n".join(lines)


_OF_A_PROCESS = {Action.ASK, Action.REJECT, Action.USE}


def _table(*weighted: tuple[T, int]) -> tuple[T, ...]:
    table = tuple(one for one, weight in weighted for _ in range(weight))
    assert len(table) == 64, "six bits choose from it"
    return table


_ACTIONS = _table(
    *((Action.ASK, 18), (Action.KILL, 11), (Action.PASS, 10), (Action.USE, 6), (Action.REJECT, 4), (Action.JUMP, 3)),
    *(
        (Action.SUSPEND, 2),
        (Action.EXPIRE, 2),
        (Action.ABANDON, 1),
        (Action.LOG_IN, 1),
        (Action.LOG_OUT, 1),
        (Action.REVOKE, 1),
        (Action.HOLD, 2),
        (Action.OVERTAKE, 2),
    ),
)
_MIN_VALID_SECONDS = _table((60.0, 44), (0.0, 5), (900.0, 5), (9000.0, 10))
_PASSES_SECONDS = _table(
    *((0.5, 5), (5.0, 6), (9.9, 4), (10.5, 5), (15.0, 6), (61.0, 5), (HOUR, 4), (2.99 * HOUR, 4), (3.1 * HOUR, 8)),
    *((5 * HOUR, 5), (7.99 * HOUR, 5), (8.1 * HOUR, 5), (25 * HOUR, 2)),
)
_JUMPS_SECONDS = _table(
    *((5.0, 4), (-5.0, 6), (11.0, 6), (-11.0, 6), (100.0, 6), (-100.0, 6), (HOUR, 6), (-HOUR, 6)),
    *((3 * HOUR, 4), (-3 * HOUR, 4), (24 * HOUR, 5), (-24 * HOUR, 5)),
)
_HOLDS_SECONDS = _table((1.0, 8), (45.0, 16), (200.0, 40))
_SAVES_LATER_SECONDS = _table((0.0, 48), (2.0, 16))
_AGES_SECONDS = _table((3.01 * HOUR, 40), (2.99 * HOUR, 10), (HOUR, 6), (30.0, 4), (48 * HOUR, 4))
_STEPS = _table(*((steps, 3) for steps in range(13)), (13, 2), (14, 2), (UNTIL_QUIET, 21))
_ACTED = {"performs": True}
_ANSWER_FAULTS = _table(
    (None, 17),
    (AnswerFault("lost", {}), 11),
    (AnswerFault("lost", {}, seconds_before=15.0), 2),
    (AnswerFault("lost_before", {}), 3),
    (AnswerFault("truncated", {}), 2),
    (AnswerFault("not_sent", {}), 4),
    (AnswerFault("slow", {"seconds": 9.0}), 3),
    (AnswerFault("slow", {"seconds": 30.0}), 2),
    (AnswerFault("too_many", {"wait_seconds": 3}), 3),
    (AnswerFault("too_many", {"wait_seconds": 12}), 2),
    (AnswerFault("too_many", {"wait_seconds": TOO_LONG_SECONDS}), 2),
    (AnswerFault("bad_gateway", {}), 2),
    (AnswerFault("bad_gateway", _ACTED), 2),
    (AnswerFault("html", _ACTED), 2),
    (AnswerFault("timeout_status", _ACTED), 3),
    (AnswerFault("wrong_shape", _ACTED), 1),
    (AnswerFault("status", {"status": 1001, "error": "An error occurred", **_ACTED}), 1),
    (AnswerFault("status", {}), 1),
    (AnswerFault(ANOTHER_USER, {}), 1),
)
_STORE_FAULTS = _table(
    *((("save", "nothing saved"), 14), (("save", "saved, but raises"), 10), (("save", "unavailable"), 6)),
    *((("load", "unavailable"), 10), (("lock", "unavailable"), 6), (("note", "unavailable"), 18)),
)
_SWITCHES = tuple(
    Switches(
        access_token_survives_refresh=survives,
        repeated_refresh_restarts_grace=restarts,
        repeated_refresh_returns_same_pair=same,
        earlier_answer_dies_on_repeat=dies,
        wait_seconds_told=told,
        failures_carry_body=body,
        second_consent="kills_at_exchange" if kills else "kills_nothing",
    )
    for survives, restarts, same, dies, told, body, kills in product((False, True), repeat=7)
)


_LATE = AnswerFault("slow", {"seconds": 1.0}, seconds_before=15.0)
_LOSSES = (Action.LOSE,) * 12 + (Action.AWAY,) * 4
_AWAY_SECONDS = _table((1.0, 16), (15.0, 16), (40.0, 12), (200.0, 12), (4 * HOUR, 8))
_CLOCKS_SECONDS = (0.0, -HOUR, HOUR, -0.4, 2.6, -HOUR, HOUR, 0.0)


def drawn_with_server(seed: int) -> Schedule:
    """Returns the schedule of a seed for a store on a server: the same, but locks are lost and all clocks are wrong."""
    random = Random(f"a server, {seed}")  # noqa: S311  as below
    bits = random.getrandbits
    schedule = drawn(seed)
    events: list[Event] = []
    for number, event in enumerate(schedule.events):
        if event.action is Action.JUMP or (number and bits(2) == 0):
            action = _LOSSES[bits(4)]
            amount = _AWAY_SECONDS[bits(6)] if action is Action.AWAY else 0.0
            # Within so many steps a renewal is under way; after four to seven it has a request on its way.
            events.append(Event(4 + bits(2) if bits(1) else bits(4), action, 0, amount))
            if bits(1):
                events.append(Event(bits(1), Action.ASK, 1 + bits(1), 60.0))
        if event.action is not Action.JUMP:
            events.append(event)
    faults = tuple(_LATE if fault is None or bits(2) == 0 else fault for fault in schedule.answer_faults)
    use = ("save", "save", "note", "note", "note", "load", "load", "lock")[bits(3)]
    how = ("lost", "done, but lost", "done, but lost", LATE_AND_LOST)[bits(2) if use == "note" else bits(1)]
    number = bits(2)
    if how == LATE_AND_LOST:  # of the first note, while somebody waits for the lock
        number = 0
        events.insert(1, Event(bits(3), Action.ASK, 1, 60.0))
    return replace(
        schedule,
        events=tuple(events),
        answer_faults=faults,
        store_faults=(StoreFault(use, number, how),) if bits(2) == 0 else (),
        server=Server(_CLOCKS_SECONDS[bits(3)], tuple(_CLOCKS_SECONDS[bits(3)] for _ in range(3))),
    )


def drawn(seed: int) -> Schedule:
    """Returns the schedule of a seed."""
    random = Random(seed)  # noqa: S311  nothing here is secret, and all of it is repeatable
    bits = random.getrandbits
    events = [Event(0, Action.ASK, 0, _MIN_VALID_SECONDS[bits(6)])]
    for _ in range(3 + bits(2)):
        action = _ACTIONS[bits(6)]
        amounts = _AMOUNTS.get(action)
        # Within eight steps a process that asked is still running; later there is none to kill.
        steps = bits(3) if action is Action.KILL else _STEPS[bits(6)]
        events.append(Event(steps, action, _WHO[bits(3)], amounts[bits(6)] if amounts else 0.0))
    return Schedule(
        seed=seed,
        switches=_SWITCHES[bits(7)],
        token_age_seconds=_AGES_SECONDS[bits(6)],
        events=tuple(events),
        answer_faults=tuple(_ANSWER_FAULTS[bits(6)] for _ in range(bits(2))),
        store_faults=_drawn_store_faults(random) if bits(2) == 0 else (),
        picks=random.randbytes(32),
    )


def _drawn_store_faults(random: Random) -> tuple[StoreFault, ...]:
    use, how = _STORE_FAULTS[random.getrandbits(6)]
    first = random.getrandbits(2)
    return tuple(StoreFault(use, first + number, how) for number in range(1 + random.getrandbits(1)))


_WHO = (0, 0, 0, 0, 1, 1, 1, 2)
_AMOUNTS = {
    Action.ASK: _MIN_VALID_SECONDS,
    Action.REJECT: _MIN_VALID_SECONDS,
    Action.PASS: _PASSES_SECONDS,
    Action.SUSPEND: _PASSES_SECONDS,
    Action.JUMP: _JUMPS_SECONDS,
    Action.HOLD: _HOLDS_SECONDS,
    Action.OVERTAKE: _SAVES_LATER_SECONDS,
}
