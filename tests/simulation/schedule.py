"""What happens in one play, as data: drawn from a seed, so that a number is all one needs to see it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from itertools import product
from random import Random
from typing import Any, NamedTuple, TypeVar

from withings_auth.sandbox.switches import Switches

T = TypeVar("T")

HOUR = 3600.0
UNTIL_QUIET = 1_000
TOO_LONG_SECONDS = 13  # twelve are waited out


class Deed(Enum):
    """What is done to the three processes, to the clocks and to the login."""

    ASK = "asks for a token that lives {amount:g} s"
    REJECT = "reports its token as refused, and asks for one that lives {amount:g} s"
    USE = "uses its token, and asks again if that is refused"
    KILL = "one of those who are busy is killed"
    LEAVE = "one of those who are busy is not waited for any more"
    PASS = "{amount:g} s pass"
    SUSPEND = "the machine sleeps for {amount:g} s"
    JUMP = "the machine's clock jumps by {amount:g} s"
    LOG_IN = "a person logs in again"
    LOG_OUT = "a person logs out"
    EXPIRE = "Withings ends the access token early"
    REVOKE = "the person ends the login at Withings"


class Event(NamedTuple):
    """A deed, and how many steps of the processes come before it. `who` is one of the three, or of the busy ones."""

    after_steps: int
    deed: Deed
    who: int
    amount: float


class Mishap(NamedTuple):
    """How an answer goes wrong: a fault of the sandbox with its details, or `not_sent`.

    `seconds_before` is how long the request is on its way.
    """

    kind: str
    details: Mapping[str, Any]
    seconds_before: float = 0.0

    @property
    def trouble(self) -> str:
        """Returns the kind, told apart where it is more than a process mends on the spot."""
        return f"{self.kind} for long" if self.details.get("wait_seconds") == TOO_LONG_SECONDS else self.kind

    def written(self) -> str:
        """Returns the kind, with what is special about it."""
        on_its_way = f"{self.seconds_before:g} s on its way, then " if self.seconds_before else ""
        return on_its_way + " ".join([self.kind, *(f"{name}={value}" for name, value in self.details.items())])


class StoreFault(NamedTuple):
    """The n-th use of the store of this kind goes wrong in this way."""

    use: str
    number: int
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One play. `picks` says who takes the next step, as indices into whoever can."""

    seed: int
    switches: Switches
    token_age_seconds: float
    events: tuple[Event, ...]
    mishaps: tuple[Mishap | None, ...]
    store_faults: tuple[StoreFault, ...]
    picks: bytes

    def written(self) -> str:
        """Returns the schedule for a person to read."""
        turned = [
            f"{field.name}={value}"
            for field in fields(Switches)
            if (value := getattr(self.switches, field.name)) != field.default
        ]
        mishaps = [mishap.written() if mishap else "well" for mishap in self.mishaps]
        lines = [
            f"schedule {self.seed}: the token is {self.token_age_seconds:g} s old",
            f"  switches: {', '.join(turned) or 'as they are'}",
            f"  answers:  {', '.join(mishaps) or 'well'}",
            f"  store:    {', '.join(f'{use} {number}: {how}' for use, number, how in self.store_faults) or 'well'}",
        ]
        for event in self.events:
            when = "when all is quiet" if event.after_steps == UNTIL_QUIET else f"after {event.after_steps} steps"
            who = f"{'ABC'[event.who]} " if event.deed in _OF_A_PROCESS else ""
            lines.append(f"  {when:>17}: {who}{event.deed.value.format(amount=event.amount)}")
        return "\n".join(lines)


_OF_A_PROCESS = {Deed.ASK, Deed.REJECT, Deed.USE}


def _table(*weighted: tuple[T, int]) -> tuple[T, ...]:
    table = tuple(one for one, weight in weighted for _ in range(weight))
    assert len(table) == 64, "six bits choose from it"
    return table


