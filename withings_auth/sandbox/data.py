"""The data services behind one door: who calls, how often, with which token and scope.

To add a service, write a function in `services` and name it in the table in `DataService.__init__`.
"""

from __future__ import annotations

from collections.abc import Callable

from . import refusals, services
from .http import HttpRequest, Parameters
from .ledger import Ledger
from .notifications import Notifications
from .refusals import Limits, RefusedError
from .state import State

Service = Callable[[int, int, Parameters], dict[str, object]]


class DataService:
    """Answers whoever holds a live access token."""

    def __init__(self, state: State, ledger: Ledger, limits: Limits) -> None:
        self._state = state
        self._ledger = ledger
        self._limits = limits
        self.notifications = Notifications()
        # By path and action: the scope that the token must have, if any, and the function that answers. The scopes are
        # those of developer.withings.com, "Authorization URL"; for getdevice and getgoals no scope is documented.
        self._services: dict[tuple[str, str], tuple[str | None, Service]] = {
            ("/measure", "getmeas"): ("user.metrics", services.list_measures),
            ("/v2/measure", "getmeas"): ("user.metrics", services.list_measures),  # undocumented; programs use it
            ("/v2/measure", "getactivity"): ("user.activity", services.list_activities),
            ("/v2/measure", "getintradayactivity"): ("user.activity", services.list_intraday_activity),
            ("/v2/measure", "getworkouts"): ("user.activity", services.list_workouts),
            ("/v2/sleep", "get"): ("user.activity", services.list_sleep_stages),
            ("/v2/sleep", "getsummary"): ("user.activity", services.list_nights),
            ("/v2/heart", "list"): ("user.metrics", services.list_recordings),
            ("/v2/heart", "get"): ("user.metrics", services.get_recording),
            ("/v2/user", "getdevice"): ("user.info", services.list_devices),
            ("/v2/user", "getgoals"): ("user.info", services.list_goals),
            ("/notify", "subscribe"): (None, self.notifications.subscribe),
            ("/notify", "list"): (None, self.notifications.list_all),
            ("/notify", "get"): (None, self.notifications.get),
            ("/notify", "revoke"): (None, self.notifications.revoke),
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
        return service(pair.userid, int(self._state.clock.now()), Parameters(texts))
