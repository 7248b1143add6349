"""Enough of the data services for a client to be tried on: weights, devices and notifications."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .refusals import (
    DEAD_ACCESS_TOKEN,
    MISSING_SCOPE,
    NOT_IMPLEMENTED,
    WRONG_ACTION,
    RefusedError,
    invalid_parameter,
)
from .sample_data import TIMEZONE, devices, goals, weigh_ins

if TYPE_CHECKING:
    from collections.abc import Callable

    from .ledger import Ledger, Pair
    from .limits import Limits
    from .sample_data import Group
    from .values import Fields
    from .world import World

    Service = Callable[[Pair, Fields], dict[str, object]]

PAGE_SIZE = 100
"""How many groups one answer of `getmeas` holds. Withings does not say; a year needs several, so clients must page."""


class DataService:
    """Answers `/measure`, `/v2/user` and `/notify` for whoever holds a living access token."""

    def __init__(self, world: World, ledger: Ledger, limits: Limits) -> None:
        self._world = world
        self._ledger = ledger
        self._limits = limits
        self._subscriptions: dict[tuple[int, str, int], str] = {}
        # For each address and action: the scope that the token must have, if any, and what answers.
        self._services: dict[tuple[str, str], tuple[str, Service]] = {
            ("/measure", "getmeas"): ("user.metrics", self._weights),
            ("/v2/user", "getdevice"): ("user.info", self._devices),
            ("/notify", "list"): ("", self._notifications),
            ("/notify", "subscribe"): ("", self._subscribe),
        }

    def answer(self, path: str, fields: Fields, access_token: str) -> dict[str, object]:
        """One call with an access token; the first one that is let in counts as the token's first use."""
        self._world.counters.data_requests += 1
        if not access_token:
            raise RefusedError(DEAD_ACCESS_TOKEN)
        pair = self._ledger.use(access_token)
        if self._world.switches.same_arguments_refused == "everywhere":
            self._limits.refuse_same_arguments((path, access_token, frozenset(fields.texts.items())))
        self._limits.refuse_too_many(self._world.app.client_id)
        if not fields.text("action"):
            raise RefusedError(WRONG_ACTION)
        scope, service = self._services.get((path, fields.text("action")), ("", None))
        if service is None:
            raise RefusedError(NOT_IMPLEMENTED)
        if scope and scope not in pair.scopes:
            raise RefusedError(MISSING_SCOPE)
        return service(pair, fields)

    def unsubscribe(self, userid: int) -> None:
        """End the notifications of a person."""
        self._subscriptions = {key: text for key, text in self._subscriptions.items() if key[0] != userid}

    def _weights(self, pair: Pair, fields: Fields) -> dict[str, object]:
        now = int(self._world.clock.now())
        category = _number(fields, "category", 1)
        groups = weigh_ins(pair.userid, now) if category == 1 else goals(pair.userid, now)
        chosen = [group for group in groups if _in_time(group, fields, now)]
        if types := _types(fields):
            chosen = [narrowed for group in chosen if (narrowed := _narrowed(group, types))["measures"]]
        offset = _number(fields, "offset", 0)
        page = chosen[offset : offset + PAGE_SIZE]
        body: dict[str, object] = {"updatetime": now, "timezone": TIMEZONE, "measuregrps": page}
        if len(chosen) > offset + PAGE_SIZE:
            body |= {"more": 1, "offset": offset + PAGE_SIZE}
        return body

    def _devices(self, pair: Pair, _fields: Fields) -> dict[str, object]:
        return {"devices": devices(pair.userid, int(self._world.clock.now()))}

    def _notifications(self, pair: Pair, fields: Fields) -> dict[str, object]:
        appli = _number(fields, "appli", 0)
        profiles = [
            {"appli": number, "callbackurl": url, "comment": comment}
            for (userid, url, number), comment in self._subscriptions.items()
            if userid == pair.userid and appli in {0, number}
        ]
        return {"profiles": profiles}

    def _subscribe(self, pair: Pair, fields: Fields) -> dict[str, object]:
        """Remember the wish. Nothing is ever sent: the sandbox talks to nobody."""
        url = fields.text("callbackurl")
        if not url.startswith(("http://", "https://")):
            raise RefusedError(invalid_parameter("callbackurl"))
        appli = _number(fields, "appli", 1)
        self._subscriptions[pair.userid, url, appli] = fields.text("comment")
        return {}


def _number(fields: Fields, name: str, default: int) -> int:
    text = fields.text(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit()):
        raise RefusedError(invalid_parameter(name))
    return int(text)


def _types(fields: Fields) -> set[int]:
    """Which measures are wanted: one by `meastype`, or several by `meastypes`; none means all."""
    texts = [text for name in ("meastype", "meastypes") for text in fields.text(name).split(",") if text]
    if not all(text.isascii() and text.isdigit() for text in texts):
        raise RefusedError(invalid_parameter("meastype"))
    return {int(text) for text in texts}


def _in_time(group: Group, fields: Fields, now: int) -> bool:
    if fields.text("lastupdate"):
        return group["modified"] >= _number(fields, "lastupdate", 0)
    return _number(fields, "startdate", 0) <= group["date"] <= _number(fields, "enddate", now)


def _narrowed(group: Group, types: set[int]) -> Group:
    return {**group, "measures": [one for one in group["measures"] if one["type"] in types]}
