"""All of Withings in one object: it answers requests, without any I/O and by a clock of its own."""

from __future__ import annotations

from collections.abc import Callable

from .authorize import AuthorizePage
from .data import DataService
from .faults import Faults
from .http import HttpReply, HttpRequest, json_reply
from .ledger import Ledger
from .pages import index_page, problem_page
from .refusals import Limits, RefusedError
from .signing import SignatureService
from .state import AUTHORIZE_PATH, State
from .tokens import TokenService

Service = Callable[[HttpRequest], dict[str, object]]
Handler = Callable[[HttpRequest], HttpReply]


class Withings:
    """The services, over the state that they share."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.faults = Faults()
        self.ledger = Ledger(state)
        page = AuthorizePage(state, self.ledger)
        signatures = SignatureService(state)
        limits = Limits(state.clock)
        data = DataService(state, self.ledger, limits)
        tokens = TokenService(state, self.ledger, limits, page, signatures, data)
        fetch = self._envelop(data.answer)
        # By path: what answers each method, and the places by which faults are ordered.
        self._routes: dict[str, tuple[dict[str, Handler], tuple[str, ...]]] = {
            "/": ({"GET": self._index}, ()),
            "/logout": ({"GET": page.sign_out}, ()),
            AUTHORIZE_PATH: ({"GET": page.ask, "POST": page.decide}, ("authorize",)),
            "/v2/oauth2": ({"POST": self._envelop(tokens.answer)}, ("token",)),
            "/v2/signature": ({"POST": self._envelop(signatures.answer)}, ("signature",)),
            **{path: ({"GET": fetch, "POST": fetch}, ("api", path.rpartition("/")[2])) for path in data.paths},
        }

    def answer(self, request: HttpRequest) -> HttpReply:
        """Returns the reply to a request, spoiled if a fault is on order."""
        if request.headers.get("host", "").lower() not in request.own_hosts:
            # A foreign DNS server can point its own name at this address.
            return problem_page("Wrong address", "The sandbox has no such host name.", http_status=421)
        if request.path not in self._routes:
            return problem_page("Not found", "There is nothing at this address.", http_status=404)
        methods, places = self._routes[request.path]
        if request.method not in methods:
            return HttpReply(http_status=405, media_type="text/plain", headers={"Allow": ", ".join(methods)})
        handle = methods[request.method]
        fault = self.faults.take(*places) if places else None
        if fault is None:
            return handle(request)
        self.state.counters.faults += 1
        self.state.record("fault", detail=f"{fault.kind} at {request.path}")
        return fault.spoil(lambda: handle(request))

    def _index(self, _request: HttpRequest) -> HttpReply:
        return index_page(client_id=self.state.client_id, people=self.state.people)

    def _envelop(self, serve: Service) -> Handler:
        """Returns a handler that replies with HTTP 200 in any case; only the envelope tells success from refusal."""

        def handle(request: HttpRequest) -> HttpReply:
            try:
                return json_reply({"status": 0, "body": serve(request)})
            except RefusedError as refused:
                refusal, switches = refused.refusal, self.state.switches
                self.state.counters.refusals += 1
                self.state.record("refusal", status=refusal.status, detail=refusal.text)
                envelope: dict[str, object] = {"status": refusal.status, "body": {}, "error": refusal.text}
                if refused.wait_seconds is not None and switches.wait_seconds_told:
                    envelope["body"] = {"wait_seconds": refused.wait_seconds}
                elif not switches.failures_carry_body:
                    del envelope["body"]
                return json_reply(envelope)

        return handle
