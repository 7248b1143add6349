"""The data services: weights, devices and notifications.

To add a service, write a method that takes the caller's pair and the parameters and returns the answer's body, and
name it in the table in `DataService.__init__`.
"""

from __future__ import annotations

from collections.abc import Callable

from . import refusals
from .http import HttpRequest, Parameters
from .ledger import Ledger, Pair
from .refusals import Limits, RefusedError
from .sample_data import TIMEZONE, Group, devices, goals, weigh_ins
from .state import State

Service = Callable[[Pair, Parameters], dict[str, object]]

PAGE_SIZE = 100
"""How many groups one answer of `getmeas` holds. Withings does not say; a year needs several, so clients must page."""


class DataService:
    """Answers whoever holds a live access token."""

    def __init__(self, state: State, ledger: Ledger, limits: Limits) -> None:
        self._state = state
        self._ledger = ledger
        self._limits = limits
        self._subscriptions: dict[tuple[int, str, int], str] = {}
        # By path and action: the scope that the token must have, if any, and the method that answers.
        self._services: dict[tuple[str, str], tuple[str | None, Service]] = {
            ("/measure", "getmeas"): ("user.metrics", self._measure),
            ("/v2/user", "getdevice"): ("user.info", self._list_devices),
            ("/notify", "list"): (None, self._list_subscriptions),
            ("/notify", "subscribe"): (None, self._subscribe),
        }
        self.paths = frozenset(path for path, _ in self._services)

    def answer(self, request: HttpRequest) -> dict[str, object]:
        """Returns the body of a successful answer, or raises `RefusedError`; a call with a live token uses it.

        The parameters may be in the form or the query, and the token in the header or among them.
        """
        self._state.counters.data_requests += 1
        texts = {**Parameters.parse(request.query).texts, **request.form.texts}
        access_token = texts.pop("access_token", "")
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            access_token = credentials.strip()
        if not access_token:
            raise RefusedError(refusals.DEAD_ACCESS_TOKEN)
        pair = self._ledger.use(access_token)
        if self._state.switches.same_arguments_refused == "everywhere":
            self._limits.refuse_same_arguments((request.path, access_token, frozenset(texts.items())))
        self._limits.refuse_too_many(self._state.client_id)
        action = texts.get("action", "")
        if not action:
            raise RefusedError(refusals.WRONG_ACTION)
        if (request.path, action) not in self._services:
            raise RefusedError(refusals.NOT_IMPLEMENTED)
        scope, service = self._services[request.path, action]
        if scope is not None and scope not in pair.scopes:
            raise RefusedError(refusals.MISSING_SCOPE)
        return service(pair, Parameters(texts))

    def unsubscribe(self, userid: int) -> None:
        """Ends a person's notifications."""
        self._subscriptions = {key: comment for key, comment in self._subscriptions.items() if key[0] != userid}

    def _measure(self, pair: Pair, parameters: Parameters) -> dict[str, object]:
        now = int(self._state.clock.now())
        category = _read_number(parameters, "category", 1)
        groups = weigh_ins(pair.userid, now) if category == 1 else goals(pair.userid, now)
        found = [group for group in groups if _is_in_time(group, parameters, now)]
        if types := _read_types(parameters):
            found = [narrowed for group in found if (narrowed := _narrow(group, types))["measures"]]
        offset = _read_number(parameters, "offset", 0)
        end = offset + PAGE_SIZE
        body: dict[str, object] = {"updatetime": now, "timezone": TIMEZONE, "measuregrps": found[offset:end]}
        if len(found) > end:
            body |= {"more": 1, "offset": end}
        return body

    def _list_devices(self, pair: Pair, _parameters: Parameters) -> dict[str, object]:
        return {"devices": devices(pair.userid, int(self._state.clock.now()))}

    def _list_subscriptions(self, pair: Pair, parameters: Parameters) -> dict[str, object]:
        appli = _read_number(parameters, "appli", 0)
        profiles = [
            {"appli": number, "callbackurl": url, "comment": comment}
            for (userid, url, number), comment in self._subscriptions.items()
            if userid == pair.userid and appli in {0, number}
        ]
        return {"profiles": profiles}

    def _subscribe(self, pair: Pair, parameters: Parameters) -> dict[str, object]:
        """Remembers the subscription. Nothing is ever sent, since the sandbox opens no connections."""
        url = parameters.text("callbackurl")
        if not url.startswith(("http://", "https://")):
            raise RefusedError(refusals.invalid_parameter("callbackurl"))
        appli = _read_number(parameters, "appli", 1)
        self._subscriptions[pair.userid, url, appli] = parameters.text("comment")
        return {}


def _read_number(parameters: Parameters, name: str, default: int) -> int:
    text = parameters.text(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit()):
        raise RefusedError(refusals.invalid_parameter(name))
    return int(text)


def _read_types(parameters: Parameters) -> set[int]:
    """Returns the types that were asked for, one as `meastype` or several as `meastypes`; none means all."""
    texts = [text for name in ("meastype", "meastypes") for text in parameters.text(name).split(",") if text]
    if not all(text.isascii() and text.isdigit() for text in texts):
        raise RefusedError(refusals.invalid_parameter("meastype"))
    return {int(text) for text in texts}


def _is_in_time(group: Group, parameters: Parameters, now: int) -> bool:
    date, modified = int(group["date"]), int(group["modified"])
    if parameters.text("lastupdate"):
        return modified >= _read_number(parameters, "lastupdate", 0)
    return _read_number(parameters, "startdate", 0) <= date <= _read_number(parameters, "enddate", now)


def _narrow(group: Group, types: set[int]) -> Group:
    return {**group, "measures": [measure for measure in group["measures"] if measure["type"] in types]}