_DEEDS = _table(
    *((Deed.ASK, 19), (Deed.KILL, 12), (Deed.PASS, 12), (Deed.USE, 6), (Deed.REJECT, 4), (Deed.JUMP, 3)),
    *((Deed.SUSPEND, 2), (Deed.EXPIRE, 2), (Deed.LEAVE, 1), (Deed.LOG_IN, 1), (Deed.LOG_OUT, 1), (Deed.REVOKE, 1)),
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
_AGES_SECONDS = _table((3.01 * HOUR, 40), (2.99 * HOUR, 10), (HOUR, 6), (30.0, 4), (48 * HOUR, 4))
_STEPS = _table(*((steps, 3) for steps in range(13)), (13, 2), (14, 2), (UNTIL_QUIET, 21))
_ACTED = {"performs": True}
_MISHAPS = _table(
    (None, 18),
    (Mishap("lost", {}), 11),
    (Mishap("lost", {}, seconds_before=15.0), 2),
    (Mishap("lost_before", {}), 3),
    (Mishap("truncated", {}), 2),
    (Mishap("not_sent", {}), 4),
    (Mishap("slow", {"seconds": 9.0}), 3),
    (Mishap("slow", {"seconds": 30.0}), 2),
    (Mishap("too_many", {"wait_seconds": 3}), 3),
    (Mishap("too_many", {"wait_seconds": 12}), 2),
    (Mishap("too_many", {"wait_seconds": TOO_LONG_SECONDS}), 2),
    (Mishap("bad_gateway", {}), 2),
    (Mishap("bad_gateway", _ACTED), 2),
    (Mishap("html", _ACTED), 2),
    (Mishap("timeout_status", _ACTED), 3),
    (Mishap("wrong_shape", _ACTED), 1),
    (Mishap("status", {"status": 1001, "error": "An error occurred", **_ACTED}), 1),
    (Mishap("status", {}), 1),
)
_STORE_FAULTS = _table(
    *((("save", "nothing saved"), 14), (("save", "saved, and cannot tell"), 10), (("save", "unavailable"), 6)),
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


def drawn(seed: int) -> Schedule:
    """Returns the schedule of a seed."""
    random = Random(seed)  # noqa: S311  nothing here is secret, and all of it is to come again
    bits = random.getrandbits
    events = [Event(0, Deed.ASK, 0, _MIN_VALID_SECONDS[bits(6)])]
    for _ in range(3 + bits(2)):
        deed = _DEEDS[bits(6)]
        amounts = _AMOUNTS.get(deed)
        # Whoever has been asking is still at it within eight steps; later there is nobody to be killed.
        steps = bits(3) if deed is Deed.KILL else _STEPS[bits(6)]
        events.append(Event(steps, deed, _WHO[bits(3)], amounts[bits(6)] if amounts else 0.0))
    return Schedule(
        seed=seed,
        switches=_SWITCHES[bits(7)],
        token_age_seconds=_AGES_SECONDS[bits(6)],
        events=tuple(events),
        mishaps=tuple(_MISHAPS[bits(6)] for _ in range(bits(2))),
        store_faults=_drawn_store_faults(random) if bits(2) == 0 else (),
        picks=random.randbytes(32),
    )


def _drawn_store_faults(random: Random) -> tuple[StoreFault, ...]:
    use, how = _STORE_FAULTS[random.getrandbits(6)]
    first = random.getrandbits(2)
    return tuple(StoreFault(use, first + number, how) for number in range(1 + random.getrandbits(1)))


_WHO = (0, 0, 0, 0, 1, 1, 1, 2)
_AMOUNTS = {
    Deed.ASK: _MIN_VALID_SECONDS,
    Deed.REJECT: _MIN_VALID_SECONDS,
    Deed.PASS: _PASSES_SECONDS,
    Deed.SUSPEND: _PASSES_SECONDS,
    Deed.JUMP: _JUMPS_SECONDS,
}
