"""The authorize page: who asks for what, what the person says, and where the browser is sent.

Codes are used once and live thirty seconds. As at Withings, a redirect URI that is not registered is found out only
at the very end, after the person has allowed it, and then the browser goes nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from .refusals import INVALID_CODE, WRONG_REDIRECT_URI, RefusedError
from .values import SCOPES, Fields, Person

if TYPE_CHECKING:
    from .ledger import Ledger
    from .world import World

CODE_SECONDS = 30
TICKET_SECONDS = 3600
LINKED_PEOPLE_AT_MOST = 10
"""Apps whose target environment is development run in a restricted mode with this many linked users."""

MISMATCH = "redirect_uri_mismatch: The redirect URI provided is missing or does not match partner callback url"
"""Word for word what many users have quoted from their browsers."""

PARAMETERS = frozenset({"response_type", "client_id", "state", "scope", "redirect_uri", "mode"})
"""The documented list, which is complete: there is no PKCE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A question to a person: may this app have these scopes?"""

    ticket: str = field(repr=False)
    """Good for one answer, so that no other site can answer in the person's place."""
    client_id: str
    scopes: tuple[str, ...]
    people: tuple[Person, ...]


@dataclass(frozen=True, slots=True)
class InvalidClient:
    """The bare page that a wrong client id ends on."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error in the older JSON shape, shown to the browser; nobody is sent back."""

    message: str


@dataclass(frozen=True, slots=True)
class SentBack:
    """The browser goes to the app's redirect URI."""

    location: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Declined:
    """The person said no, and the app hears nothing of it."""


@dataclass(frozen=True, slots=True)
class StaleTicket:
    """An answer to a question that was not asked, has been answered, or is too old."""


Asked = Consent | InvalidClient | Complaint
Decided = SentBack | Declined | Complaint | StaleTicket


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    asked_at: float
    redirect_uri: str
    state: str = field(repr=False)
    scopes: tuple[str, ...]
    people: tuple[Person, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a code stands for."""

    userid: int
    scopes: tuple[str, ...]
    redirect_uri: str
    given_at: float


class AuthorizePage:
    """Asks people, remembers their answers as codes, and gives each code's grant out once."""

    def __init__(self, world: World, ledger: Ledger) -> None:
        self._world = world
        self._ledger = ledger
        self._questions: dict[str, _Question] = {}
        self._codes: dict[str, Grant] = {}

    def visit(self, query: Fields) -> Asked:
        """Judge the address that an app has sent a browser to."""
        self._world.counters.authorize_visits += 1
        if query.text("client_id") != self._world.app.client_id:
            return InvalidClient()
        if problem := self._problem(query):
            return Complaint(problem)
        demo = query.text("mode") == "demo"
        question = _Question(
            asked_at=self._world.clock.now(),
            redirect_uri=query.text("redirect_uri"),
            state=query.text("state"),
            scopes=tuple(dict.fromkeys(query.text("scope").split(","))),
            people=(self._world.demo_person,) if demo else self._world.people,
        )
        ticket = self._world.secret()
        self._questions[ticket] = question
        return Consent(
            ticket=ticket,
            client_id=self._world.app.client_id,
            scopes=question.scopes,
            people=question.people,
        )

    def decide(self, ticket: str, *, userid: int, allow: bool) -> Decided:
        """Take a person's answer, once."""
        question = self._questions.pop(ticket, None)
        now = self._world.clock.now()
        if question is None or now - question.asked_at >= TICKET_SECONDS:
            return StaleTicket()
        if userid not in {person.userid for person in question.people}:
            return Complaint(f"invalid_request: no person {userid} was offered")
        return self._allow(question, userid) if allow else self._decline(question, userid)

    def redeem(self, code: str, redirect_uri: str) -> Grant:
        """What the code stands for. Any attempt with a living code uses it up, whatever comes of the attempt."""
        grant = self._codes.pop(code, None)
        if grant is None or self._world.clock.now() - grant.given_at >= CODE_SECONDS:
            raise RefusedError(INVALID_CODE)
        if redirect_uri != grant.redirect_uri:
            raise RefusedError(WRONG_REDIRECT_URI)
        return grant

    def is_registered(self, redirect_uri: str) -> bool:
        """Whether the address is registered: the exact text, or by a switch what begins with it."""
        registered = self._world.app.redirect_uris
        if self._world.switches.redirect_uri_prefix_matches:
            return any(redirect_uri.startswith(one) for one in registered)
        return redirect_uri in registered

    def _problem(self, query: Fields) -> str:
        """Why the request makes no sense; empty if it does. The words are the sandbox's, after RFC 6749."""
        if query.repeated:
            return f"invalid_request: {query.repeated[0]} is repeated"
        unknown = sorted(set(query.texts) - PARAMETERS)
        if unknown and self._world.switches.unknown_parameters_refused:
            return f"invalid_request: unknown parameter {unknown[0]}"
        if query.text("response_type") != "code":
            return "unsupported_response_type: response_type must be code"
        if not query.text("state"):
            return "invalid_request: state is missing"
        if not query.text("scope") or any(scope not in SCOPES for scope in query.text("scope").split(",")):
            return "invalid_scope: scope must be a list of known scopes, separated by commas"
        if query.text("mode") not in {"", "demo"}:
            return "invalid_request: mode can only be demo"
        return ""

    def _allow(self, question: _Question, userid: int) -> Decided:
        if not self.is_registered(question.redirect_uri):
            return Complaint(MISMATCH)
        linked = self._ledger.linked_userids()
        if not self._world.app.production and userid not in linked and len(linked) >= LINKED_PEOPLE_AT_MOST:
            return Complaint("access_denied: an app in restricted mode has at most 10 linked users")
        self._world.counters.consents += 1
        self._world.note("allow", userid=userid)
        if self._world.switches.second_consent == "kills_at_consent":
            self._ledger.kill_person(userid)
        code = self._world.secret()
        self._codes[code] = Grant(
            userid=userid,
            scopes=tuple(one for one in question.scopes if one in self._world.grantable_scopes),
            redirect_uri=question.redirect_uri,
            given_at=self._world.clock.now(),
        )
        # Both orders have been seen at Withings, so the sandbox takes turns.
        answer = {"code": code, "state": question.state}
        if self._world.counters.consents % 2 == 0:
            answer = {"state": question.state, "code": code}
        return SentBack(_with_query(question.redirect_uri, answer))

    def _decline(self, question: _Question, userid: int) -> Decided:
        self._world.counters.denials += 1
        self._world.note("deny", userid=userid)
        denial = self._world.switches.denial
        if denial == "no_redirect":
            return Declined()
        if not self.is_registered(question.redirect_uri):
            return Complaint(MISMATCH)
        answer = {"error": "access_denied"}
        if denial == "with_state":
            answer["state"] = question.state
        return SentBack(_with_query(question.redirect_uri, answer))


def _with_query(uri: str, answer: dict[str, str]) -> str:
    """The registered address, kept character for character, with the answer behind it."""
    joint = "&" if urlsplit(uri).query else "?"
    return f"{uri}{joint}{urlencode(answer)}"
