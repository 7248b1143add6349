"""Which request is for which service, and how the service's answer is spoken in HTTP. Still no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .authorize import Complaint, Consent, Declined, InvalidClient, SentBack, StaleTicket
from .control import Control
from .faults import spoiled
from .pages import (
    consent_page,
    declined_page,
    developer_page,
    index_page,
    invalid_client_page,
    page_reply,
    problem_page,
)
from .refusals import RefusedError
from .values import Fields, Reply, json_reply, redirect_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from .provider import Provider
    from .values import Request

    Handler = Callable[[Request], Reply]

AUTHORIZE_PATH = "/oauth2_user/authorize2"


class Routes:
    """The provider, reachable by requests."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._control = Control(provider)
        self._table: dict[str, dict[str, Handler]] = {
            "/": {"GET": self._index},
            AUTHORIZE_PATH: {"GET": self._authorize, "POST": self._decide},
            "/logout": {"GET": self._logout},
            "/developer": {"GET": lambda _: page_reply(developer_page())},
            "/v2/oauth2": {"POST": self._token},
            "/oauth2/token": {"POST": self._old_token},
            "/v2/signature": {"POST": self._signature},
            "/measure": {"GET": self._data, "POST": self._data},
            "/v2/user": {"GET": self._data, "POST": self._data},
            "/notify": {"GET": self._data, "POST": self._data},
        }

    def answer(self, request: Request) -> Reply:
        """What the sandbox says to a request."""
        if not _addressed_to_us(request):
            # Names that were bent to this address by a foreign DNS server end here.
            return page_reply(problem_page("Wrong address", "Nobody of that name lives here."), http_status=421)
        if request.path.startswith(Control.PATH):
            return self._control.answer(request)
        methods = self._table.get(request.path)
        if methods is None:
            return page_reply(problem_page("Not found", "There is nothing at this address."), http_status=404)
        handler = methods.get(request.method)
        if handler is None:
            return Reply(http_status=405, media_type="text/plain", headers={"Allow": ", ".join(methods)})
        places = _PLACES.get(request.path)
        fault = self._provider.faults.take(*places) if places else None
        if fault is None:
            return handler(request)
        self._provider.world.counters.faults += 1
        self._provider.world.note("fault", detail=f"{fault.kind} at {request.path}")
        return spoiled(fault, lambda: handler(request))

    def _index(self, _request: Request) -> Reply:
        world = self._provider.world
        return page_reply(index_page(client_id=world.app.client_id, people=world.people))

    def _authorize(self, request: Request) -> Reply:
        match self._provider.authorize_page.visit(Fields.parse(request.query)):
            case Consent() as consent:
                return page_reply(consent_page(consent, action=AUTHORIZE_PATH))
            case InvalidClient():
                return page_reply(invalid_client_page(), http_status=400)
            case Complaint(message):
                return _complaint(message)

    def _decide(self, request: Request) -> Reply:
        form = request.form
        userid = form.text("userid")
        decided = self._provider.authorize_page.decide(
            form.text("ticket"),
            userid=int(userid) if userid.isascii() and userid.isdigit() else 0,
            allow=form.text("answer") == "allow",
        )
        match decided:
            case SentBack(location):
                return redirect_reply(location)
            case Declined():
                return page_reply(declined_page())
            case Complaint(message):
                return _complaint(message)
            case StaleTicket():
                text = "This question has been answered or is too old. Please begin again in the app."
                return page_reply(problem_page("Please begin again", text), http_status=400)

    def _logout(self, request: Request) -> Reply:
        """Sign in as somebody else. The sandbox asks every time who one is, so there is nothing to forget."""
        target = Fields.parse(request.query).text("r")
        parts = urlsplit(target)
        ours = parts.scheme == "http" and parts.netloc in _our_names(request) and parts.path == AUTHORIZE_PATH
        if not ours:
            text = "After signing out one can only go to the authorize page."
            return page_reply(problem_page("Not an address to return to", text), http_status=400)
        return redirect_reply(target)

    def _token(self, request: Request) -> Reply:
        self._provider.world.counters.token_requests += 1
        return self._enveloped(lambda: self._provider.tokens.answer(request.form))

    def _old_token(self, request: Request) -> Reply:
        self._provider.world.counters.token_requests += 1
        if not self._provider.world.switches.old_token_endpoint_open:
            return redirect_reply(f"{request.origin}/developer")
        try:
            return json_reply(self._provider.tokens.answer_flat(request.form))
        except RefusedError as refused:
            self._provider.world.counters.refusals += 1
            return json_reply({"errors": [{"message": refused.refusal.text}]})

    def _signature(self, request: Request) -> Reply:
        return self._enveloped(lambda: self._provider.signatures.answer(request.form))

    def _data(self, request: Request) -> Reply:
        """The parameters may stand in the form or the query, and the token in the header or among them."""
        texts = {**Fields.parse(request.query).texts, **request.form.texts}
        in_parameters = texts.pop("access_token", "")
        scheme, _, in_header = request.headers.get("authorization", "").partition(" ")
        token = in_header.strip() if scheme.lower() == "bearer" else in_parameters
        return self._enveloped(lambda: self._provider.data.answer(request.path, Fields(texts), token))

    def _enveloped(self, serve: Callable[[], dict[str, object]]) -> Reply:
        """HTTP 200 whatever happens; whether it went well stands in the envelope."""
        world = self._provider.world
        try:
            return json_reply({"status": 0, "body": serve()})
        except RefusedError as refused:
            refusal = refused.refusal
            world.counters.refusals += 1
            world.note("refusal", status=refusal.status, detail=refusal.text)
            body: dict[str, object] = {}
            if refused.wait_seconds is not None and world.switches.wait_seconds_told:
                body["wait_seconds"] = refused.wait_seconds
            envelope = {"status": refusal.status, "body": body, "error": refusal.text}
            if not body and not world.switches.failures_carry_body:
                del envelope["body"]
            return json_reply(envelope)


_PLACES = {
    AUTHORIZE_PATH: ("authorize",),
    "/v2/oauth2": ("token",),
    "/oauth2/token": ("old_token",),
    "/v2/signature": ("signature",),
    "/measure": ("measure", "api"),
    "/v2/user": ("user", "api"),
    "/notify": ("notify", "api"),
}
"""By which names faults are ordered for an address."""


def _our_names(request: Request) -> tuple[str, str]:
    parts = urlsplit(request.origin)
    return (parts.netloc, f"localhost:{parts.port}")


def _addressed_to_us(request: Request) -> bool:
    return request.headers.get("host", "").lower() in _our_names(request)


def _complaint(message: str) -> Reply:
    """The older JSON shape, as the browser shows it at the end of a consent that went wrong."""
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return json_reply({"errors": [{"message": message}]}, http_status=400, headers=headers)
