"""Faults on order: how the next answers of a service go wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from .http import HttpReply, json_reply, redirect_reply
from .refusals import SAME_ARGUMENTS

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
FaultPlace = Literal["authorize", "token", "signature", "api", "measure", "sleep", "heart", "user", "notify", "any"]
"""A service; `api` is every data service, and one data service goes by the last part of its path."""

HOSTILE_TEXT = "Invalid\x1b[2J\x1b]0;owned\x07\x1b[31m Params\r\n\x00\x08\u202e\u2066 forged line\x9b31m"
"""Clears the screen, sets the window's title, colours, breaks lines, writes backwards: no terminal may get it raw."""

_DETAILS: Mapping[str, Mapping[str, object]] = {
    "html": {"performs": False, "http_status": 200},
    "bad_gateway": {"performs": False, "http_status": 502},
    "redirect": {"performs": False, "location": "/"},
    "too_many": {"performs": False, "wait_seconds": 10},
    "timeout_status": {"performs": False, "status": 522, "error": "Timeout"},
    "slow": {"seconds": 5.0},
    "lost": {},
    "lost_before": {},
    "wrong_shape": {"performs": False, "json": {"status": 0, "body": {"access_token": 7, "expires_in": "soon"}}},
    "huge": {"performs": False, "size": 2 * 1024 * 1024},
    "status": {"performs": False, "status": 2555, "error": "An unknown error occurred"},
    "truncated": {"performs": True},
    "hostile_text": {"performs": False, "status": 2555, "error": HOSTILE_TEXT},
}
"""By kind: the details that an order can set, with their defaults.

`performs` says whether the service does what was asked before its answer goes wrong; three kinds are defined by it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong, where, and how often."""

    kind: str
    where: str
    times: int
    details: Mapping[str, object]

    def spoil(self, perform: Callable[[], HttpReply]) -> HttpReply:
        """Returns the spoiled answer, after the service's own work if the fault performs it."""
        details = self.details
        performs = details.get("performs", self.kind != "lost_before")
        reply = perform() if performs else json_reply({"status": 0})
        match self.kind:
            case "slow":
                return replace(reply, delay_seconds=float(str(details["seconds"])))
            case "lost" | "lost_before":
                return replace(reply, delivery="none")
            case "truncated":
                return replace(reply, delivery="half")
            case "html" | "bad_gateway":
                http_status = int(str(details["http_status"]))
                title = "Bad Gateway" if http_status >= 500 else "Maintenance"
                page = f"<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
                return HttpReply(http_status=http_status, media_type="text/html", body=page.encode())
            case "redirect":
                return redirect_reply(str(details["location"]))
            case "wrong_shape":
                return json_reply(details["json"])
            case "huge":
                return json_reply({"status": 0, "body": {"padding": "x" * int(str(details["size"]))}})
            case "too_many":
                body = {"wait_seconds": details["wait_seconds"]}
                return json_reply({"status": SAME_ARGUMENTS.status, "body": body, "error": SAME_ARGUMENTS.text})
            case _:
                return json_reply({"status": details["status"], "body": {}, "error": details["error"]})


class Faults:
    """The faults on order, oldest first; each answer takes at most one."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []

    def order(self, kind: str, *, times: int = 1, where: str = "token", **details: object) -> None:
        """Makes the next `times` answers of a service go wrong; raises `ValueError` if the order makes no sense."""
        if kind not in _DETAILS:
            raise ValueError(f"there is no fault {kind!r}; there are {', '.join(_DETAILS)}")
        if where not in get_args(FaultPlace):
            raise ValueError(f"there is no service {where!r}; there are {', '.join(get_args(FaultPlace))}")
        if type(times) is not int or times < 1:
            raise ValueError(f"times must be 1 or more, not {times!r}")
        for name, value in details.items():
            _check_detail(kind, name, value)
        self._ordered.append(Fault(kind=kind, where=where, times=times, details={**_DETAILS[kind], **details}))

    def clear(self) -> None:
        self._ordered.clear()

    def take(self, *places: str) -> Fault | None:
        """Returns the oldest fault that was ordered for one of the places, and uses it once."""
        for index, fault in enumerate(self._ordered):
            if fault.where in {"any", *places}:
                self._ordered[index : index + 1] = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                return fault
        return None


def _check_detail(kind: str, name: str, value: object) -> None:
    defaults = _DETAILS[kind]
    if name not in defaults:
        raise ValueError(f"fault {kind} has no detail {name!r}; it has {', '.join(defaults) or 'none'}")
    default = defaults[name]
    fits = type(value) in {float, int} if isinstance(default, float) else type(value) is type(default)
    is_negative = isinstance(value, int | float) and value < 0
    if name != "json" and (is_negative or not fits):
        raise ValueError(f"detail {name} of fault {kind} cannot be {value!r}")
