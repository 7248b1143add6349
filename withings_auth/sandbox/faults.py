"""Trouble on order: the next answers of a service go wrong in the way that was asked for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, get_args

from .refusals import PROVIDER_TIMEOUT, SAME_ARGUMENTS
from .values import Reply, json_reply, redirect_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FaultKind = Literal[
    "html",
    "bad_gateway",
    "redirect",
    "too_many",
    "timeout_status",
    "slow",
    "lost",
    "lost_before",
    "wrong_shape",
    "huge",
    "status",
    "truncated",
    "hostile_text",
]
FaultPlace = Literal["authorize", "token", "old_token", "signature", "api", "measure", "user", "notify", "any"]

HOSTILE_TEXT = "Invalid\x1b[2J\x1b]0;owned\x07\x1b[31m Params\r\n\x00\x08\u202e\u2066 forged line\x9b31m"
"""Clears a screen, sets a window's title, colours, breaks lines, writes backwards: never to reach a terminal raw."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a kind of fault behaves, and which details it takes with which defaults."""

    performs: bool
    """Whether the service does what was asked before the answer goes wrong."""
    details: Mapping[str, object] = field(default_factory=dict)


_KINDS: Mapping[str, _Kind] = {
    "html": _Kind(False, {"http_status": 200}),
    "bad_gateway": _Kind(False, {"http_status": 502}),
    "redirect": _Kind(False, {"location": "/developer"}),
    "too_many": _Kind(False, {"wait_seconds": 10}),
    "timeout_status": _Kind(False),
    "slow": _Kind(True, {"seconds": 5.0}),
    "lost": _Kind(True),
    "lost_before": _Kind(False),
    "wrong_shape": _Kind(False, {"json": {"status": 0, "body": {"access_token": 7, "expires_in": "soon"}}}),
    "huge": _Kind(False, {"size": 2 * 1024 * 1024}),
    "status": _Kind(False, {"status": 2555, "error": "An unknown error occurred"}),
    "truncated": _Kind(True),
    "hostile_text": _Kind(False, {"status": 2555, "error": HOSTILE_TEXT}),
}

_FIXED = frozenset({"slow", "lost", "lost_before"})
"""The kinds that are defined by whether the service does its work; the others can be told by `performs`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One order: what goes wrong, where, how often."""

    kind: str
    where: str
    times: int
    performs: bool
    details: Mapping[str, object]


class Faults:
    """The orders that stand, oldest first; each answer takes at most one."""

    def __init__(self) -> None:
        self._standing: list[Fault] = []

    def order(self, kind: str, *, times: int, where: str, details: Mapping[str, object]) -> None:
        """Let the next `times` answers of a service go wrong; what is not understood is a ValueError."""
        if kind not in _KINDS:
            raise ValueError(f"no fault is called {kind!r}; there are {', '.join(_KINDS)}")
        if where not in get_args(FaultPlace):
            raise ValueError(f"no service is called {where!r}; there are {', '.join(get_args(FaultPlace))}")
        if isinstance(times, bool) or not isinstance(times, int) or times < 1:
            raise ValueError(f"times is a number from 1, not {times!r}")
        wanted = dict(details)
        performs = wanted.pop("performs", _KINDS[kind].performs)
        if performs not in {True, False} or (kind in _FIXED and performs != _KINDS[kind].performs):
            raise ValueError(f"fault {kind} cannot have performs {performs!r}")
        checked = {**_KINDS[kind].details, **_checked(kind, wanted)}
        self._standing.append(Fault(kind=kind, where=where, times=times, performs=bool(performs), details=checked))

    def clear(self) -> None:
        """Forget all orders."""
        self._standing.clear()

    @property
    def standing(self) -> tuple[Fault, ...]:
        """The orders that have not been used up."""
        return tuple(self._standing)

    def take(self, *places: str) -> Fault | None:
        """The oldest order for one of the places, one time of it used up."""
        for index, fault in enumerate(self._standing):
            if fault.where in {"any", *places}:
                if fault.times == 1:
                    del self._standing[index]
                else:
                    self._standing[index] = replace(fault, times=fault.times - 1)
                return fault
        return None


def _checked(kind: str, details: Mapping[str, object]) -> Mapping[str, object]:
    defaults = _KINDS[kind].details
    for name, value in details.items():
        if name not in defaults:
            known = ", ".join([*defaults, "performs"])
            raise ValueError(f"fault {kind} has no detail {name!r}; it has {known}")
        default = defaults[name]
        fits = isinstance(value, (int, float) if isinstance(default, float) else type(default))
        if name != "json" and (isinstance(value, bool) or not fits):
            raise ValueError(f"detail {name} of fault {kind} cannot be {value!r}")
        if isinstance(value, int | float) and value < 0:
            raise ValueError(f"detail {name} of fault {kind} cannot be negative")
    return details


def spoiled(fault: Fault, perform: Callable[[], Reply]) -> Reply:
    """The answer that goes wrong; the service does its work first if the fault is of that sort."""
    true_reply = perform() if fault.performs else Reply()
    details = fault.details
    match fault.kind:
        case "slow":
            return replace(true_reply, delay_seconds=float(str(details["seconds"])))
        case "lost" | "lost_before":
            return replace(true_reply, delivery="none")
        case "truncated":
            return replace(true_reply if fault.performs else json_reply({"status": 0}), delivery="half")
        case "html" | "bad_gateway":
            return _html(int(str(details["http_status"])))
        case "redirect":
            return redirect_reply(str(details["location"]))
        case "wrong_shape":
            return json_reply(details["json"])
        case "huge":
            return json_reply({"status": 0, "body": {"padding": "x" * int(str(details["size"]))}})
        case "too_many":
            body = {"wait_seconds": details["wait_seconds"]}
            return json_reply({"status": SAME_ARGUMENTS.status, "body": body, "error": SAME_ARGUMENTS.text})
        case "timeout_status":
            return json_reply({"status": PROVIDER_TIMEOUT.status, "body": {}, "error": PROVIDER_TIMEOUT.text})
        case _:
            return json_reply({"status": details["status"], "body": {}, "error": details["error"]})


def _html(http_status: int) -> Reply:
    title = "Bad Gateway" if http_status >= 500 else "Maintenance"
    page = f"<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Reply(http_status=http_status, media_type="text/html", body=page.encode())
